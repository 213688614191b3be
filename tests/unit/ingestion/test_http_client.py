"""The guarded client: how often it tries, what it takes for an answer, and what it never says."""

from __future__ import annotations

import gzip
import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ingestion.protocols import download
from ingestion.web.answers import document
from ingestion.web.client import connect
from lakehouse.errors import ContractError, SourceUnavailable
from tests.unit.ingestion.http_server import (
    CSV,
    Reply,
    contract_of,
    in_turn,
    patiently,
    reply,
    serving,
    take,
    zipped,
)

pytestmark = pytest.mark.usefixtures("nothing_public_is_asked")


def test_failures_are_tried_again_a_bounded_number_of_times(fetch):
    found, asked = fetch(in_turn(Reply(status=500), Reply(status=503), CSV))
    assert found.bodies == [CSV.body]
    assert len(asked) == 3
    first, second = found.waits
    assert 0.25 <= first <= 0.75
    assert 0.5 <= second <= 1.5
    said, asked = fetch(in_turn(Reply(status=500)))
    assert "no sound answer in 3 attempts: it answered 500" in said
    assert len(asked) == 3


def test_a_server_says_how_long_to_wait_but_not_for_ever(fetch):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    for told, low, high in [("7", 7, 7), ("86400", 120, 120), (soon, 30, 40), ("soon", 0.2, 0.8)]:
        found, _ = fetch(in_turn(Reply(status=429, headers={"Retry-After": told}), CSV))
        assert found.bodies == [CSV.body]
        assert low <= found.waits[0] <= high


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_what_is_refused_is_not_asked_again(fetch, status):
    said, asked = fetch(in_turn(Reply(status=status)))
    assert f"it answered {status}" in said
    assert len(asked) == 1


def test_no_connection(lake):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    waits: list[float] = []
    contract = contract_of(lake, "http", f"http://127.0.0.1:{port}/a.csv")
    with (
        patiently(waits)(contract) as client,
        pytest.raises(SourceUnavailable, match="3 attempts: it cannot be reached"),
    ):
        client.get(client.addresses[0], lake.settings.home / "body")
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Reply(CSV.body, announced=5000), "broke off before the end"),
        (Reply(CSV.body, stall_s=0.5), "silent for too long"),
        (Reply(CSV.body * 9, drip_s=0.02), "silent for too long, or took too long"),
        (Reply(b"x" * 2000), "more than 1,000 bytes"),
        (zipped(b"0" * 5_000_000, "text/csv"), "more than 1,000 bytes"),
        (Reply(gzip.compress(b"a" * 900)[:-9], headers={"Content-Encoding": "gzip"}), "is cut"),
        (Reply(b"\x1f\x8b no gzip", headers={"Content-Encoding": "gzip"}), "is damaged"),
        (Reply(b"x", headers={"Content-Encoding": "br"}), "packs its answer as 'br'"),
        (Reply(b"<html>", headers={"Content-Type": "text/html"}), "a web page instead"),
    ],
)
def test_an_unsound_answer_is_no_delivery(fetch, answer, said):
    options = {"maxBytes": 1000, "timeoutS": 0.2, "requestS": 0.4, "attempts": 2}
    began = time.monotonic()
    found, asked = fetch(in_turn(answer), **options)
    assert said in found
    assert len(asked) <= 2
    assert time.monotonic() - began < 3


def test_a_server_is_asked_with_pauses(fetch):
    found, asked = fetch(in_turn(CSV), path="/{a,b,c}.csv", pauseS=2)
    assert (found.waits, len(asked)) == ([2.0, 2.0], 3)


def test_all_requests_of_a_run_have_an_end(fetch):
    said, asked = fetch(in_turn(Reply(status=500)), attempts=10, totalS=2)
    assert "the run's 2 seconds for requests are used up" in said
    assert len(asked) < 10


def test_an_answer_packed_for_the_way_is_unpacked_and_an_archive_is_not(fetch):
    found, asked = fetch(in_turn(zipped(CSV.body, "text/csv")))
    assert found.bodies == [CSV.body]
    assert asked[0].headers["accept-encoding"] == "gzip"
    twice = Reply(gzip.compress(b"a") + gzip.compress(b"b"), headers={"Content-Encoding": "gzip"})
    assert fetch(in_turn(twice))[0].bodies == [b"ab"]
    archive = zipped(CSV.body, "application/gzip")
    found, _ = fetch(in_turn(archive), path="/files/a.csv.gz")
    assert (found.names, found.bodies) == (["files/a.csv.gz"], [archive.body])


def test_json_is_whole_and_called_json(lake):
    told = {
        b'{"a": [1, 2': "no whole JSON document",
        b"[" * 200_000: "no whole JSON document",
        b"\xff\xfe": "no whole JSON document",
    }
    contract = contract_of(lake, "http", "http://127.0.0.1:1/a")
    for body, said in told.items():
        with serving(in_turn(reply(body))) as server:
            contract = contract_of(lake, "http", f"{server.url}/a")
            with connect(contract) as client:
                answer = client.get(client.addresses[0], lake.inbox / "a")
                with pytest.raises(SourceUnavailable, match=said):
                    document(answer)
    page = Reply(b'{"a": 1}', headers={"Content-Type": "text/html; charset=utf-8"})
    with serving(in_turn(page)) as server:
        contract = contract_of(lake, "http", f"{server.url}/a")
        with connect(contract) as client:
            answer = client.get(client.addresses[0], lake.inbox / "a")
            with pytest.raises(SourceUnavailable, match="with 'text/html', not JSON"):
                document(answer)


# Secrets


CANARY = "canary-5ecret"


def test_credentials_reach_the_server_and_nothing_else(fetch, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CITY_KEY", CANARY)
    options = {"headers": {"X-Api-Key": "env:CITY_KEY"}, "query": {"token": "env:CITY_KEY"}}
    found, asked = fetch(in_turn(CSV), path="/a.csv?token=old&b=1", **options)
    assert found.names == ["a.csv"]
    assert asked[0].headers["x-api-key"] == CANARY
    assert asked[0].query == {"b": "1", "token": CANARY}
    said, _ = fetch(in_turn(Reply(status=403)), **options)
    said += fetch(in_turn(Reply(CANARY.encode(), announced=99)), **options)[0]
    assert "it answered 403" in said
    assert CANARY not in said + caplog.text


def test_an_address_may_be_a_secret_as_a_whole(lake, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    with serving(in_turn(Reply(status=404))) as server:
        monkeypatch.setenv("CITY_URL", f"{server.url}/a?sig={CANARY}")
        contract = contract_of(lake, "http", "env:CITY_URL")
        with pytest.raises(SourceUnavailable, match="answered 404") as refusal:
            take(lake, download, contract)
        assert server.asked[0].query == {"sig": CANARY}
    assert CANARY not in str(refusal.value) + caplog.text
    assert "/a" in caplog.text, "something is logged"


@pytest.mark.parametrize("value", ["", "line\nbreak", "ångström"])
def test_a_credential_that_no_request_can_carry(lake, monkeypatch, value):
    monkeypatch.setenv("CITY_KEY", value)
    contract = contract_of(
        lake, "http", "https://data.example/", options={"headers": {"X-Api-Key": "env:CITY_KEY"}}
    )
    with pytest.raises(SourceUnavailable, match="CITY_KEY") as refusal:
        take(lake, download, contract)
    assert not value or value not in str(refusal.value)


@pytest.mark.parametrize("place", ["headers", "query"])
def test_a_contract_holds_no_credentials(lake, place):
    with pytest.raises(ContractError, match=r"env:NAME") as refusal:
        contract_of(lake, "http", "https://data.example/", options={place: {"api_key": CANARY}})
    assert CANARY not in str(refusal.value)
