"""Whatever is planted in a clean table is found and counted, and told without being repeated."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date

import pytest

from lakehouse.duck import connect, identifier, literal
from quality.disclosure import scan
from quality.disclosure.kinds import KINDS
from tests.unit.quality.identities import COORDINATION, IMEI, PERSON, person_digits, written

CLEAN = """
select
    'sensor-' || lpad((i % 40)::varchar, 4, '0') as sensor_id,
    'Hornsgatan ' || (i % 40) as station_name,
    strftime(timestamp '2026-03-01' + to_minutes(i), '%Y-%m-%dT%H:%M:%S+01:00') as hour_local,
    18.05 + i / 1e6 as reading,
    i as readings,
    sha256(i::varchar) as delivery
from range(1000) t(i)
"""
PROSE = "Hyresgästen i trappan ringde om elementet och bad att någon kommer {} på morgonen"


@pytest.fixture(scope="module")
def duck():
    with connect(extensions=()) as connection:
        yield connection


def planted(texts, column="note", rows=1):
    """The clean table with another column that holds these texts, each in so many rows."""
    values = ", ".join(f"({index}, {literal(text)})" for index, text in enumerate(texts))
    if not texts:
        values = "(-1, '')"
    return (
        f"select c.*, coalesce(p.v, case when c.readings % 3 = 0 then 'ok' end) "
        f"as {identifier(column)} from ({CLEAN}) c "
        f"left join (values {values}) p(n, v) on c.readings // {rows} = p.n"
    )


def found(scanned):
    return [(hit.column, hit.kind, hit.count, hit.rows) for hit in scanned.hits]


def test_a_clean_table_has_no_hits(duck):
    scanned = scan(duck, CLEAN, least_m=100)
    assert scanned.hits == scanned.doubtful == scanned.accepted == ()
    assert scanned.rows_scanned == 1000
    assert len(scanned.columns_scanned) == 6
    assert found(scan(duck, planted([]))) == []


PLANTED = [
    *(("personnummer", text) for text in written(PERSON)),
    *(("samordningsnummer", text) for text in written(COORDINATION)),
    ("personnummer", f"Anmält av {PERSON[2:8]}-{PERSON[8:]}, ring"),
    ("email", "anna.testsson@hem.example"),
    ("email", "Skriv till <x+y@sub.exempel.se>."),
    ("phone", "+46 70 174 06 05"),
    ("phone", "+46701740605"),
    ("phone", "0046-70-1740605"),
    ("phone", "0046701740605"),
    ("phone", "+46 (0)8 465 004 04"),
    ("phone", "070-174 06 05"),
    ("phone", "070-1740605"),
    ("phone", "0701740605"),
    ("phone", "070 174 06 05"),
    ("phone", "08-465 004 04"),
    ("phone", "Ring (08) 465 004 04 efter tre"),
    ("phone", "031-390 06 05"),
    ("phone", "0520-12 34 56"),
    ("vehicle_plate", "ABC 123"),
    ("vehicle_plate", "ABC 12D"),
    ("vehicle_plate", "Bilen ABC123 står kvar"),
    ("vehicle_plate", "reg.nr abc12d"),
    ("person_name", "Anna Testsson"),
    ("person_name", "Ansvarig: Karl-Erik B Testsson"),
    ("dwelling", "Testgatan 12 lgh 1101"),
    ("dwelling", "lägenhetsnummer 1203"),
    ("dwelling", "Stockholm Testberget 1:12"),
    ("mac_address", "00:1b:63:84:45:e6"),
    ("mac_address", "00-1B-63-84-45-E6"),
    ("mac_address", "ap 001b.6384.45e6 uppe"),
    ("ip_address", "192.0.2.17"),
    ("ip_address", "från 2001:db8::8a2e:370:7334 igår"),
    ("imei", IMEI),
    ("imei", f"IMEI {IMEI[:2]}-{IMEI[2:8]}-{IMEI[8:14]}-{IMEI[14]}"),
]


@pytest.mark.parametrize(("kind", "text"), PLANTED)
@pytest.mark.parametrize("rows", [1, 7])
def test_one_planted_value_is_found_and_counted(duck, kind, text, rows):
    assert found(scan(duck, planted([text], rows=rows))) == [("note", kind, 1, rows)]


def test_nothing_of_what_was_found_is_told(duck):
    texts = [text for _, text in PLANTED]
    scanned = scan(duck, planted(texts, rows=3), accepted={"note": {"email"}})
    kinds = {hit.kind for hit in (*scanned.hits, *scanned.accepted)}
    assert kinds == {kind for kind, _ in PLANTED}
    told = [repr(scanned), str(scanned), json.dumps(asdict(scanned), ensure_ascii=False)]
    pieces = {text[start : start + 4] for text in texts for start in range(len(text) - 3)}
    own = json.dumps(asdict(scan(duck, planted([]))), ensure_ascii=False)
    digits = {one for one in pieces if one == one.strip() and sum(map(str.isdigit, one)) > 1}
    assert len(digits) > 50
    for telling in told:
        assert not [text for text in texts if text in telling]
        assert not [piece for piece in digits if piece in telling and piece not in own]
    assert all("note" in telling for telling in told)


def test_a_column_of_persons_is_counted_by_value_and_row(duck):
    people = [person_digits(date(1950 + n % 50, 1 + n % 12, 1 + n % 28), 980 + n % 20)
              for n in range(100)]  # fmt: skip
    assert len(set(people)) == 100
    assert found(scan(duck, planted(people, rows=10))) == [("note", "personnummer", 100, 1000)]


@pytest.mark.parametrize("kind", ["bigint", "double", "decimal(12, 0)", "hugeint"])
def test_a_number_of_a_person_is_found_as_a_number(duck, kind):
    young = person_digits(date(2003, 5, 6))[2:]  # begins with 0, which a number loses
    for digits in (PERSON, PERSON[2:], COORDINATION[2:], young):
        query = f"select case when readings < 5 then {digits}::{kind} end as code from ({CLEAN})"
        ((_, told, count, rows),) = found(scan(duck, query))
        assert told == ("samordningsnummer" if digits == COORDINATION[2:] else "personnummer")
        assert (count, rows) == (1, 5)


def test_lists_and_structures_are_read_too(duck):
    query = f"select {{'who': [{literal(PERSON)}, 'x']}} as nested, ['a@b.example'] as mails"
    assert [hit.kind for hit in scan(duck, query).hits] == ["personnummer", "email"]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("namn", "person_name"),
        ("name", "person_name"),
        ("förnamn", "person_name"),
        ("lastName", "person_name"),
        ("kund_namn", "person_name"),
        ("contact_person_name", "person_name"),
        ("person", "person_name"),
        ("person_id", "personal_id"),
        ("födelsedatum", "personal_id"),
        ("registreringsnummer", "vehicle_plate"),
        ("license_plate", "vehicle_plate"),
        ("lägenhetsnummer", "dwelling"),
        ("fastighetsbeteckning", "dwelling"),
        ("wifi_mac", "mac_address"),
        ("ip_address", "ip_address"),
        ("telefon", "phone"),
        ("e_post", "email"),
    ],
)
def test_a_column_is_told_by_its_name_whatever_it_holds(duck, column, kind):
    query = f"select case when i > 2 then 'x' || i % 5 else ' ' end as {identifier(column)} " \
        "from range(100) t(i)"  # fmt: skip
    assert found(scan(duck, query)) == [(column, kind, 5, 97)]
    empty = f"select null::varchar as {identifier(column)} from range(100)"
    assert scan(duck, empty).hits == ()


def test_a_label_tells_what_a_name_hides(duck, contracts):
    column = contracts.product("luftkvalitet_timme").columns[0]
    label = column.label.model_copy(update={"sv": "Förarens förnamn"})
    query = "select 'x' as c7"
    assert scan(duck, query).hits == ()
    assert found(scan(duck, query, [replace(column, name="c7", label=label)])) == [
        ("c7", "person_name", 1, 1)
    ]


def test_free_text_is_found(duck):
    texts = [PROSE.format(f"den {n}") for n in range(150)]
    assert found(scan(duck, planted(texts))) == [("note", "free_text", 150, 150)]
    # The same sentence over and over is a status, not somebody's words.
    assert found(scan(duck, planted(texts[:3], rows=100))) == []


def test_a_long_text_is_read_to_its_end(duck):
    for before in (3990, 4000, 4090, 50_000):
        text = "x" * before + f" {PERSON}"
        assert ("note", "personnummer", 1, 2) in found(scan(duck, planted([text], rows=2)))


def test_meters_at_addresses_are_found(duck):
    homes = [f"Testvägen {n}" for n in range(1, 40)]
    query = f"select n as number, v as place_name, 'm-' || n as {{}} from " \
        f"(select unnest({homes}) as v, generate_subscripts({homes}, 1) as n)"  # fmt: skip
    assert found(scan(duck, query.format("meter_id"))) == [("place_name", "dwelling_meter", 39, 39)]
    assert scan(duck, query.format("station_id")).hits == ()


@pytest.mark.parametrize("least_m", [100, 250, 500])
def test_places_finer_than_allowed_are_found(duck, least_m):
    exact = "select 18.05 + i * 0.000137 as longitude, 59.3 + i * 0.0000713 as latitude " \
        "from range(1, 200) t(i)"  # fmt: skip
    (east, north) = scan(duck, exact, least_m=least_m).hits
    assert (east.kind, north.kind) == ("precise_place", "precise_place")
    assert min(east.rows, north.rows) > 150
    assert scan(duck, exact).hits == ()  # not asked
    texts = f"select longitude::varchar as longitude, latitude::varchar as latitude from ({exact})"
    assert scan(duck, texts, least_m=least_m).hits == (east, north)


@pytest.mark.parametrize(("least_m", "size"), [(100, 100), (100, 250), (250, 500), (330, 330)])
def test_middles_of_squares_are_coarse(duck, least_m, size):
    """As dbt/macros/place.sql makes them."""
    exact = "select 17.9 + i * 0.00137 as lon, 59.2 + i * 0.000713 as lat from range(300) t(i)"
    metres = {"longitude": ("lon", "(111320 * cos(radians(59.33)))"), "latitude": ("lat", "111320")}
    squares = ", ".join(
        f"round((floor({value} * {per} / {size}) + 0.5) * {size} / {per}, 6) as {name}"
        for name, (value, per) in metres.items()
    )
    rounded = "round(lon, 1) as longitude, round(lat, 2) as latitude"
    for told in (squares, rounded):
        assert scan(duck, f"select {told} from ({exact})", least_m=least_m).hits == ()
    finer = scan(duck, f"select {squares} from ({exact})", least_m=size * 20).hits
    assert [hit.kind for hit in finer] == ["precise_place", "precise_place"]


def test_a_width_is_above_nothing(duck):
    with pytest.raises(ValueError, match="above 0"):
        scan(duck, CLEAN, least_m=0)


def test_what_is_accepted_is_told_and_stops_nothing(duck):
    query = planted(["trafik@stad.example", PERSON])
    accepted = scan(duck, query, accepted={"note": {"email"}, "station_name": {"personnummer"}})
    assert found(accepted) == [("note", "personnummer", 1, 1)]
    assert [(hit.column, hit.kind, hit.rows) for hit in accepted.accepted] == [("note", "email", 1)]


def test_the_order_is_that_of_columns_and_kinds(duck):
    both = f"select {literal(IMEI)} as b, {literal(PERSON + ' a@b.example')} as a"
    first = scan(duck, both)
    assert [(hit.column, hit.kind) for hit in first.hits] == [
        ("b", "imei"), ("a", "personnummer"), ("a", "email")
    ]  # fmt: skip
    assert scan(duck, both) == first
    order = [KINDS.index(hit.kind) for hit in scan(duck, planted([t for _, t in PLANTED])).hits]
    assert order == sorted(order)


def test_a_released_file_is_read_as_a_table_is(duck, tmp_path):
    target = tmp_path / "released"
    query = planted([PERSON, "a@b.example"])
    duck.execute(f"copy ({query}) to {literal(target)} (format parquet)")
    parquet = scan(duck, f"select * from read_parquet({literal(target)})")
    duck.execute(f"copy ({query}) to {literal(target)} (format csv, header)")
    csv = scan(duck, f"select * from read_csv({literal(target)}, all_varchar=true)")
    assert parquet.hits == csv.hits == scan(duck, query).hits
    assert len(csv.hits) == 2


def test_a_column_with_very_many_values_is_read_the_other_way_and_says_the_same(duck, monkeypatch):
    query = planted([text for _, text in PLANTED], rows=5)
    usual = scan(duck, query)
    monkeypatch.setattr("quality.disclosure.scanning._MANY", 0)
    assert scan(duck, query) == usual
