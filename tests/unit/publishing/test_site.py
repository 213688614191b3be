"""The site: whole versions, working links, escaped text, only what is open."""

import hashlib
import json
import os
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import duckdb
import pytest
from rdflib import RDF, Graph

from lakehouse.errors import LakeError, ReleaseRefused
from publishing.catalogue.dcat import DCAT, SPDX
from publishing.catalogue.open_database import build_open_database, open_database, released_numbers
from publishing.catalogue.profile import check
from publishing.making.release import release
from publishing.portal import site as site_module
from publishing.portal.site import build_site, current_site
from tests.unit.publishing.lake import OTHER, PRODUCT, air_rows, keep_decision, release_both


@pytest.fixture
def released(settings, contracts):
    release_both(settings, contracts)


def closed(contracts, product=PRODUCT):
    contract = contracts.products[product]
    publication = contract.publication.model_copy(update={"audience": "internal"})
    products = {**contracts.products, product: replace(contract, publication=publication)}
    return replace(contracts, products=products)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += [value for name, value in attrs if name in ("href", "src")]


def links(page) -> Links:
    parser = Links()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_every_link_of_every_page_leads_somewhere(settings, contracts, released):
    folder = build_site(settings, contracts).folder
    pages = sorted(folder.rglob("*.html"))
    assert len(pages) == 3
    for page in pages:
        parsed = links(page)
        assert "script" not in parsed.tags
        for link in parsed.found:
            if not re.match(r"^(https?:|mailto:|#)", link):
                assert (page.parent / link).resolve().is_file(), (page, link)


def test_every_address_of_the_catalogue_is_a_file_of_that_size_and_sum(
    settings, contracts, released
):
    folder = build_site(settings, contracts).folder
    graph = Graph().parse(folder / "catalog.rdf", format="xml")
    assert check(graph) == []
    forms = list(graph.subjects(RDF.type, DCAT.Distribution))
    assert len(forms) == 4
    for form in forms:
        url = str(graph.value(form, DCAT.accessURL))
        content = (folder / url.removeprefix(f"{settings.base_url}/")).read_bytes()
        assert len(content) == int(graph.value(form, DCAT.byteSize))
        expected = str(graph.value(graph.value(form, SPDX.checksum), SPDX.checksumValue))
        assert hashlib.sha256(content).hexdigest() == expected
    for dataset in graph.subjects(RDF.type, DCAT.Dataset):
        page = str(graph.value(dataset, DCAT.landingPage))
        assert (folder / page.removeprefix(f"{settings.base_url}/")).is_file()


def test_a_dataset_page_tells_what_a_reader_needs(settings, contracts, released):
    folder = build_site(settings, contracts).folder
    page = (folder / "dataset" / PRODUCT / "index.html").read_text()
    for words in (
        '<html lang="sv">',
        "Hoppa till innehållet",
        "Luftkvalitet per timme",
        "Hourly air quality",
        "Miljöförvaltningen",
        "luft@miljo.stockholm.example",
        "CC0 1.0",
        "µg/m³",
        "2026-03-01 23:00 UTC",
        "48 rader",
        "MF-2026-0412",
        "Värdet får inte saknas.",
        "curl -O https://data.stockholm.example/files/luftkvalitet_timme/luftkvalitet_timme.csv",
        "1.0.0+1",
        "kan visa för högt i dimma",
    ):
        assert words in page, words
    assert page.count("<tr><td>se-") == 20


def test_building_again_changes_nothing(settings, contracts, released):
    first = build_site(settings, contracts)
    again = build_site(settings, contracts)
    assert (first.is_new, again.is_new) == (True, False)
    assert again == replace(first, is_new=False)
    assert [path.name for path in (settings.home / "sites").iterdir()] == ["0001"]


def test_a_failed_audit_keeps_the_last_good_release_on_the_site(
    settings, contracts, released, write_gold, audit
):
    before = build_site(settings, contracts)
    audit(write_gold(air_rows(50)), 50, reasons=("too many gaps",))
    with pytest.raises(ReleaseRefused):
        release(settings, contracts, PRODUCT)
    after = build_site(settings, contracts)
    assert not after.is_new
    assert after.releases == before.releases == {PRODUCT: 1, OTHER: 1}


def test_what_is_not_open_or_never_released_is_nowhere(settings, contracts, gold):
    release(settings, contracts, PRODUCT)
    shown = build_site(settings, contracts)
    assert shown.releases == {PRODUCT: 1}
    assert not any(OTHER.encode() in path.read_bytes() for path in shown.folder.rglob("*.rdf"))

    hidden = build_site(settings, closed(contracts))
    assert hidden.is_new
    assert hidden.releases == {}
    assert released_numbers(open_database(settings)) == {}
    assert sorted(path.name for path in hidden.folder.iterdir()) == [
        "build.json",
        "index.html",
        "llms.txt",
        "style.css",
    ]
    assert "Ingen datamängd är publicerad ännu" in (hidden.folder / "index.html").read_text()


def test_a_release_made_while_closed_stays_closed_when_the_contract_opens(
    settings, contracts, gold
):
    keep_decision(settings, closed(contracts), gold)
    made = release(settings, closed(contracts), PRODUCT)
    assert "knowledge.jsonl" not in {file.name for file in made.files}
    assert build_site(settings, contracts).releases == {}


@pytest.mark.parametrize(
    "change", [{"valid_until": "2026-11-27"}, {"decided_on": "2199-01-01"}, None], ids=str
)
def test_a_product_whose_decision_does_not_hold_is_shown_no_more(
    settings, contracts, released, change, monkeypatch
):
    """It has run out, does not hold yet, or its file was deleted; the other product stays."""
    monkeypatch.setattr("publishing.catalogue.city_today", lambda: date(2026, 11, 28))
    assert build_site(settings, contracts).releases == {PRODUCT: 1, OTHER: 1}
    made = contracts.approval(PRODUCT)
    left = (made.model_copy(update=change),) if change else ()
    ended = replace(contracts, approvals=dict(contracts.approvals) | {PRODUCT: left})
    assert build_site(settings, ended).releases == {OTHER: 1}
    assert released_numbers(open_database(settings)) == {OTHER: 1}


def test_a_decision_holds_through_its_last_day(settings, contracts, released, monkeypatch):
    made = contracts.approval(PRODUCT).model_copy(update={"valid_until": "2026-11-28"})
    ended = replace(contracts, approvals=dict(contracts.approvals) | {PRODUCT: (made,)})
    for day, shown in ((date(2026, 11, 28), 2), (date(2026, 11, 29), 1)):
        monkeypatch.setattr("publishing.catalogue.city_today", lambda day=day: day)
        assert len(build_site(settings, ended).releases) == shown


def test_a_catalogue_that_breaks_the_profile_is_not_shown(
    settings, contracts, released, monkeypatch
):
    shown = build_site(settings, contracts)
    graph = Graph()
    monkeypatch.setattr(site_module, "swedish", lambda catalogue: graph)
    with pytest.raises(ReleaseRefused, match=r"there is no dcat:Catalog"):
        build_site(settings, contracts)
    assert current_site(settings) == replace(shown, is_new=False)


def test_a_damaged_release_is_not_shown(settings, contracts, released):
    path = settings.releases / PRODUCT / "0001" / f"{PRODUCT}.csv"
    path.write_bytes(path.read_bytes().replace(b"10.5", b"11.5", 1))
    with pytest.raises(LakeError, match="not what was released"):
        build_site(settings, contracts)
    assert current_site(settings) is None


def test_old_builds_are_forgotten_but_three(settings, contracts, released, write_gold, audit):
    for rows in range(50, 60, 2):
        audit(write_gold(air_rows(rows)), rows)
        release(settings, contracts, PRODUCT)
        build_site(settings, contracts)
    kept = sorted(path.name for path in (settings.home / "sites").iterdir())
    assert kept == ["0003", "0004", "0005"]
    assert os.readlink(settings.site) == "sites/0005"
    page = (settings.site / "dataset" / PRODUCT / "index.html").read_text()
    assert "1.0.0+6" in page
    assert "1.0.0+1" in page


def test_an_interrupted_build_leaves_the_current_site(
    settings, contracts, released, write_gold, audit, monkeypatch
):
    shown = build_site(settings, contracts)
    audit(write_gold(air_rows(50)), 50)
    release(settings, contracts, PRODUCT)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("_add_files", "_flush_tree", "_point"):
        with monkeypatch.context() as patch:
            patch.setattr(site_module, name, killed)
            with pytest.raises(KeyboardInterrupt):
                build_site(settings, contracts)
        assert current_site(settings) == replace(shown, is_new=False)
    assert build_site(settings, contracts).releases[PRODUCT] == 2


def test_hostile_text_is_shown_as_text(settings, contracts, write_gold, audit):
    name = "<script>alert(1)</script>\u200b\x1b[31m'\"><img src=x onerror=alert(1)>"
    audit(write_gold(air_rows(4, name)), 4)
    release(settings, contracts, PRODUCT)
    folder = build_site(settings, contracts).folder
    for page in folder.rglob("*.html"):
        parsed = links(page)
        text = page.read_text()
        assert "script" not in parsed.tags
        assert "x" not in parsed.found
        assert "\u200b" not in text
        assert "\x1b" not in text
    assert (
        "&lt;script&gt;alert(1)&lt;/script&gt;"
        in (folder / "dataset" / PRODUCT / "index.html").read_text()
    )


def test_the_open_database_holds_the_released_rows_with_comments(settings, contracts, released):
    path = build_open_database(settings, contracts)
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'main'"
        ).fetchall()
        assert sorted(tables) == [(OTHER,), (PRODUCT,)]
        assert connection.execute(f"select count(*) from {PRODUCT}").fetchone() == (48,)
        comment = connection.execute(
            "select comment from duckdb_columns() where column_name = 'pm10_ug_m3'"
        ).fetchone()
    assert comment is not None
    assert "Partiklar PM10 / Particulate matter PM10 [µg/m³]" in comment[0]


def test_the_open_database_is_replaced_only_for_new_releases(
    settings, contracts, released, write_gold, audit
):
    path = build_open_database(settings, contracts)
    before = path.stat().st_ino
    assert build_open_database(settings, contracts).stat().st_ino == before
    audit(write_gold(air_rows(50)), 50)
    release(settings, contracts, PRODUCT)
    with duckdb.connect(str(path), read_only=True) as reader:
        build_open_database(settings, contracts)
        assert reader.execute(f"select count(*) from {PRODUCT}").fetchone() == (48,)
    assert released_numbers(path) == {PRODUCT: 2, OTHER: 1}


def test_knowledge_and_cards_stand_on_their_own(settings, contracts, released):
    folder = build_site(settings, contracts).folder
    lines = (folder / "files" / PRODUCT / "knowledge.jsonl").read_text().splitlines()
    pieces = [json.loads(line) for line in lines]
    assert {piece["lang"] for piece in pieces} == {"sv", "en"}
    assert len({piece["id"] for piece in pieces}) == len(pieces)
    for piece in pieces:
        assert piece["classification"] == "open"
        assert piece["citation"]["version"] == "1.0.0+1"
        assert PRODUCT in piece["text"]
        assert piece["sha256"] == hashlib.sha256(piece["text"].encode()).hexdigest()
    card = (folder / "dataset" / PRODUCT / "card.sv.md").read_text()
    headings = re.findall(r"^## (.+)$", card, flags=re.MULTILINE)
    assert headings == [
        "Sammanfattning",
        "Ansvarig och kontakt",
        "Insamling",
        "Period och omfattning",
        "Kolumner och enheter",
        "Kvalitet",
        "Kända begränsningar",
        "Bearbetning och ursprung",
        "Personuppgifter och klassning",
        "Licens och hänvisning",
        "Versioner",
        "Lämplig användning",
    ]
    llms = (folder / "llms.txt").read_text()
    assert llms.startswith("# Open data about Stockholm\n\n> ")
    assert f"https://data.stockholm.example/dataset/{PRODUCT}/card.en.md" in llms
