"""XML of any shape, read by paths as a stream."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from defusedxml import ElementTree

from ingestion.formats import xml_paths
from lakehouse.errors import ContractError, DeliveryRefused
from tests.unit.ingestion.lake import column

DELIVERY = {
    "protocol": "folder",
    "format": "xml",
    "records": "stations/station",
    "time": {"columns": ["at"], "zone": "UTC"},
    "device": {"column": "@id"},
}
COLUMNS = [column("v", "active_power", "kW")]
AT = "2026-10-19T10:00:00Z"


@pytest.fixture
def read(lake):
    def judged(content: str | bytes, columns=COLUMNS, **changes):
        contract = lake.source(columns=columns, delivery=DELIVERY | changes)
        return lake.judged(contract, lake.deliver("a.xml", content))

    return judged


def station(inner: str, name: str = "a") -> str:
    return f'<station id="{name}"><at>{AT}</at>{inner}</station>'


def document(*stations: str, head: str = "") -> str:
    return f"<r>{head}<stations>{''.join(stations)}</stations></r>"


def test_cells_of_every_kind(read):
    rows = read(
        document(
            station("<v> 1.50 </v>"),
            station("<v/>"),
            station(""),
            station("<v><![CDATA[2]]></v><!-- v --><w>3</w>"),
            station("<v>1</v><v>2</v>"),
            station("<v><x>1</x></v>"),
            station("<v>NaN</v>"),
            '<station id="b"><v>1</v></station>',
        )
    )
    assert [(row["_row"], row["cell"], row["rule"]) for row in rows] == [
        (1, "1.50", None),
        (2, None, "empty_value"),
        (3, None, "empty_value"),
        (4, "2", None),
        (5, None, "layout"),
        (6, None, "layout"),
        (7, "NaN", "value_not_finite"),
        (8, "1", "time_missing"),
    ]
    assert rows[4]["reason"] == "there are 2 of 'v'; pick one with [1]"
    assert rows[5]["reason"] == "'v' holds elements, not a plain value"


def test_paths_out_of_the_record(read):
    content = f"""<p:log xmlns:p="urn:x" made="{AT}"><p:site xml:id="s1"><p:name>Söder</p:name>
        <p:v p:kind="a">1</p:v><p:v>2</p:v></p:site><p:site xml:id="s2"><p:v>3</p:v></p:site>
        <p:end>late</p:end></p:log>"""
    rows = read(
        content,
        [
            column("v", "active_power", "kW", delivered_as="."),
            column("end", kind="string", delivered_as="/log/end"),
            column("name", kind="string", delivered_as="../name"),
        ],
        records="/log/site/v",
        time={"columns": ["/log/@made"], "zone": "UTC"},
        device={"column": "../@id"},
    )
    assert [(row["device"], row["value"], row["t"].hour) for row in rows] == [
        ("s1", 1, 10),
        ("s1", 2, 10),
        ("s2", 3, 10),
    ]


def test_one_of_several(read):
    columns = [column("v", "active_power", "kW", delivered_as="v[2]")]
    rows = read(document(station("<v>1</v><v>2</v>"), station("<v>1</v>")), columns)
    assert [row["cell"] for row in rows] == ["2", None]


def test_time_of_receipt_and_declared_encoding(read):
    content = (
        '<?xml version="1.0" encoding="iso-8859-1"?><stations><station id="å"><v>1</v>'
        "</station></stations>"
    ).encode("latin-1")
    (row,) = read(content, time={"columns": ["@received"], "zone": "UTC"})
    assert (row["device"], str(row["t"])) == ("å", "2027-01-01 00:00:00")


BOMB = "<!DOCTYPE r [" + "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 10}">' for n in range(10)
) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE r [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>',
        BOMB,
        "<!DOCTYPE r>",
    ],
)
def test_document_types_are_refused(read, declared):
    begun = time.monotonic()
    with pytest.raises(DeliveryRefused, match="a document type or entities"):
        read(declared + document(station("<v>&e;</v>" if "e " in declared else "<v>&e9;</v>")))
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "content",
    [
        document(station("<v>1</v>"))[:-3],
        document(station("<v>1</v>")) + "<r/>",
        "{}",
        "<r>&x;</r>",
        b"<r>\xff</r>",
        b'<?xml version="1.0" encoding="martian"?><r/>',
        b"\x00\x01\x02",
    ],
)
def test_what_is_not_well_formed_is_refused(read, content):
    with pytest.raises(DeliveryRefused, match="the XML is not well-formed"):
        read(content)


def test_deep_nesting_is_refused_quickly(read):
    begun = time.monotonic()
    with pytest.raises(DeliveryRefused, match="nested more than 200 deep"):
        read("<a>" * 100_000 + "</a>" * 100_000)
    assert time.monotonic() - begun < 5


def test_record_inside_a_record(read):
    rows = read(
        f'<stations><station id="a"><stations>{station("")}</stations></station></stations>'
    )
    assert rows[0]["reason"] == "a record stands inside a record"


@pytest.mark.parametrize("path", ["a/b]", "a[x]", "a/..", "@", "/a[1]/b"])
def test_what_is_no_path_is_said(path):
    with pytest.raises(ContractError, match="is no path"):
        xml_paths.parse(path, "here")


def test_contract_must_name_the_records(read):
    with pytest.raises(ContractError, match="XML needs the path"):
        read(document(), records=None)


def test_memory_does_not_grow_with_the_document(lake):
    def peak(count: int) -> int:
        path = lake.deliver("a.xml", document(*[station("<v>1</v>")] * count, head="<x/>" * count))
        contract = lake.source(columns=COLUMNS, delivery=DELIVERY)
        member = xml_paths.Member(0, lake.land(path), None, path)
        tracemalloc.start()
        rows = sum(1 for _ in xml_paths._rows([member], contract))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert rows == count
        return most

    assert peak(20_000) < 1.5 * peak(5000)


@pytest.mark.parametrize(
    ("city", "records", "time_path", "device", "vacant"),
    [
        ("stuttgart", "parkingFacilityTableStatusPublication/parkingFacilityStatus",
         "parkingFacilityStatusTime", "parkingFacilityReference/@id",
         "totalNumberOfVacantParkingSpaces"),
        ("aachen", "parkingStatusPublication/parkingRecordStatus", "parkingStatusOriginTime",
         "parkingRecordReference/@id", "parkingOccupancy/parkingNumberOfVacantSpaces"),
    ],
)  # fmt: skip
def test_real_datex_value_by_value(lake, real_data, city, records, time_path, device, vacant):
    file = real_data / "opendata" / "parking" / f"{city}-realtime.xml"
    contract = lake.source(
        columns=[column("vacant", "air_temperature", "Cel", delivered_as=vacant)],
        delivery=DELIVERY
        | {
            "records": records,
            "time": {"columns": [time_path], "zone": "UTC"},
            "device": {"column": device},
        },
    )
    rows = lake.judged(contract, lake.deliver("a.xml", file.read_bytes()))

    space = "{http://datex2.eu/schema/2/2_0}"
    parent, name = (space + part for part in records.split("/"))
    told = []
    for outer in ElementTree.parse(file).getroot().iter(parent):
        for record in outer.findall(name):
            found = record.find(device.partition("/")[0].join((space, "")))
            number = record.find("/".join(space + part for part in vacant.split("/")))
            told.append((found.get("id"), None if number is None else float(number.text)))
    assert len(told) > 10
    assert [(row["device"], row["value"]) for row in rows] == told
    assert len(rows) == len(told)
