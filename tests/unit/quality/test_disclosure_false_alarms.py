"""What only looks like a person does not stop a release: a scan that cries wolf is turned off."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from lakehouse.contracts import load_contracts
from lakehouse.duck import connect, identifier, literal
from lakehouse.settings import PROJECT
from quality.disclosure import scan
from quality.disclosure.checksums import check_digit
from tests.unit.quality.identities import PERSON, person_digits

CITY = load_contracts(PROJECT / "contracts")
OPEN_DATA = load_contracts(PROJECT / "examples" / "open_data")
PRODUCTS = [*CITY.products.values(), *OPEN_DATA.products.values()]
THINGS = [(source.id, thing) for each in (CITY, OPEN_DATA) for source in each.sources.values()
          for thing in source.things]  # fmt: skip
PLAIN = {
    "date": "date '2026-03-01' + (i // 24)::int",
    "timestamp": "timestamptz '2026-03-01 00:00:00+00' + to_hours(i::int)",
    "number": "i * 1.37",
    "integer": "1000000 + i * 7919",
    "boolean": "i % 3 = 0",
}
LOCAL = "strftime(timestamp '2026-03-01' + to_hours(i::int), '%Y-%m-%dT%H:%M:%S+01:00')"


@pytest.fixture(scope="module")
def duck():
    with connect(extensions=()) as connection:
        yield connection


def texts_of(column):
    """Plausible texts of a column, from what the contracts say of the city."""
    name = column.name
    if name.endswith("_id") or name == "berth":
        return [f"{source}/{thing.device}" for source, thing in THINGS]
    if name.endswith("_name") or name == "zone":
        return [thing.name for _, thing in THINGS]
    if name in ("street", "district", "care_area"):
        return sorted({getattr(thing, "street" if name == "street" else "district") or ""
                       for _, thing in THINGS})  # fmt: skip
    if name == "source_reference":
        return ["Luftkvalitetsförordning (2010:477); direktiv 2008/50/EG, bilaga XI"]
    return ["ok", "mkn_no2_hour_200", "Luftkvalitet_2026", "kW.h", "no_start", "", "pm2_5"]


def rows_of(product):
    told = []
    for column in product.columns:
        if column.name.endswith("_local"):
            value = LOCAL
        elif column.name == "delivery":
            value = "sha256((i // 50)::varchar)"
        elif column.logical_type == "string":
            texts = texts_of(column)
            value = f"({texts})[1 + i % {len(texts)}]"
        else:
            value = PLAIN[column.logical_type]
        told.append(f"{value} as {identifier(column.name)}")
    return f"select {', '.join(told)} from range(5000) t(i)"


@pytest.mark.parametrize(
    "product", PRODUCTS, ids=lambda product: product.path.parent.parent.name + "-" + product.id
)
def test_the_products_raise_no_alarm(duck, product):
    scanned = scan(duck, rows_of(product), product.columns)
    assert scanned.hits == ()
    # The places of all sources stand here, among them stations named for an address.
    assert {hit.kind for hit in scanned.doubtful} <= {"dwelling_meter"}
    assert set(scanned.columns_scanned) == {column.name for column in product.columns}
    bare = scan(duck, rows_of(product))  # a file without its contract
    assert bare.hits == ()


def test_the_things_of_the_city_were_there():
    assert len(PRODUCTS) > 10
    assert len(THINGS) > 80


ORDINARY = {
    "sha-256": "sha256(i::varchar)",
    "md5": "md5(i::varchar)",
    "half of a hash": "left(md5(i::varchar), 12)",
    "UUID": "md5(i::varchar)::uuid::varchar",
    "UUID of digits": "'18900117-1234-4123-8123-' || lpad((i * 7919)::varchar, 12, '0')",
    "DevEUI": "upper(left(md5(i::varchar), 16))",
    "DevEUI of digits": "lpad((i * 104729)::varchar, 16, '7')",
    "DevEUI with colons": r"rtrim(regexp_replace(md5(i::varchar)[:16], '(..)', '\1:', 'g'), ':')",
    "sensor": "'sensor-' || lpad(i::varchar, 4, '0')",
    "lock": "'LAS-' || i",
    "lamp": "'streetlight:stockholm:GOT-' || lpad((i % 1000)::varchar, 3, '0')",
    "lamp alone": "'GOT-' || lpad((i % 1000)::varchar, 3, '0')",
    "lamp with a space": "'GOT ' || lpad((i % 1000)::varchar, 3, '0')",
    "quay": "'KAJ ' || (100 + i % 900)",
    "instant": "strftime(timestamp '2026-03-01' + to_minutes(i * 7), '%Y-%m-%dT%H:%M:%SZ')",
    "local": LOCAL,
    "plain instant": "strftime(timestamp '2026-03-01' + to_minutes(i * 7), '%Y-%m-%d %H:%M:%S.%f')",
    "basic instant": "strftime(timestamp '2026-03-01' + to_minutes(i * 7), '%Y%m%dT%H%M%S+0100')",
    "hour": "strftime(timestamp '2026-03-01' + to_hours(i::int), '%Y%m%d%H%M')",
    "hour apart": "strftime(timestamp '2026-03-01' + to_hours(i::int), '%Y%m%d %H%M')",
    "clock": "'Uppdaterad ' || strftime(timestamp '2026-03-01' + to_minutes(i::int), '%H:%M')",
    "seconds": "(1711000000 + i * 900)::varchar",
    "milliseconds": "((1772323200 + i * 60) * 1000)::varchar",
    "decimals": "(59.3 + i / 7)::varchar || '34567890'",
    "place": "'POINT (' || 18 + i / 7919 || ' ' || 59 + i / 7919 || ')'",
    "street": "(['Sveavägen', 'Torkel Knutssonsgatan', 'Kungsgatan'])[1 + i % 3] || ' ' || i",
    "law": "'Lag (20' || lpad((i % 25)::varchar, 2, '0') || ':' || i || ')'",
    "meter": "'7359991' || lpad((i * 7919)::varchar, 11, '0')",
    "urn": "'urn:ngsi-ld:TrafficFlowObserved:Stockholm:SVEA-N' || i",
    "share": "(i % 100) || ' %'",
    "quarter": "'kvartal ' || (1 + i % 4) || ' 2026'",
    "path": "'bronze/2026-03-01/08-15-00/del-0' || i || '.csv'",
}  # fmt: skip


@pytest.mark.parametrize("ordinary", ORDINARY.values(), ids=ORDINARY)
@pytest.mark.parametrize("rows", [3, 5000])
def test_ordinary_values_raise_no_alarm(duck, ordinary, rows):
    query = f"select {ordinary} as code from range({rows}) t(i)"
    assert scan(duck, query).hits == ()


def test_digits_of_a_person_within_another_identity_are_nobody(duck):
    late = "130530-010" + check_digit("130530010")
    wholes = [
        f"550e8400-e29b-41d4-a716-{PERSON}",
        f"urn:uuid:550e8400-e29b-41d4-a716-{PERSON}",
        f"dev/a8{PERSON}c1",
        f"20260301T{late[:6]}+{late[7:]}",
    ]
    for text in wholes:
        assert scan(duck, f"select {literal(text)} as code").hits == ()
    assert scan(duck, f"select {literal(late)} as code").hits != ()


def test_organisations_raise_no_alarm_and_a_person_among_them_does(duck):
    numbers = [f"55{20 + n % 80}{n * 7919 % 100_000:05}" for n in range(300)]
    numbers = [number + check_digit(number) for number in numbers]
    for way in (numbers, [f"{number[:6]}-{number[6:]}" for number in numbers]):
        assert scan(duck, f"select unnest({way}) as organisation").hits == ()
        trader = PERSON[2:] if way is numbers else f"{PERSON[2:8]}-{PERSON[8:]}"
        (hit,) = scan(duck, f"select unnest({[*way, trader]}) as organisation").hits
        assert (hit.kind, hit.rows) == ("personnummer", 1)


SERIES = "select {} as serial from range(20000) t(i)"
TEN = "(1000000000 + (i * 2654435761) % 8999999999)"


@pytest.mark.parametrize("written", [f"{TEN}::varchar", TEN])
def test_a_series_of_ten_digits_raises_no_alarm(duck, written):
    """Must-fail control: without the check digit hundreds of its numbers would be persons."""
    series = SERIES.format(written)
    pattern = r"[0-9]{2}(0[1-9]|1[0-2])([06][1-9]|[1278][0-9]|[39][01])[0-9]{4}"
    (loose,) = duck.execute(
        f"select count(*) from ({series}) where regexp_full_match(serial::varchar, '{pattern}')"
    ).fetchone()
    assert loose > 500
    scanned = scan(duck, series)
    assert scanned.hits == ()
    doubtful = sum(hit.rows for hit in scanned.doubtful)
    assert 0 < doubtful < loose / 5  # a tenth, told but stopping nothing


def test_more_persons_in_a_series_than_chance_gives_are_an_alarm(duck):
    people = [person_digits(date(1950 + n % 50, 1 + n % 12, 1 + n % 28), 980 + n % 20)[2:]
              for n in range(150)]  # fmt: skip
    query = f"{SERIES.format(f'{TEN}::varchar')} union all select unnest({people})"
    kinds = {hit.kind for hit in scan(duck, query).hits}
    assert "personnummer" in kinds


def test_a_register_of_vehicles_is_told_from_a_series_of_codes(duck):
    letters = "ABCDEFGHJKLMNOPRSTUWXYZ"
    plate = " || ".join(f"substr('{letters}', 1 + (hash(i + {n}) % 23)::int, 1)" for n in range(3))
    numbers = "lpad((i % 1000)::varchar, 3, '0') as code from range(2000) t(i)"
    register = f"select {plate} || {numbers}"
    (hit,) = scan(duck, register).hits
    assert (hit.kind, hit.rows) == ("vehicle_plate", 2000)
    scanned = scan(duck, f"select 'LMN' || {numbers}")
    assert scanned.hits == ()
    assert [hit.kind for hit in scanned.doubtful] == ["vehicle_plate"]


@pytest.mark.parametrize(
    "name",
    ["station_name", "organisation_name", "name_sv", "name_en", "limit_name_sv", "place_name",
     "dataset_name", "filename", "hostname", "personbilar", "person_count", "antal_personer",
     "username_count", "vehicle_type", "platform", "macro", "ship", "machine", "radius_meter"],
)  # fmt: skip
def test_names_of_things_raise_no_alarm(duck, name):
    query = f"select 'Sveavägen ' || i as {identifier(name)}, 'Götgatan ' || i as place " \
        "from range(50) t(i)"  # fmt: skip
    assert scan(duck, query).hits == ()


def test_a_version_is_no_address(duck):
    query = "select '1.2.' || i || '.4' as firmware_version from range(50) t(i)"
    assert scan(duck, query).hits == ()
    assert scan(duck, query.replace("firmware_version", "host")).hits[0].kind == "ip_address"


def test_a_measured_number_is_no_person(duck):
    product = CITY.product("portal_anvandning_dygn")
    sent = f"select {PERSON[2:]} as bytes from range(30)"
    assert scan(duck, sent, product.columns).hits == ()
    assert scan(duck, sent).hits[0].kind == "personnummer"


def test_no_error_repeats_a_value(duck):
    """The scan casts with care: DuckDB's own errors tell the value they could not read."""
    with pytest.raises(duckdb.Error, match="hemligt"):
        duck.execute("select cast('hemligt' as double)").fetchall()
    query = f"select 'hemligt' as longitude, {literal(PERSON)} as latitude"
    assert {hit.kind for hit in scan(duck, query, least_m=100).hits} >= {"personnummer"}
