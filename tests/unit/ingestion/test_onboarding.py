"""What a sample says, piece by piece; that real samples become rows is tested in integration."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ingestion.formats import FORMATS, Format
from ingestion.onboarding import Wish, dialects, meanings, propose, recognition, samples, times
from ingestion.onboarding.annotated import Said, as_yaml, ask, plain
from ingestion.reading.offered import Reading
from lakehouse.contracts import load_contracts, load_vocabulary
from lakehouse.contracts.drafts import undecided
from lakehouse.errors import ContractError, DeliveryRefused, SettingsError
from lakehouse.settings import PROJECT
from tests.unit.ingestion.lake import uplink

WORDS = load_vocabulary(PROJECT / "contracts")


def proposed(folder: Path, content: str | bytes, name: str = "sample.csv", **wish: str):
    """The proposal for one file, and its `delivery`, without remarks."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    proposal = propose(Wish(str(path), **wish), WORDS, folder / "inbox")
    parts = {
        item["property"]: item["value"] for item in plain(proposal.document)["customProperties"]
    }
    return proposal, parts["delivery"]


def clock(*cells: str, name: str = "tid") -> times.Clock | None:
    return next(iter(times.clocks({name: list(cells)}, {})), None)


@pytest.mark.parametrize(
    ("cells", "formats"),
    [
        (("2026-11-20T10:00:00Z",), {"iso8601"}),
        (("2026-11-20 10:00", "2026-11-20 10:30"), {"iso8601"}),
        (("20261120", "20261121"), {"%Y%m%d"}),
        (("31/01/2026 10.00.00",), {"%d/%m/%Y %H.%M.%S"}),
        (("01/31/2026 1:00 PM",), {"%m/%d/%Y %I:%M %p"}),
        (("01/02/2026", "03/04/2026"), {"%d/%m/%Y", "%m/%d/%Y"}),
        (("05.06.2026 10:00",), {"%d.%m.%Y %H:%M", "%m.%d.%Y %H:%M"}),
        (("1763632800", "1763636400"), {"epoch_s"}),
        (("1763632800000",), {"epoch_ms"}),
    ],
)
def test_times_are_read_by_every_format_that_fits(cells, formats):
    found = clock(*cells)
    assert found is not None
    assert set(found.formats) == formats


def test_numbers_are_no_times_without_a_name_that_says_so():
    assert clock("1763632800", "1763636400", name="register") is None
    assert clock("12", "13") is None


def test_two_orders_of_day_and_month_are_a_persons_to_choose(tmp_path):
    text = "sensor;tid;temp_C\n" + "".join(f"a;0{d}/04/2026 10:00;{d},5\n" for d in range(1, 10))
    proposal, delivery = proposed(tmp_path, text)
    assert delivery["time"]["format"] == "DECIDE"
    assert '"%d/%m/%Y %H:%M" or "%m/%d/%Y %H:%M"' in " ".join(
        proposal.text.replace("#", " ").split()
    )
    clear, delivery = proposed(tmp_path, text + "a;30/04/2026 10:00;1,5\n")
    assert delivery["time"]["format"] == "%d/%m/%Y %H:%M"
    assert "DECIDE: which is meant" not in clear.text


@pytest.mark.parametrize(
    ("header", "cell", "zone"),
    [("tid", "2026-11-20T10:00:00Z", "UTC"), ("tid", "2026-11-20T10:00:00+01:00", "UTC"),
     ("Tid (UTC)", "2026-11-20 10:00", "UTC"), ("tid", "2026-11-20 10:00", "DECIDE")],
)  # fmt: skip
def test_a_zone_is_seen_or_asked_for(tmp_path, header, cell, zone):
    _, delivery = proposed(tmp_path, f"sensor,{header},humidity\na,{cell},50\nb,{cell},60\n")
    assert delivery["time"]["zone"] == zone
    assert ("fold" in delivery["time"]) == (zone == "DECIDE")


def test_hours_when_clocks_change_are_told_as_hints():
    hours = [f"2026-03-29 {hour:02d}:00" for hour in range(24) if hour != 2]
    doubled = [f"2026-10-25 {hour:02d}:00" for hour in sorted([*range(24), 2])]
    found = clock(*hours, *doubled)
    assert found is not None
    assert times.hints(found.times) == "no hour 2026-03-29 02:00; 2026-10-25 02:00 more than once"


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("utf-8", None), ("utf-8-sig", None), ("cp1252", "cp1252"), ("cp850", "cp850"),
     ("utf-16", "utf-16")],
)  # fmt: skip
def test_encodings_are_told_apart_by_strict_decoding(tmp_path, encoding, told):
    text = "Mätställe;Tid;Luftfuktighet\nÅsö;2026-11-20T10:00Z;50\nÖrby;2026-11-20T10:00Z;60\n"
    proposal, delivery = proposed(tmp_path, text.encode(encoding))
    assert delivery["csv"].get("encoding") == told
    assert delivery["device"] == {"column": "Mätställe"}
    assert "channel" not in proposal.text


def test_a_file_without_a_header_is_refused(tmp_path):
    with pytest.raises(DeliveryRefused, match="no line names the columns"):
        proposed(tmp_path, "2026-11-20,1.5\n2026-11-21,1.6\n2026-11-22,1.7\n")


def test_lines_above_a_header_tell_units():
    text = "Station;Nummer\nWiad;97070\n\nNamn;Enhet\nLuft;celsius\n\nTid;Luft;Kod\n" + "".join(
        f"2026-11-{d:02d};{d}.5;G\n" for d in range(1, 20)
    )
    found = dialects.find(text.encode(), "x.csv")
    assert (found.header_row, found.header) == (7, ("Tid", "Luft", "Kod"))


@pytest.mark.parametrize(
    ("name", "word", "unit"),
    [
        ("temp_C", "air_temperature", "Cel"),
        ("PM2.5 (µg/m³)", "pm2_5", "ug/m3"),
        ("pm10", "pm10", "ug/m3"),
        ("Luftfuktighet [%]", "relative_humidity", "%"),
        ("nederbörd_mm", "precipitation", "mm"),
        ("Snödjup (cm)", "snow_depth", "cm"),
        ("aktiv_effekt_kW", "active_power", "kW"),
        ("battery_mV", "battery_voltage", "mV"),
        ("Elpris (EUR/MWh)", "electricity_price", "{EUR}/(MW.h)"),
        ("CO2", "co2", "[ppm]"),
    ],
)
def test_names_are_held_against_the_vocabulary(name, word, unit):
    found = meanings.of_column(name, "", (1.0, 2.0), WORDS)
    assert (found.observed_property, found.unit) == (word, unit)
    assert found.confidence >= meanings.SURE


@pytest.mark.parametrize("name", ["value", "x7", "status", "tryck", "id"])
def test_a_name_that_says_nothing_is_not_guessed(name):
    found = meanings.of_column(name, "", (1.0, 2.0), WORDS)
    assert found.confidence < meanings.SURE


def test_kilowatt_hours_that_only_rise_are_a_register_and_asked_for():
    rising = meanings.of_column("kWh", "", (1.0, 2.0, 5.0), WORDS)
    falling = meanings.of_column("kWh", "", (5.0, 1.0, 2.0), WORDS)
    assert (rising.observed_property, rising.unit) == ("active_energy_register", "kW.h")
    assert falling.observed_property == "active_energy"
    assert max(rising.confidence, falling.confidence) < meanings.SURE


def test_limits_are_in_the_delivered_unit():
    found = meanings.of_column("air temperature (°F)", "", (50.0,), WORDS)
    low, high, _ = meanings.limits(found, (50.0,), WORDS)
    assert (low, high) == (-76, 140)


def test_a_mark_for_nothing_stands_apart_from_every_value(tmp_path):
    rows = "".join(f"a;2026-11-20T{h:02d}:00Z;{h / 2};{h * 50 - 250}\n" for h in range(24))
    text = f"sensor;tid;temperatur;luftfuktighet\n{rows}a;2026-11-21T00:00Z;-200;-200\n"
    _, delivery = proposed(tmp_path, text)
    assert delivery["csv"]["nullMarkers"] == ["", "-200"]
    ordinary = "".join(f"a;2026-11-20T{h:02d}:00Z;{h * 50 - 250}\n" for h in range(24))
    ordinary = f"sensor;tid;luftfuktighet\n{ordinary}"
    _, delivery = proposed(tmp_path, ordinary + "a;2026-11-21T00:00Z;-200\n")
    assert "nullMarkers" not in delivery["csv"]


def test_rows_of_one_measurement_each_are_narrow(tmp_path):
    rows = "".join(
        f"s{s},2026-11-20T{h:02d}:00Z,{kind},{value},{unit}\n"
        for s in (1, 2) for h in range(3)
        for kind, value, unit in (("PM10", 10 + h, "µg/m³"), ("NO2", 20 + h, "µg/m³"))
    )  # fmt: skip
    proposal, delivery = proposed(tmp_path, f"station,time,parameter,value,unit\n{rows}")
    assert delivery["narrow"] == {"channel": "parameter", "value": "value", "unit": "unit"}
    assert delivery["device"] == {"column": "station"}
    names = [item["name"] for item in plain(proposal.document)["schema"][0]["properties"]]
    assert names == ["pm10", "no2"]
    assert "no two rows have the same device and time" in proposal.text


def test_repeated_keys_are_told(tmp_path):
    text = "station,time,pm10\n" + "a,2026-11-20T10:00Z,1\n" * 2 + "b,2026-11-20T10:00Z,2\n"
    proposal, _ = proposed(tmp_path, text)
    assert "1 of 3 rows repeat the device and time of another" in proposal.text


def test_columns_about_persons_are_named_where_it_is_asked(tmp_path):
    text = "station,time,pm10,kund\na,2026-11-20T10:00Z,1,x\nb,2026-11-20T10:00Z,2,y\n"
    proposal, _ = proposed(tmp_path, text)
    assert "even indirectly. Look at: kund." in " ".join(proposal.text.replace("#", " ").split())


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["speed_6005.csv", "speed_7578.csv"], r"speed_(\d+)"),
        (["2026-11-20_A1.csv", "2026-11-21_A1.csv"], None),
        (["2026-11-20_s_7.csv", "2026-11-21_s_8.csv"], r"s_(\d+)"),
        (["Building_1.csv"], None),
        (["prices_2021.csv", "prices_2022.csv"], None),
    ],
)
def test_file_names_tell_devices_but_dates_are_none(names, pattern):
    found = samples.file_pattern(names)
    assert found == pattern


def test_records_of_json_are_found_wherever_they_are(tmp_path):
    document = {
        "owner": {"name": "X"},
        "stations": [
            {"id": s, "readings": [{"at": f"2026-11-20T{h:02d}:00:00Z", "pm10": h + s / 2}
                                   for h in range(4)]}
            for s in (7, 8)
        ],
    }  # fmt: skip
    _, delivery = proposed(tmp_path, json.dumps(document), "sample.json")
    assert (delivery["format"], delivery["framing"]) == ("json", "document")
    assert delivery["records"] == "$.stations[*].readings[*]"
    assert delivery["device"] == {"column": "^.id"}
    assert delivery["time"] == {"columns": ["at"], "zone": "UTC"}
    parallel = {"hourly": {"time": ["2026-11-20T10:00Z", "2026-11-20T11:00Z"], "pm10": [1.5, 2]}}
    proposal, delivery = proposed(tmp_path, json.dumps(parallel), "parallel.json")
    assert delivery["records"] == "$.hourly.time[*]"
    assert delivery["time"]["columns"] == ["@"]
    assert "$.hourly.pm10[@key]" in proposal.text


def test_a_format_of_the_registry_is_recognised_without_a_line_here(tmp_path, monkeypatch):
    def read(connection, members, contract):
        text = members[0].path.read_text()
        if not text.startswith("!own"):
            raise DeliveryRefused
        row = """select 0 as _file, 1::bigint as _row, 'd' as device, 'pm10' as channel,
            timestamp '2026-11-20' as t, '5' as cell, 5.0 as value, 'ug/m3' as unit"""
        return Reading("select 0 as _file, 1::bigint as _row, '' as _raw", row)

    known = MappingProxyType({**FORMATS, "own": Format("Own", "a page", read)})
    monkeypatch.setattr(recognition, "FORMATS", known)
    proposal, delivery = proposed(tmp_path, "!own 5", "sample.txt")
    assert delivery["format"] == "own"
    assert "value: pm10" in proposal.text


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its bytes; a folder's time moves when a file in it comes or goes."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


METERS = "mätare;tid;kwh\n" + "".join(f"å;2026-11-{d:02d}T10:00Z;{d}\n" for d in range(1, 20))
UPLINKS = f"{uplink()}\n" * 30
RAGGED = METERS.replace("5\n", "5;odd\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("meters.csv", METERS.encode("latin-1")),
        ("meters.csv.gz", gzip.compress(METERS.encode("cp1252"))),
        ("meters [1]*.csv", METERS.encode("utf-16")),
        ("uplinks.ndjson", UPLINKS.encode("utf-8-sig")),
        ("ragged.csv", RAGGED.encode("latin-1")),
    ],
)
def test_the_folder_of_a_sample_is_left_as_it_was(tmp_path, name, content, monkeypatch):
    monkeypatch.setattr(recognition, "_TRIED_BYTES", 3000)
    folder = tmp_path / "sample"
    folder.mkdir()
    (folder / name).write_bytes(content)
    for path in (folder / name, folder):
        path.chmod(0o555)  # holds everyone but root, whom the comparison holds
    before = state(folder)
    proposal = propose(Wish(str(folder / name)), WORDS, tmp_path / "inbox")
    assert state(folder) == before
    assert ("DuckDB's sniffer" in proposal.text) == (name == "ragged.csv")


def test_a_long_file_of_lines_is_recognised_by_its_beginning(tmp_path, real_data, monkeypatch):
    uplink = next((real_data / "iot" / "lorawan-chirpstack").rglob("uplink/payload*.json"))
    line = json.dumps(json.loads(uplink.read_text("utf-8")))
    monkeypatch.setattr(recognition, "_TRIED_BYTES", 3 * len(line))
    proposal, delivery = proposed(tmp_path, f"{line}\n" * 50, "uplinks.ndjson")
    assert (delivery["format"], delivery["framing"]) == ("chirpstack_v4", "lines")
    assert "of 2 rows" in proposal.text


def test_words_that_are_not_in_the_vocabulary_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="nobody"):
        proposed(tmp_path, "", organisation="nobody")


def test_what_is_no_data_is_refused_with_its_kind(tmp_path):
    with pytest.raises(DeliveryRefused, match="web page"):
        proposed(tmp_path, "<html><body>404</body></html>")
    with pytest.raises(DeliveryRefused, match="SQLite"):
        proposed(tmp_path, b"SQLite format 3\x00" + bytes(100))
    with pytest.raises(DeliveryRefused, match="no such file"):
        propose(Wish(str(tmp_path / "nothing.csv")), WORDS, tmp_path)


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("DECIDE")
NODES = st.recursive(
    LEAVES | st.builds(Said, LEAVES, check=st.text(max_size=8), seen=st.just("x: y # z\x85a: 1")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc_ :#", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), NODES, min_size=1, max_size=3))
def test_remarks_change_nothing_of_what_a_contract_says(document):
    assert yaml.safe_load(as_yaml(document)) == plain(document)


def test_questions_are_found_again_with_line_and_key(tmp_path):
    document = {"a": [{"name": "pm10", "customProperties": [
        Said({"property": "unit", "value": "DECIDE"}, decide="which?", check="not this"),
    ]}], "b": {"c": ask("why? " + "word " * 40)}}  # fmt: skip
    path = tmp_path / "x.yaml"
    path.write_text(as_yaml(document), "utf-8")
    first, second = undecided(path)
    assert (first.key, first.question) == ("a.pm10.customProperties.unit", "which?")
    assert (second.key, second.question) == ("b.c", ("why? " + "word " * 40).strip())
    lines = path.read_text("utf-8").splitlines()
    assert all("DECIDE" in lines[one.line - 1] for one in (first, second))


def test_a_draft_keeps_nothing_from_running_and_is_not_run(tmp_path):
    folder = tmp_path / "contracts" / "sources"
    folder.mkdir(parents=True)
    text = "sensor,tid,humidity\na,2026-11-20 10:00,50\nb,2026-11-20 10:00,60\n"
    proposal, _ = proposed(tmp_path, text, source_id="fukt")
    path = folder / "fukt.yaml"
    path.write_text(proposal.text, "utf-8")
    contracts = load_contracts(tmp_path / "contracts")
    assert dict(contracts.sources) == {}
    with pytest.raises(ContractError, match="is a draft"):
        contracts.source("fukt")
    path.write_text(proposal.text.replace("status: draft", "status: active"), "utf-8")
    with pytest.raises(ContractError) as error:
        load_contracts(tmp_path / "contracts")
    assert len(error.value.problems) == len(undecided(path)) > 10
    assert {problem.what for problem in error.value.problems} == {"this is undecided"}
