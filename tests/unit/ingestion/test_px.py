"""Tables of statistics in PC-Axis files."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from math import prod

import pytest

from ingestion.deliveries import Member
from ingestion.formats import px
from lakehouse.errors import ContractError, DeliveryRefused
from tests.unit.ingestion.lake import column

DELIVERY = {
    "protocol": "folder",
    "format": "px",
    "time": {"columns": ["tid"], "zone": "Europe/Stockholm"},
}
COLUMNS = [column("folk", "uplink_payload", "1", delivered_as="Folkmängd")]

TABLE = """CHARSET="ANSI";
AXIS-VERSION="2013";
CODEPAGE="iso-8859-1";
LANGUAGE="sv";
MATRIX="T1";
CONTENTS="Folkmängd";
CONTENTS[en]="Population";
UNITS="antal";
STUB="region","kön";
HEADING="tid";
VALUES("region")="Ökna; by","Heby";
VALUES[en]("region")="Okna","Heby";
VALUES("kön")="män","kvin"
"nor";
VALUES("tid")="2023","2024";
TIMEVAL("tid")=TLIST(A1),"2023","2024";
CODES("region")="01","02";
LAST-UPDATED="20250221 08:00";
NOTE="A note; that goes
over lines.";
DATA=
1 2
".." 4.50
"-" -6
"." 8;
"""


@pytest.fixture
def read(lake):
    def judged(content: str | bytes, columns=COLUMNS, encoding="cp1252", **changes):
        contract = lake.source(columns=columns, delivery=DELIVERY | changes)
        content = content.encode(encoding) if isinstance(content, str) else content
        return lake.judged(contract, lake.deliver("a.px", content))

    return judged


def told(rows) -> list[tuple]:
    return [(row["device"], row["t"].year + 1, row["cell"], row["quality_code"]) for row in rows]


def test_figures_with_their_values(read):
    rows = read(TABLE)
    assert told(rows) == [
        ("region=01;kön=män", 2023, "1", None),
        ("region=01;kön=män", 2024, "2", None),
        ("region=01;kön=kvinnor", 2023, None, ".."),
        ("region=01;kön=kvinnor", 2024, "4.50", None),
        ("region=02;kön=män", 2023, "0", "-"),
        ("region=02;kön=män", 2024, "-6", None),
        ("region=02;kön=kvinnor", 2023, None, "."),
        ("region=02;kön=kvinnor", 2024, "8", None),
    ]
    assert [row["quality"] for row in rows if row["cell"] is None] == ["bad", "bad"]
    assert {row["quality"] for row in rows if row["cell"]} == {"good"}
    assert {row["verdict"] for row in rows} == {"sound"}
    assert {row["channel"] for row in rows} == {"folk"}
    # A year in Stockholm begins at 23:00 UTC.
    assert (str(rows[0]["t"]), str(rows[0]["t_end"])) == (
        "2022-12-31 23:00:00",
        "2023-12-31 23:00:00",
    )
    assert json.loads(rows[2]["attributes"]) == {
        "region": "Ökna; by",
        "kön": "kvinnor",
        "updated": "20250221 08:00",
    }


def test_keys_name_the_rows_that_there_are(read):
    keyed = TABLE.replace("DATA=", 'KEYS("region")=CODES;\nKEYS("kön")=VALUES;\nDATA=')
    keyed = keyed[: keyed.index("DATA=")] + 'DATA=\n"02","kvinnor",1 "-" \n"01","män",3 4;'
    assert told(read(keyed)) == [
        ("region=02;kön=kvinnor", 2023, "1", None),
        ("region=02;kön=kvinnor", 2024, "0", "-"),
        ("region=01;kön=män", 2023, "3", None),
        ("region=01;kön=män", 2024, "4", None),
    ]
    with pytest.raises(DeliveryRefused, match='has the key "09", which is no value'):
        read(keyed.replace('"02"', '"09"').replace('"01","09"', '"01","02"'))
    with pytest.raises(DeliveryRefused, match="the last of 2 rows with keys is not whole"):
        read(keyed.replace("3 4;", "3;"))


@pytest.mark.parametrize(
    ("charset", "encoding", "device"),
    [
        ('CHARSET="ANSI";\nCODEPAGE="iso-8859-1";', "latin-1", "kön"),
        ('CHARSET="ANSI";\nCODEPAGE="utf-8";', "utf-8", "kön"),
        ('CHARSET="ANSI";', "cp1252", "kön"),
        ("", "cp850", "kön"),
        ("", "utf-8-sig", "kön"),
    ],
)
def test_character_set_is_the_files_own(read, charset, encoding, device):
    content = re.sub(r"^CHARSET.*\n|^CODEPAGE.*\n", "", TABLE, flags=re.MULTILINE)
    rows = read(charset + "\n" + content, encoding=encoding)
    assert rows[0]["device"] == f"region=01;{device}=män"


@pytest.mark.parametrize(
    ("timeval", "starts"),
    [
        ('TLIST(M1),"202311","202312"', ["2023-11-01", "2023-12-01", "2024-01-01"]),
        ('TLIST(Q1),"20234","20241"', ["2023-10-01", "2024-01-01", "2024-04-01"]),
        ('TLIST(H1),"20232","20241"', ["2023-07-01", "2024-01-01", "2024-07-01"]),
        ('TLIST(W1),"202352","202401"', ["2023-12-25", "2024-01-01", "2024-01-08"]),
        ('TLIST(D1),"20240228","20240229"', ["2024-02-28", "2024-02-29", "2024-03-01"]),
        ('TLIST(A1,"2023"-"2024")', ["2023-01-01", "2024-01-01", "2025-01-01"]),
        ('TLIST(M1,"202312"-"202401")', ["2023-12-01", "2024-01-01", "2024-02-01"]),
        ('TLIST(K),"2023K4","2024K1"', ["2023-10-01", "2024-01-01", "2024-04-01"]),
    ],
)
def test_periods(read, timeval, starts):
    rows = read(
        re.sub(r"TLIST.*?;", f"{timeval};", TABLE), time={"columns": ["tid"], "zone": "UTC"}
    )
    found = [
        str(row[at])[:10] for row, at in ((rows[0], "t"), (rows[0], "t_end"), (rows[1], "t_end"))
    ]
    assert found == starts
    assert rows[1]["t"] == rows[0]["t_end"]


def test_period_that_is_none(read):
    plain = re.sub(r"TIMEVAL.*\n", "", TABLE).replace('"2023","2024"', '"2023","i fjol"')
    rows = read(plain)
    assert [row["rule"] for row in rows] == [None, "time_unreadable"] * 4
    assert "the time 'i fjol' cannot be read" in rows[1]["reason"]


def test_contents_variable_is_the_channel(read):
    counted = (
        TABLE.replace('STUB="region","kön";', 'STUB="region","kön";\nCONTVARIABLE="kön";')
        .replace('UNITS="antal";', 'UNITS="?";\nUNITS("män")="antal";\nUNITS("kvinnor")="kg";')
    )  # fmt: skip
    columns = [
        column("m", "uplink_payload", "1", delivered_as="män"),
        column("k", "uplink_payload", "1", delivered_as="kvinnor"),
    ]
    rows = read(counted, columns)
    assert [(row["device"], row["channel"], row["rule"]) for row in rows[::2]] == [
        ("region=01", "m", None),
        ("region=01", "k", "unit_differs"),
        ("region=02", "m", None),
        ("region=02", "k", "unit_differs"),
    ]


def test_table_without_a_time_is_refused(read):
    with pytest.raises(DeliveryRefused, match=r"which dimension is the time.*region, kön, tid"):
        read(re.sub(r"TIMEVAL.*\n", "", TABLE), time={"columns": ["år"], "zone": "UTC"})
    assert read(TABLE, time={"columns": ["år"], "zone": "UTC"})[0]["t"].year == 2023
    with pytest.raises(ContractError, match="needs its time dimension"):
        read(TABLE, time=None)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("8;\n", "8", "its last figure may be only a part"),
        ("8;", ";", "the table has 8 cells, the file 7"),
        ("DATA=", "DATUM=", "no keyword DATA"),
        ('"01","02"', '"01"', "'region' has 2 VALUES but 1 in CODES"),
        ('"01","02"', '"01","01"', "a code of 'region' stands twice"),
        ('VALUES("tid")', 'VALUES("tad")', "the variable 'tid' has no VALUES"),
        ('"Heby";\nVALUES[', '"He"by";\nVALUES[', "this part of the file cannot be read: VALUES"),
        ("iso-8859-1", "ebcdic-martian", "the character set 'ebcdic-martian' is unknown"),
    ],
)
def test_what_contradicts_itself_is_refused(read, old, new, reason):
    with pytest.raises(DeliveryRefused, match=re.escape(reason)):
        read(TABLE.replace(old, new, 1))


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"\x00\xff" * 500, b"DATA=;"])
def test_what_is_no_table_is_refused(read, content):
    with pytest.raises(DeliveryRefused):
        read(content or b" ")


def test_damaged_note_is_named_and_the_figures_are_read(read):
    rows = read(TABLE.replace('"A note; that goes\nover lines."', '"A "note"'))
    assert len(rows) == 9
    broken = [row for row in rows if row["rule"]]
    assert [(row["rule"], row["reason"]) for row in broken] == [
        ("layout", "the keyword NOTE cannot be read; its quotes do not pair")
    ]


def plain_figures(text: str) -> list[str]:
    """The figures of a file without KEYS, read the simplest way."""
    return text.rpartition("DATA=")[2].replace(";", " ").replace('"', " ").split()


def real_files(real_data) -> list:
    folders = (real_data / "opendata" / "scb-px", real_data / "messy" / "scb-px-faulty")
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.name.lower().endswith((".px", ".px.gz"))
    )


def test_all_real_files_figure_by_figure(lake, real_data):
    refused, faults, read = {}, Counter(), 0
    for path in real_files(real_data):
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        plain = lake.deliver("a.px", content)
        try:
            cube = px._cube(Member(0, lake.land(plain), None, plain))
        except DeliveryRefused as error:
            refused[path.name] = error.problems[0].what
            continue
        text = content.decode("cp1252")
        sizes = {
            name: value.count('","') + len(re.findall(r'",\s+"', value)) + value.endswith(",") + 1
            for name, value in re.findall(r'^VALUES\("([^"]*)"\)=(.*?);\s*$', text, re.M | re.S)
        }
        assert {d.name: len(d.codes) for d in cube.dimensions} == sizes, path
        assert len(cube.figures) == prod(sizes.values()), path
        assert [figure.mark or figure.cell for figure in cube.figures] == plain_figures(text), path
        faults.update("quotes" if "quotes" in why else why.split()[0] for _, why in cube.faults)
        read += len(cube.figures)
    assert refused == {"BE0101F1errorTimeval.px": "'period' has 1 VALUES but 2 in TIMEVAL"}
    assert read > 150_000
    assert faults == {
        "quotes": 7, "ELIMINATION": 2, "CELLNOTE": 1, "DOMAIN": 1, "DOUBLECOLUMN": 1,
        "LAST-UPDATED": 1, "NOTE": 1, "PRECISION": 1,
    }  # fmt: skip


def test_real_price_index_month_by_month(lake, real_data):
    path = real_data / "opendata" / "scb-px" / "Month" / "PR0101B3.px"
    contract = lake.source(
        columns=[column("kpi", "uplink_payload", "1", delivered_as=CPI)],
        delivery=DELIVERY | {"time": {"columns": ["period"], "zone": "Europe/Stockholm"}},
    )
    rows = lake.judged(contract, lake.deliver("a.px", path.read_bytes()))
    assert {row["verdict"] for row in rows} == {"sound"}
    first, second, *_, last = rows
    assert (first["device"], str(first["t"]), first["cell"]) == (
        "Product group=01", "2006-09-30 22:00:00", "240.25",
    )  # fmt: skip
    assert (str(second["t"]), str(second["t_end"])) == (
        "2006-10-31 23:00:00", "2006-11-30 23:00:00",
    )  # fmt: skip
    assert (last["device"], str(last["t"]), last["cell"]) == (
        "Product group=01.2", "2008-11-30 23:00:00", "182.84",
    )  # fmt: skip


CPI = "Consumer Price Index (CPI) (by COICOP), 1980=100"
