"""PI Web API: its streams as pages, its recorded values as rows, and both together in a lake.

The answers are written after the PI Web API Reference (StreamSet GetRecorded, GetRecordedAdHoc,
Stream GetRecorded); there is no real server.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit

import pytest

from ingestion import ingest_source
from ingestion import source as taking
from ingestion.protocols import PROTOCOLS, Protocol, pi_web_api
from lakehouse import delta, tables
from lakehouse.errors import DeliveryRefused, SourceUnavailable
from tests.unit.ingestion.http_server import (
    INTERNAL,
    Reply,
    Taken,
    in_turn,
    patiently,
    reply,
    serving,
    take,
)
from tests.unit.ingestion.lake import column, new_lake, utc

NO_DATA = {"Name": "No Data", "Value": 248, "IsSystem": True}
CHANNELS = [
    column("supply_temperature", "air_temperature", "Cel", delivered_as="SupplyTemp"),
    column("fan", "uplink_payload", "1", kind="string", delivered_as="Fan"),
]


def value(at: str, given: object, **more: object) -> dict[str, object]:
    return {
        "Timestamp": at,
        "UnitsAbbreviation": "",
        "Good": True,
        "Questionable": False,
        "Substituted": False,
        "Annotated": False,
        "Value": given,
    } | more


def stream(tag: str, *values: object, web_id: str = "") -> dict[str, object]:
    return {
        "WebId": web_id or f"W-{tag}",
        "Name": tag,
        "Path": f"\\\\PISRV01\\AHU1.{tag}",
        "Links": {},
        "Items": list(values),
    }


def answer(*streams: object) -> dict[str, object]:
    return {"Links": {}, "Items": list(streams)}


def pi(lake, location="streams/*.json", **changes):
    delivery = {
        "protocol": "pi_web_api" if ":" in location else "folder",
        "format": "pi_recorded",
        "device": {"path": r"^(?:\\\\[^\\]+\\)?(?P<device>[^.]+)\.(?P<channel>.+)$"},
        "http": INTERNAL,
    } | changes
    return lake.source(delivery=delivery, columns=CHANNELS, location=location)


@pytest.fixture
def read(lake):
    def judged(content: object, name="a.json"):
        text = content if isinstance(content, str | bytes) else json.dumps(content, indent=1)
        return lake.judged(pi(lake), lake.deliver(name, text))

    return judged


def test_values_of_every_kind(read):
    rows = read(
        answer(
            stream(
                "SupplyTemp",
                value("2026-11-20T10:00:00.1234567Z", 18.5, UnitsAbbreviation="°C"),
                value("2026-11-20T10:01:00Z", NO_DATA, Good=False),
                value("2026-11-20T10:02:00Z", 19, Good=False),
                value("2026-11-20T10:03:00Z", 20.25, Questionable=True),
                value("2026-11-20T10:04:00Z", 20.5, Substituted=True),
                value("2026-11-20T11:05:00+01:00", 21),
                value("2026-11-20T10:06:00Z", None),
                {"Timestamp": "2026-11-20T10:07:00Z", "Value": 5},
            ),
            stream(
                "Fan",
                value("2026-11-20T10:00:00Z", {"Name": "On", "Value": 1, "IsSystem": False}),
                value("2026-11-20T10:01:00Z", "på"),
                value("2026-11-20T10:02:00Z", False),
            ),
        )
    )
    told = [
        (str(r["t"])[11:], r["channel"], r["cell"], r["value"], r["text"], r["quality"],
         r["quality_code"], r["verdict"])
        for r in rows
    ]  # fmt: skip
    assert told == [
        ("10:00:00.123456", "supply_temperature", "18.5", 18.5, None, "good", None, "sound"),
        ("10:01:00", "supply_temperature", None, None, None, "bad", "No Data", "sound"),
        ("10:02:00", "supply_temperature", "19", 19.0, None, "bad", "Bad", "sound"),
        ("10:03:00", "supply_temperature", "20.25", 20.25, None, "uncertain", "Questionable",
         "sound"),
        ("10:04:00", "supply_temperature", "20.5", 20.5, None, "uncertain", "Substituted", "sound"),
        ("10:05:00", "supply_temperature", "21", 21.0, None, "good", None, "sound"),
        ("10:06:00", "supply_temperature", None, None, None, "good", None, "filtered"),
        ("10:07:00", "supply_temperature", "5", 5.0, None, "uncertain", None, "sound"),
        ("10:00:00", "fan", "On", None, "On", "good", None, "sound"),
        ("10:01:00", "fan", "på", None, "på", "good", None, "sound"),
        ("10:02:00", "fan", "false", 0.0, None, "good", None, "sound"),
    ]  # fmt: skip
    assert {r["device"] for r in rows} == {"AHU1"}
    assert json.loads(rows[8]["attributes"]) == {"state": 1}
    assert [r["_row"] for r in rows] == list(range(1, 12))


def test_an_answer_about_one_stream_is_called_by_its_file(read):
    (row,) = read({"Items": [value("2026-11-20T10:00:00Z", 1)]}, "streams/AHU7.SupplyTemp.json")
    told = (row["device"], row["channel"], row["rule"])
    assert told == ("meters/streams/AHU7", "supply_temperature", None)
    named = stream("x", value("2026-11-20T10:00:00Z", 1)) | {"Path": None, "Name": "B.Fan"}
    (row,) = read(answer(named))
    assert row["device"] == "B"


@pytest.mark.parametrize(
    ("broken", "rule", "reason"),
    [
        (value("igår", 1), "time_unreadable", "the time 'igår' cannot be read"),
        (value("2026-11-20T10:00:00", 1), "time_unreadable", "as an instant"),
        ({"Value": 1, "Good": True}, "time_missing", "the value has no time"),
        ({"Timestamp": "2026-11-20T10:00:00Z", "Good": True}, "no_measurement", "no Value"),
        (value("2026-11-20T10:00:00Z", [1, 2]), "format", "neither a plain value nor a state"),
        (value("2026-11-20T10:00:00Z", {"x": 1}), "format", "neither a plain value nor a state"),
        (value("2026-11-20T10:00:00Z", 1, Errors=[{"FieldName": "Value"}]), "format", "FieldName"),
        (value("2026-11-20T10:00:00Z", "warm"), "value_unreadable", "is 'warm'"),
        (value("2026-11-20T10:00:00Z", 1, UnitsAbbreviation="°F"), "unit_differs", "SupplyTemp"),
        (value("2026-11-20T10:00:00Z", 1, UnitsAbbreviation="smoot"), "unit_unknown", "smoot"),
        (None, "format", "no value of a stream"),
        (7, "format", "no value of a stream"),
        ([], "format", "no value of a stream"),
    ],
)
def test_a_broken_value_does_not_stop_the_others(read, broken, rule, reason):
    sound = value("2026-11-20T09:00:00Z", 1)
    before, row, after = read(answer(stream("SupplyTemp", sound, broken, sound)))
    assert (row["verdict"], row["rule"]) == ("broken", rule)
    assert reason in row["reason"]
    assert (before["verdict"], after["verdict"], after["_row"]) == ("sound", "sound", 3)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ('{"Items": [{"Timestamp"', "layout"),
        ("[]", "format"),
        ('{"Message": "no such stream"}', "format"),
        ('{"Items": null}', "format"),
        ('{"Items": [null]}', "format"),
        ('{"Items": [{"Name": "AHU1.SupplyTemp", "Items": null}]}', "tag_path"),
        ('{"Items": [], "Items": [1]}', "layout"),
        ('{"Items": [{"Name": "A.SupplyTemp", "Items": [], "Items": []}]}', "layout"),
        (b'{"Items": "\xff"}', "encoding"),
        ('{"Items": [{"Name": "AHU1", "Items": [{"Timestamp": "x"}]}]}', "tag_path"),
        (
            json.dumps(answer(stream("SupplyTemp", value("2026-11-20T10:00:00Z", float("nan"))))),
            "value_not_finite",
        ),
        ('{"Items": [{"Name": "A.SupplyTemp", "Items": [{"Value": 1, "Value": 2}]}]}', "layout"),
    ],
)
def test_a_document_of_another_kind_is_quarantined(read, content, rule):
    (row,) = read(content)
    assert (row["verdict"], row["rule"]) == ("broken", rule)
    assert row["reason"]


def test_an_answer_without_values_is_no_row(read):
    assert read(answer(stream("SupplyTemp"))) == []


def test_a_contract_without_a_pattern_is_refused(lake):
    contract = pi(lake, device={"constant": "x"})
    with pytest.raises(DeliveryRefused, match="splits a tag path"):
        lake.judged(contract, lake.deliver("a.json", "{}"))


# The protocol


def minutes(count: int, tag: str = "SupplyTemp", step: int = 1) -> list[dict[str, object]]:
    """Values of a stream, one a minute from 00:00; every third one at the instant before it."""
    start = datetime(2026, 11, 20)
    times = [start + timedelta(minutes=step * (n - (n % 3 == 2))) for n in range(count)]
    return [value(f"{time.isoformat()}.0000000Z", n) for n, time in enumerate(times)]


def server_of(streams: dict[str, list[dict[str, object]]]):
    """PI Web API with these streams, by their names."""

    def answering(asked):
        query = parse_qs(urlsplit(asked.target).query)
        if asked.path.endswith("/streamsets/E1/recorded"):
            wanted = list(streams)
        else:
            assert asked.path == "/piwebapi/streamsets/recorded"
            wanted = [web_id.removeprefix("W-") for web_id in query["webId"]]
        most = int(query["maxCount"][0])
        low, high = query["startTime"][0], query["endTime"][0]
        assert query["boundaryType"] == ["Inside"]
        return reply(
            answer(
                *(
                    stream(tag, *[v for v in streams[tag] if low[:19] <= v["Timestamp"][:19]
                                  and v["Timestamp"][:19] <= high[:19]][:most])
                    for tag in wanted
                )
            )
        )  # fmt: skip

    return answering


def numbers_of(found: Taken) -> dict[str, set[int]]:
    told: dict[str, set[int]] = {}
    for body in found.bodies:
        for one in json.loads(body)["Items"]:
            told.setdefault(one["Name"], set()).update(v["Value"] for v in one["Items"])
    return told


@pytest.mark.parametrize(
    "path", ["streamsets/recorded?webId=W-SupplyTemp&webId=W-Fan&webId=W-Empty",
             "streamsets/E1/recorded"],
)  # fmt: skip
@pytest.mark.parametrize("size", [3, 4, 7, 1000])
def test_every_stream_is_read_to_its_end(lake, path, size):
    streams = {"SupplyTemp": minutes(25), "Fan": minutes(9, "Fan", 60), "Empty": []}
    with serving(server_of(streams)) as server:
        contract = pi(lake, f"{server.url}/piwebapi/{path}", paging={"size": size})
        found = take(lake, pi_web_api, contract)
    told = numbers_of(found)
    assert told["SupplyTemp"] == set(range(25))
    assert told["Fan"] == set(range(9))
    assert len(set(found.bodies)) == len(found.bodies)
    newest = int(utc("2026-11-20 07:00").timestamp() * 1_000_000)
    assert [mark for mark in found.marks if mark] == [newest]
    assert found.marks[-1] == newest, "only the last page moves the cursor"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"Message": "denied"}, "without a set of streams"),
        ({"Items": [{"Name": "x"}]}, "values could not be read"),
        (answer(stream("Fan") | {"Errors": ["archive offline"]}), "values could not be read"),
        (answer(stream("Fan", {"Errors": [{"Message": "cut"}]})), "values could not be read"),
        (answer(stream("Fan", *minutes(2)[:1] * 2)), "share an instant"),
    ],
)
def test_what_is_no_whole_answer_fails_the_run(lake, body, said):
    with serving(in_turn(reply(body))) as server:
        contract = pi(
            lake, f"{server.url}/piwebapi/streamsets/recorded?webId=F", paging={"size": 2}
        )
        with pytest.raises(SourceUnavailable, match=said):
            take(lake, pi_web_api, contract)


def test_a_run_that_broke_off_goes_on_to_the_same_end(tmp_path, monkeypatch):
    """What came stays, the cursor is not beyond it, and the end is that of an undisturbed run."""
    offers = Protocol("", "", lambda fetch: pi_web_api.offers(fetch, patiently([])))
    monkeypatch.setattr(taking, "PROTOCOLS", MappingProxyType({**PROTOCOLS, "pi_web_api": offers}))
    whole = server_of({"SupplyTemp": minutes(12, step=15), "Fan": minutes(3, "Fan", 60)})
    window = {"start": "2026-11-20T00:00:00Z", "hours": 2, "overlapH": 0.5}
    ends = []
    for name, is_disturbed in [("disturbed", True), ("undisturbed", False)]:
        lake = new_lake(tmp_path / name)
        asked_for = []

        def failing(asked, asked_for=asked_for):
            asked_for.append(asked)
            return Reply(status=500) if len(asked_for) > 2 else whole(asked)

        with serving(failing if is_disturbed else whole) as server:
            url = f"{server.url}/piwebapi/streamsets/E1/recorded"
            contract = pi(lake, url, paging={"size": 8}, window=window)
            bronze = tables.bronze(lake.settings, contract.id)
            if is_disturbed:
                with pytest.raises(SourceUnavailable, match="answered 500"):
                    ingest_source(lake.settings, contract)
                landed = lake.bronze()
                cursor = delta.mark_of(bronze, "cursor")
                assert 0 < len(landed) < 15
                assert (
                    0
                    < cursor
                    <= max(int(row["phenomenon_time"].timestamp() * 1_000_000) for row in landed)
                )
                server.answering = whole
            ingest_source(lake.settings, contract)
            assert ingest_source(lake.settings, contract).receipts == ()
        balance = sum(row["landed"] for row in lake.ledger())
        ends.append((lake.hash(), balance, delta.mark_of(bronze, "cursor")))
    assert ends[0] == ends[1]
    assert ends[0][:1] == ((15, ends[0][0][1]),)
    assert ends[0][1] == 15
