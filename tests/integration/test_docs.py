"""The guides are run: what they show must be what happens."""

import re
from pathlib import Path
from types import MappingProxyType, ModuleType

import pytest

from ingestion import batch, ingest_source
from ingestion import source as taking
from ingestion.formats import FORMATS, Format
from lakehouse import tables
from lakehouse.contracts import load_contracts, load_source
from lakehouse.duck import connect, delta_scan
from lakehouse.settings import PROJECT, Settings

DOCS = PROJECT / "docs"


def block(page: str, language: str) -> str:
    """The one fenced block of a language on a page."""
    found = re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.S)
    assert len(found) == 1, f"{page} should hold one {language} block"
    return found[0]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({}, home=tmp_path / "home", inbox=tmp_path / "inbox")


def rows(address: Path, columns: str, order: str) -> list[tuple]:
    with connect() as connection:
        query = f"select {columns} from {delta_scan(address)} order by {order}"
        return connection.execute(query).fetchall()


def test_add_a_source_lands_what_the_guide_says(settings, tmp_path):
    contract = tmp_path / "trafik_vagvader.yaml"
    contract.write_text(block("add_a_source.md", "yaml"), "utf-8")
    inbox = settings.inbox / "trafik_vagvader"
    inbox.mkdir(parents=True)
    (inbox / "vagvader_2026-11-20.csv").write_text(block("add_a_source.md", "csv"), "utf-8")

    outcome = ingest_source(settings, load_source(contract))

    ledger = outcome.ledger
    assert (ledger.records, ledger.rows_in, ledger.landed, ledger.quarantined) == (6, 6, 4, 2)
    told = re.search(r"(\d) records, (\d) rows in, (\d) landed, (\d) quarantined", _page())
    assert told is not None
    assert tuple(map(int, told.groups())) == (6, 6, 4, 2)
    quarantined = rows(tables.quarantine(settings, "trafik_vagvader"), "_row, rule, reason", "_row")
    listed = re.findall(r"^\| (\d+) \| (\w+) \| (.+?) \|$", _page(), re.M)
    assert [(str(row), rule, reason) for row, rule, reason in quarantined] == listed
    bronze = rows(
        tables.bronze(settings, "trafik_vagvader"),
        "device, strftime(phenomenon_time, '%H:%M'), value, quality",
        "_row",
    )
    assert bronze == [
        ("V001", "23:00", -1.5, "good"),
        ("V001", "23:30", -1.8, "good"),
        ("V002", "23:00", 0.2, "good"),
        ("V001", "00:00", -2.1, "uncertain"),
    ]


def test_the_guides_source_uses_only_words_of_the_vocabulary(tmp_path):
    folder = tmp_path / "contracts" / "sources"
    folder.mkdir(parents=True)
    (folder / "trafik_vagvader.yaml").write_text(block("add_a_source.md", "yaml"), "utf-8")
    assert list(load_contracts(tmp_path / "contracts").sources) == ["trafik_vagvader"]


def test_add_a_format_reads_what_the_guide_says(settings, tmp_path, monkeypatch):
    module = ModuleType("key_value")
    exec(block("add_a_format.md", "python"), module.__dict__)  # noqa: S102 - the guide's own code
    key_value = Format("Pairs", "docs/add_a_format.md", module.read)
    known = MappingProxyType({**FORMATS, "key_value": key_value})
    for reader in (batch, taking):
        monkeypatch.setattr(reader, "FORMATS", known)
    text = block("add_a_source.md", "yaml").replace(
        "format: csv\n      csv:", "format: key_value\n      csv:"
    )
    contract = tmp_path / "trafik_vagvader.yaml"
    contract.write_text(text, "utf-8")
    inbox = settings.inbox / "trafik_vagvader"
    inbox.mkdir(parents=True)
    lines = "t=1763596800;dev=V001;Vägtemp=-1.5\nt=1763598600;dev=V001;Vägtemp=x\n"
    (inbox / "pairs.csv").write_text(lines, "utf-8")

    outcome = ingest_source(settings, load_source(contract))

    assert (outcome.ledger.landed, outcome.ledger.quarantined) == (1, 1)
    assert rows(tables.bronze(settings, "trafik_vagvader"), "device, channel, value", "_row") == [
        ("V001", "road_temperature", -1.5)
    ]


def test_every_page_the_readme_names_exists():
    readme = (PROJECT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        if not target.startswith("http"):
            assert (PROJECT / target).exists(), target


def test_every_test_the_docs_point_to_exists():
    known = {path.name for path in (PROJECT / "tests").rglob("test_*.py")}
    for page in DOCS.rglob("*.md"):
        for target in re.findall(r"`(tests/[^`]*|test_\w+\.py)`", page.read_text("utf-8")):
            there = (PROJECT / target).exists() if "/" in target else target in known
            assert there, f"{page.name}: {target}"


def _page() -> str:
    return (DOCS / "add_a_source.md").read_text("utf-8")
