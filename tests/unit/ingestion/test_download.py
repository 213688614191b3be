"""Downloads: what is new comes, once; and the publishers' own addresses of the open data."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest

from ingestion import ingest_source
from ingestion import source as taking
from ingestion.protocols import PROTOCOLS, Protocol, download
from ingestion.web.addresses import of
from lakehouse.contracts import SourceContract, load_source
from lakehouse.contracts.fetching import Http
from lakehouse.errors import SourceUnavailable
from lakehouse.settings import PROJECT
from tests.unit.ingestion.http_server import (
    INTERNAL,
    NOW,
    Reply,
    contract_of,
    in_turn,
    patiently,
    serving,
    take,
    zipped,
)
from tests.unit.ingestion.lake import Lake

HEAD = b"id,time,temperature\n"


def table(*values: int) -> bytes:
    return HEAD + b"".join(b"a,2026-11-20 %02d:00,%d\n" % (v, v) for v in values)


def versioned(files: dict[str, bytes], **extra: str):
    """A server that knows its files' versions and sends one only when it has changed."""

    def answering(asked):
        body = files.get(asked.path)
        if body is None:
            return Reply(status=404)
        tag = f'"{sha256(body).hexdigest()[:8]}"'
        if asked.headers.get("if-none-match") == tag:
            return Reply(status=304)
        dated = "Fri, 20 Nov 2026 10:00:00 GMT"
        told = {"ETag": tag, "Last-Modified": dated, "Content-Type": "text/csv"}
        return Reply(body, headers=told | extra)

    return answering


def test_a_file_comes_again_only_when_it_has_changed(lake):
    files = {"/a.csv": table(1)}
    with serving(versioned(files)) as server:
        contract = contract_of(lake, "http", f"{server.url}/a.csv")
        first = take(lake, download, contract)
        assert (first.names, first.bodies, first.pulled) == (["a.csv"], [table(1)], {False})
        assert first.marks == [None]
        known = frozenset({sha256(table(1)).hexdigest()})
        assert take(lake, download, contract, taken=known).bodies == []
        assert server.asked[-1].headers["if-modified-since"].startswith("Fri, 20 Nov")
        files["/a.csv"] = table(1, 2)
        assert take(lake, download, contract, taken=known).bodies == [table(1, 2)]
        # Offered is not taken: the next run has no version to name.
        assert take(lake, download, contract, taken=known).bodies == [table(1, 2)]
        assert "if-none-match" not in server.asked[-1].headers


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"sha256": 7, "etag": null}'])
def test_a_damaged_hint_costs_a_download_only(lake, damage):
    with serving(versioned({"/a.csv": table(1)})) as server:
        contract = contract_of(lake, "http", f"{server.url}/a.csv")
        take(lake, download, contract)
        (hint,) = (lake.settings.landing / contract.id / "validators").iterdir()
        assert set(json.loads(hint.read_text())) == {"sha256", "etag", "last-modified"}
        hint.write_text(damage)
        known = frozenset({sha256(table(1)).hexdigest()})
        assert take(lake, download, contract, taken=known).bodies == [table(1)]


def test_an_answer_that_nothing_has_changed_counts_only_where_that_was_asked(lake):
    with serving(in_turn(Reply(status=304))) as server:
        contract = contract_of(lake, "http", f"{server.url}/a.csv")
        with pytest.raises(SourceUnavailable, match="answered 304"):
            take(lake, download, contract)


def test_one_text_may_stand_for_several_addresses(lake):
    contract = contract_of(
        lake, "http", "https://h.example/{x,y/z}/{day}/{1,2}.csv", options={"days": 2}
    )
    assert [str(one) for one in of(contract, datetime(2026, 3, 1, tzinfo=UTC))] == [
        f"https://h.example/{place}/{day}/{number}.csv"
        for day in ("2026-02-28", "2026-03-01")
        for place in ("x", "y/z")
        for number in (1, 2)
    ]
    without = contract_of(lake, "http", "https://h.example/{day}")
    with pytest.raises(SourceUnavailable, match="no days are asked for"):
        of(without, NOW)


def test_a_days_file_that_is_not_there_is_none_yet(lake):
    files = {"/2026-11-18.csv": table(1), "/2026-11-20.csv": table(2)}
    with serving(versioned(files)) as server:
        contract = contract_of(lake, "http", f"{server.url}/{{day}}.csv", options={"days": 4})
        found = take(lake, download, contract)
        assert len(server.asked) == 4
    assert found.names == ["2026-11-18.csv", "2026-11-20.csv"]


@pytest.fixture
def patient(monkeypatch):
    """Ingestion over HTTP that waits for nothing."""
    offers = Protocol("", "", lambda fetch: download.offers(fetch, patiently([])))
    monkeypatch.setattr(taking, "PROTOCOLS", MappingProxyType({**PROTOCOLS, "http": offers}))


def archive(content: bytes, kind: str) -> bytes:
    file = io.BytesIO()
    if kind == ".zip":
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("in.csv", content)
    elif kind == ".tar.gz":
        with tarfile.open(fileobj=file, mode="w:gz") as packed:
            entry = tarfile.TarInfo("in.csv")
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    else:
        file.write(gzip.compress(content))
    return file.getvalue()


def test_files_land_once_and_one_that_fails_keeps_no_other_back(lake, patient):
    kinds = [".zip", ".tar.gz", ".csv.gz"]
    files = {f"/d/f{n}{kind}": archive(table(n), kind) for n, kind in enumerate(kinds)}
    names = ",".join(["gone.csv", *(path.removeprefix("/d/") for path in files)])
    with serving(versioned(files)) as server:
        contract = contract_of(lake, "http", f"{server.url}/d/{{{names}}}")
        for _ in range(2):
            with pytest.raises(SourceUnavailable, match=r"d/gone\.csv: it answered 404"):
                ingest_source(lake.settings, contract)
        assert [row["value"] for row in lake.bronze()] == [0, 1, 2]
        assert [asked.headers.get("if-none-match") is None for asked in server.asked] == (
            [True] * 4 + [True] + [False] * 3
        )
        files["/d/gone.csv"] = table(5)
        outcome = ingest_source(lake.settings, contract)
    assert [receipt.name for receipt in outcome.receipts] == ["d/gone.csv"]
    assert [row["value"] for row in lake.bronze()] == [0, 1, 2, 5]
    assert {row["name"] for row in lake.ledger()} == {path[1:] for path in files}


def test_a_cut_archive_is_refused_whole_and_asked_for_again(lake, patient):
    whole = archive(table(*range(12)), ".csv.gz")
    files = {"/a.csv.gz": whole[:-12]}
    with serving(versioned(files)) as server:
        contract = contract_of(lake, "http", f"{server.url}/a.csv.gz")
        assert len(ingest_source(lake.settings, contract).refused) == 1
        files["/a.csv.gz"] = whole
        ingest_source(lake.settings, contract)
    assert len(lake.bronze()) == 12


# The publishers' addresses, with what they answered once


SOURCES = PROJECT / "examples" / "open_data" / "sources"
BUSINESS = ("device", "channel", "t", "t_end", "cell", "value", "unit", "quality_code", "verdict")


def of_smhi(path: Path) -> str:
    number = path.name.removeprefix("station_").partition("-")[0]
    parameter = path.parent.name.removeprefix("parameter_")
    return (
        f"/api/version/latest/parameter/{parameter}/station/{number}/period/corrected-archive"
        "/data.csv"
    )


def of_sensor_community(path: Path) -> str:
    return f"/{path.name[:10]}/{path.name}"


def of_citylearn(path: Path) -> str:
    return (
        "/intelligent-environments-lab/CityLearn/b8bad3141f5efca1a78ed94090af1820b541e467/data"
        f"/datasets/citylearn_challenge_2022_phase_1/{path.name}"
    )


LIVE = {
    "smhi_temperature": of_smhi,
    "smhi_precipitation": of_smhi,
    "smhi_snow_depth": of_smhi,
    "sensor_community_climate": of_sensor_community,
    "sensor_community_pm": of_sensor_community,
    "citylearn_meters": of_citylearn,
}


def on_this_machine(contract: SourceContract, url: str) -> SourceContract:
    """The contract with the host of its server replaced, and nothing else."""
    publisher = urlsplit(contract.location)
    here = contract.location.replace(f"{publisher.scheme}://{publisher.netloc}", url)
    http = Http(**INTERNAL, days=contract.delivery.http.days)
    return replace(
        contract,
        servers=(replace(contract.server, location=here),),
        delivery=contract.delivery.model_copy(update={"http": http}),
    )


def rows_of(judged: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return sorted((tuple(row[name] for name in BUSINESS) for row in judged), key=repr)


def replayed(lake: Lake, contract: SourceContract, recorded: dict[str, bytes]) -> list[Path]:
    """Files of the inbox as the live server would have delivered them."""
    answered: list[str] = []

    def answering(asked):
        if asked.path not in recorded:
            return Reply(status=404)
        answered.append(asked.path)
        return zipped(recorded[asked.path], "text/csv")

    with serving(answering) as server:
        live = on_this_machine(contract.at("live"), server.url)
        found = take(lake, download, live, now=datetime(2018, 10, 14, 6, tzinfo=UTC))
    assert sorted(answered) == sorted(recorded), "the contract asks for every file once"
    return [
        lake.deliver(name, body, folder="live")
        for name, body in zip(found.names, found.bodies, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("source", LIVE)
def test_the_live_server_gives_the_rows_of_the_files(lake, real_data, source):
    contract = load_source(SOURCES / f"{source}.yaml")
    assert contract.protocol == "folder", "without --server it is the files"
    paths = sorted(real_data.glob(contract.location))
    recorded = {}
    for path in paths:
        body = path.read_bytes()
        plain = gzip.decompress(body) if path.suffix == ".gz" else body
        recorded[LIVE[source](path.with_name(path.name.removesuffix(".gz")))] = plain
    live = lake.judged(contract, *replayed(lake, contract, recorded))
    files = [
        lake.deliver(path.relative_to(real_data).as_posix(), path.read_bytes(), folder="files")
        for path in paths
    ]
    assert rows_of(live) == rows_of(lake.judged(contract, *files))
    assert len(live) > 500


def test_the_year_of_one_sensor_is_published_a_day_a_file(lake, real_data):
    contract = load_source(SOURCES / "sensor_community_year.yaml")
    recorded = {}
    with tarfile.open(real_data / "iot/sensor-community-year/15092.tar.gz") as packed:
        for entry in packed:
            name = Path(entry.name).name
            if "2018-10-01" <= name[:10] <= "2018-10-14" and entry.isfile():
                recorded[f"/{name[:10]}/{name}"] = packed.extractfile(entry).read()
    assert len(recorded) >= 13
    live = lake.judged(contract, *replayed(lake, contract, recorded))
    lines = sum(len(body.splitlines()) - 1 for body in recorded.values())
    assert len(live) == 2 * lines
    assert {row["device"] for row in live} == {"15092"}


def test_every_live_server_is_public_and_tried_here():
    live = {}
    for path in sorted(SOURCES.glob("*.yaml")):
        contract = load_source(path)
        for server in contract.servers[1:]:
            assert (server.name, server.protocol) == ("live", "http")
            live[contract.id] = contract
            addresses = of(contract.at("live"), NOW)
            assert all(one.scheme == "https" for one in addresses)
            assert not contract.delivery.http.internal
    assert set(live) == {*LIVE, "sensor_community_year"}
