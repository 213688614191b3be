"""C6: documents that reach for files and networks, or that are deeper than any stack.

What they reach for is a canary: a file whose words may stand nowhere, a listener that nobody may
call. That they would reach it says the first test, with the parser of the standard library.
"""

from __future__ import annotations

import io
import json
import socket
import time
import xml.sax
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.handler import feature_external_ges

import openpyxl
import pytest

from ingestion.formats import FORMATS
from lakehouse.errors import DeliveryRefused
from tests.unit.ingestion.http_server import canary
from tests.unit.ingestion.lake import CSV, METER, column

SECRET = "canary-7d1f"  # noqa: S105 - a word to be looked for
XML = {
    "protocol": "folder",
    "format": "xml",
    "framing": "document",
    "records": "r",
    "time": {"columns": ["@received"], "zone": "UTC"},
    "device": {"constant": "a"},
}


@dataclass(frozen=True)
class Canaries:
    """What must not be touched."""

    file: Path
    address: str
    calls: object

    def payloads(self) -> dict[str, str]:
        """The part before the root element, by what it reaches for."""
        return {
            "file": f'<!DOCTYPE d [<!ENTITY e SYSTEM "{self.file.as_uri()}">]>',
            "network": f'<!DOCTYPE d [<!ENTITY e SYSTEM "{self.address}e">]>',
            "dtd": f'<!DOCTYPE d SYSTEM "{self.address}d.dtd" [<!ENTITY e "x">]>',
            "parameter": f'<!DOCTYPE d [<!ENTITY % p SYSTEM "{self.address}p"> %p;<!ENTITY e "">]>',
        }


@pytest.fixture
def canaries(tmp_path) -> Iterator[Canaries]:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    with canary() as state:
        yield Canaries(secret, f"http://127.0.0.1:{state()[0]}/", state)


WHATEVER = ["file", "network", "dtd", "parameter"]


@pytest.mark.parametrize("what", WHATEVER)
def test_a_trusting_parser_reaches_for_them(canaries, what):
    """The control: without a guard each of the payloads does what it is made for."""
    found: list[str] = []
    handler = xml.sax.ContentHandler()
    handler.characters = found.append
    parser = xml.sax.make_parser()  # noqa: S317 - what must not be done
    parser.setFeature(feature_external_ges, True)
    parser.setContentHandler(handler)
    before, waits = socket.getdefaulttimeout(), 0.5
    socket.setdefaulttimeout(waits)  # the canary never answers
    try:
        text = f"<?xml version='1.0'?>{canaries.payloads()[what]}<d><r>&e;</r></d>"
        if what == "file":
            parser.parse(io.StringIO(text))
        else:
            with pytest.raises((OSError, xml.sax.SAXException)):
                parser.parse(io.StringIO(text))
    finally:
        socket.setdefaulttimeout(before)
    assert (SECRET in "".join(found)) is (what == "file")
    assert (canaries.calls()[1] > 0) is (what != "file")


@pytest.mark.parametrize("what", WHATEVER)
def test_xml_reaches_for_nothing(lake, canaries, what):
    contract = lake.source(columns=[column("v", "active_power", "kW")], delivery=XML)
    lake.deliver("a.xml", f"{canaries.payloads()[what]}<d><r><v>&e;</v></r></d>")
    (receipt,) = lake.ingest(contract).receipts
    assert receipt.outcome == "refused"
    assert lake.bronze() == []
    (row,) = lake.quarantine()
    assert "a document type or entities" in row["reason"]
    assert canaries.calls()[1] == 0
    assert SECRET not in everything_written(lake)


def everything_written(lake) -> str:
    """What stands in the lake, but for the landing zone's bytes as delivered."""
    files = [
        path for path in lake.settings.home.rglob("*")
        if path.is_file() and not path.is_relative_to(lake.settings.landing)
    ]  # fmt: skip
    assert files
    return " ".join(path.read_bytes().decode("latin-1") for path in files)


BOMB = "<!DOCTYPE d [" + "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 10}">' for n in range(10)
) + '<!ENTITY e "&e9;">]>'  # fmt: skip


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"])
@pytest.mark.parametrize("what", [*WHATEVER, "laughs"])
def test_the_xml_in_a_workbook_reaches_for_nothing(lake, canaries, what, part):
    """What is declared is never used: the cell says an entity, and there is none."""
    book, whole = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["meter", "time", "kwh"])
    book.active.append(["ENTITY", "2026-10-19T10:00:00", 1])
    book.save(whole)
    spoiled = io.BytesIO()
    declared = (canaries.payloads() | {"laughs": BOMB})[what]
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(spoiled, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode().replace("ENTITY", "&e;" if name == part else "&amp;")
            if name == part:
                head, mark, rest = text.rpartition("?>")
                text = head + mark + declared + rest
            new.writestr(name, text)
    contract = lake.source(delivery=CSV | {"format": "excel"})
    begun = time.process_time()
    try:
        rows = lake.judged(contract, lake.deliver("a.xlsx", spoiled.getvalue()))
    except DeliveryRefused as refusal:
        rows = [{"reason": str(refusal)}]
    assert time.process_time() - begun < 5
    assert canaries.calls()[1] == 0
    assert SECRET not in str(rows)
    assert len(str(rows)) < 5000


OF_JSON = sorted(set(FORMATS) - {"csv", "xml", "parquet", "excel", "ignition_history", "gtfs", "px",
                                 "aveva_history", "sql_rows", "influx_line_protocol"})  # fmt: skip
DEEP = {
    "lists": "[" * 100_000 + "]" * 100_000,
    "objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "unclosed": "[" * 100_000,
    "inside": '{"value": ' + "[" * 100_000 + "]" * 100_000 + "}",
}


@pytest.mark.parametrize("framing", ["lines", "document"])
@pytest.mark.parametrize("format_", OF_JSON)
def test_json_deeper_than_any_stack(lake, format_, framing):
    """One reason for each document, in seconds, and the process lives."""
    rules = {"protocol": "folder", "format": format_, "framing": framing}
    if format_ in ("json", "geojson", "json_stat2", "pxweb_v1"):
        rules |= {"time": CSV["time"], "device": CSV["device"]}
    contract = lake.source(delivery=rules, columns=METER)
    begun = time.process_time()
    for name, text in DEEP.items():
        path = lake.deliver(f"{name}.json", text)
        try:
            rows = lake.judged(contract, path)
        except DeliveryRefused as refusal:
            rows = [{"verdict": "broken", "reason": str(refusal)}]
        assert {row["verdict"] for row in rows} == {"broken"}, name
        assert all(row["reason"] and len(row["reason"]) < 2000 for row in rows), name
    assert time.process_time() - begun < 4 * 5


def test_python_alone_cannot_read_them():
    """The control: each is deeper than the parser that every program has."""
    for text in DEEP.values():
        with pytest.raises((RecursionError, json.JSONDecodeError)):
            json.loads(text)
