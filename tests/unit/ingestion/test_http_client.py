"""The guarded client: where it goes, how often it tries, and what it never says."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ingestion.protocols import download
from ingestion.web import network
from ingestion.web.answers import document
from ingestion.web.client import connect
from lakehouse.errors import ContractError, SourceUnavailable
from tests.unit.ingestion.http_server import (
    Reply,
    canary,
    contract_of,
    in_turn,
    patiently,
    reply,
    serving,
    take,
    zipped,
)

CSV = Reply(b"id,time,temperature\na,2026-01-01 00:00,1\n", headers={"Content-Type": "text/csv"})


@pytest.fixture
def fetch(lake):
    """Download `/a.csv` from a server that answers so: the offers and the requests."""

    def fetched(answering, path="/a.csv", host=None, changes=None, **options):
        with serving(answering) as server:
            url = server.url.replace("127.0.0.1", host) if host else server.url
            contract = contract_of(lake, "http", url + path, options=options)
            try:
                return take(lake, download, contract, **(changes or {})), server.asked
            except SourceUnavailable as error:
                return str(error), server.asked

    return fetched


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


# Where it goes


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "[::1]", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0.0.0.0", "0",  # noqa: S104
        "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "169.254.169.254",
        "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "192.0.0.170", "198.18.0.1", "[fe80::1]", "[ff02::1]", "[fc00::1]",
        "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001::1]", "localhost",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_never_reached(lake, host):
    with canary() as state:
        contract = contract_of(
            lake, "http", f"https://{host}:{state()[0]}/a", options={"internal": False}
        )
        with pytest.raises(SourceUnavailable, match=r"must not be asked|is no web address"):
            take(lake, download, contract)
        assert state()[1] == 0


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://data.example/a", "not asked over https"),
        ("ftp://data.example/a", "no https address"),
        ("file:///etc/passwd", "no web address"),
        ("https://user:word@data.example/a", "holds a user's name"),
        ("https:///a", "no web address"),
        ("https://[::1", "no web address"),
        ("data.example/a:b", "no web address"),
    ],
)
def test_addresses_that_are_none(lake, address, said):
    contract = contract_of(lake, "http", address, options={"internal": False})
    with pytest.raises(SourceUnavailable, match=said) as refusal:
        take(lake, download, contract, resolve=lambda *_: pytest.fail("it was looked up"))
    assert "word" not in str(refusal.value)


def test_a_name_that_changes_its_address_leads_nowhere(lake):
    """DNS rebinding: the first answer is public, the second would be this machine."""
    with canary() as state:
        answers = [["93.184.215.14"], ["127.0.0.1"]]
        options = {"internal": False, "attempts": 2, "timeoutS": 0.1}
        contract = contract_of(
            lake, "http", f"https://data.example:{state()[0]}/a", options=options
        )
        with pytest.raises(SourceUnavailable, match=r"data\.example is 127\.0\.0\.1"):
            take(lake, download, contract, resolve=lambda *_: answers.pop(0))
        assert state()[1] == 0
        both = ["93.184.215.14", "127.0.0.1"]
        with pytest.raises(SourceUnavailable, match="it is not public"):
            take(lake, download, contract, resolve=lambda *_: both)
        assert state()[1] == 0


def test_the_name_stays_while_the_checked_address_is_connected_to(fetch):
    looked_up = []

    def resolve(host, port):
        looked_up.append(host)
        return ["127.0.0.1"]

    found, asked = fetch(in_turn(CSV), host="data.example", changes={"resolve": resolve})
    assert found.bodies == [CSV.body]
    assert looked_up == ["data.example"]
    assert asked[0].headers["host"].startswith("data.example:")


@pytest.mark.parametrize("ip", ["93.184.215.14", "2a00:801:f0::1"])
def test_public_addresses_are_fine(ip):
    assert network.objection(ip, internal=False) is None


@pytest.mark.parametrize(
    "ip",
    [
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "fe80::1%eth0",
        "x",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
    ],
)
def test_internal_servers_have_ordinary_addresses_too(ip):
    assert network.objection(ip, internal=True)
    assert network.objection("10.1.2.3", internal=True) is None


def test_redirects_stay_on_the_server(fetch):
    def moved(to):
        return Reply(status=302, headers={"Location": to})

    def answering(asked):
        return CSV if asked.path == "/new.csv" else moved("/new.csv")

    assert fetch(answering)[0].bodies == [CSV.body]
    assert "redirects without end" in fetch(lambda asked: moved(f"{asked.path}x"))[0]
    with canary() as state:
        for to in (f"http://127.0.0.1:{state()[0]}/", "https://evil.example/?k=canary-77", "//e/"):
            said, asked = fetch(in_turn(moved(to)))
            assert "redirects to another server" in said
            assert "canary-77" not in said
            assert len(asked) == 1
        assert state()[1] == 0


def test_other_hosts_are_asked_only_if_the_contract_names_them(lake):
    contract = contract_of(lake, "http", "http://127.0.0.1:1/a", options={"hosts": ["b.example"]})
    with connect(contract) as client:
        other = client.addresses[0].join("https://c.example/a")
        with pytest.raises(SourceUnavailable, match="does not name this server"):
            client.get(other, lake.inbox / "a")
        assert ("https", "b.example", 443) in client.origins
        assert ("http", "b.example", 80) in client.origins, "an internal one"
    assert ("http", "b.example", 80) not in origins_of_public(lake)


def origins_of_public(lake):
    options = {"hosts": ["b.example"], "internal": False}
    with connect(contract_of(lake, "http", "https://a.example/", options=options)) as client:
        return client.origins


def test_no_proxy_resolves_names_for_us(fetch, monkeypatch):
    with canary() as state:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{state()[0]}")
        changes = {"resolve": lambda *_: ["127.0.0.1"]}
        assert fetch(in_turn(CSV), host="data.example", changes=changes)[0].bodies == [CSV.body]
        assert state()[1] == 0


def test_certificates_are_checked_against_the_name(lake, tmp_path):
    trusted = certificate(tmp_path, "data.example")
    with serving(in_turn(CSV), trusted.server) as server:
        for name, is_right in [("data.example", True), ("other.example", False)]:
            address = f"https://{name}:{server.port}/a.csv"
            contract = contract_of(lake, "http", address, options={"attempts": 1})
            changes = {"resolve": lambda *_: ["127.0.0.1"], "certificates": trusted.client}
            if is_right:
                assert take(lake, download, contract, **changes).bodies == [CSV.body]
            else:
                with pytest.raises(SourceUnavailable, match="cannot be reached"):
                    take(lake, download, contract, **changes)


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


@pytest.fixture(autouse=True)
def _nothing_public_is_asked(monkeypatch):
    """A connection that leaves this machine is a mistake of the test."""
    plain = socket.create_connection

    def guarded(address, *rest, **more):
        if not address[0].startswith("127."):
            raise TimeoutError
        return plain(address, *rest, **more)

    monkeypatch.setattr(socket, "create_connection", guarded)


class certificate:  # noqa: N801 - reads as a word in the test
    """A certificate for a name: a server's context, and a client's that trusts it."""

    def __init__(self, folder, name):
        from cryptography import x509  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        signed = (
            x509.CertificateBuilder(subject, subject, key.public_key(), 7)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = folder / "server.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + signed.public_bytes(serialization.Encoding.PEM)
        )
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(pem)
        self.client = ssl.create_default_context(cafile=str(pem))
