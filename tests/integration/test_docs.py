"""The guides are run: what they show must be what happens."""

import re
from pathlib import Path
from subprocess import CompletedProcess
from types import MappingProxyType, ModuleType

import pytest

from ingestion import ingest_source
from ingestion import source as taking
from ingestion.batches import batch
from ingestion.formats import FORMATS, Format
from lakehouse import tables
from lakehouse.contracts import load_contracts, load_source
from lakehouse.duck import connect, delta_scan
from lakehouse.settings import PROJECT, Settings
from tests.sjostad import sjostad

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


def test_a_sample_becomes_the_contract_that_the_guide_shows(tmp_path):
    """The commands of the section are run as they stand; what it shows is what they print."""
    section = _page().partition("## With a sample")[2].partition("\n## ")[0]
    init, check = re.findall(r"```sh\n(.*?)\n```", section, re.S)
    first, second = re.findall(r"```console\n(.*?)```", section, re.S)
    contracts = tmp_path / "contracts"
    (contracts / "sources").mkdir(parents=True)
    (tmp_path / "vagvader_2026-11-20.csv").write_text(block("add_a_source.md", "csv"), "utf-8")

    done = _sjostad(init, tmp_path, contracts)

    assert done.returncode == 0, done.stderr
    _require_lines(first, done.stdout)
    path = contracts / "sources" / "trafikkontoret" / "trafik_vagvader.yaml"
    proposed = path.read_text("utf-8")
    (excerpt,) = re.findall(r"```text\n(.*?)```", section, re.S)
    assert excerpt in proposed
    assert {"# DECIDE:", "# check:", "# seen:"} <= set(re.findall(r"# \w+:", proposed))
    again = _sjostad(init, tmp_path, contracts)
    assert (again.returncode, path.read_text("utf-8")) == (2, proposed)
    assert "there already" in again.stderr

    undecided = _sjostad(check, tmp_path, contracts)
    assert undecided.returncode == 2
    assert "cannot be tried" in undecided.stdout
    answers = {"observedProperty, value": "air_temperature", "unit, value": "Cel",
               "zone": "Europe/Stockholm", "fold": "refuse"}  # fmt: skip
    for key, answer in answers.items():
        proposed = proposed.replace(f"{key}: DECIDE", f"{key}: {answer}")
    path.write_text(proposed, "utf-8")
    tried = _sjostad(check, tmp_path, contracts)
    assert tried.returncode == 1  # who owns it is still open
    _require_lines(second, tried.stdout)
    assert not list(tmp_path.rglob("_delta_log"))
    assert list(load_contracts(contracts).sources) == []


def _sjostad(command: str, folder: Path, contracts: Path) -> CompletedProcess[str]:
    """Run a command of the guide where its sample lies."""
    words = command.split()
    assert words[0] == "sjostad"
    return sjostad(folder / "home", *words[1:], cwd=folder, SJOSTAD_CONTRACTS=str(contracts))


def _require_lines(shown: str, printed: str) -> None:
    """Every line that a page shows is printed, whatever the blanks between its words."""
    lines = [" ".join(line.strip(" •").split()) for line in printed.splitlines()]
    for line in filter(None, (" ".join(one.split()) for one in shown.splitlines())):
        assert any(found.startswith(line) for found in lines), line


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
