"""What a release changed: counted by day, the same however the rows are ordered."""

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from rdflib import Literal, URIRef

from lakehouse.errors import LakeError
from publishing.catalogue import build_catalogue, open_releases
from publishing.catalogue.dcat import ADMS, DCAT, european, swedish
from publishing.catalogue.profile import check
from publishing.documents.changelog import changes_file, summary
from publishing.making import comparison
from publishing.making.release import release
from publishing.portal.site import build_site
from publishing.releases import changes
from publishing.releases.changes import ColumnChange, DayChanges
from publishing.releases.manifest import load_release
from tests.unit.publishing.lake import HOUR, PRODUCT, air_rows, keep_verdict, replace_gold

KEY = ("station_id", "hour_start")


@pytest.fixture
def released(settings, contracts):
    """Release rows, and say what changed: `released(rows, contracts)`."""

    def make(rows, known=contracts):
        version = replace_gold(settings, rows)
        keep_verdict(settings, known, version, len(rows))
        return release(settings, known, PRODUCT)

    return make


def with_product(contracts, version="2.0.0", **edits):
    """The contracts with the air product edited, as its owner would, under a new version."""
    product = contracts.products[PRODUCT]
    digest = f"{hash(repr(edits)) & (1 << 64) - 1:064x}"
    edited = replace(product, version=version, digest=digest, **edits)
    return replace(contracts, products={**contracts.products, PRODUCT: edited})


def by_hand(old, new, contract):
    """Changes by day, by another way than SQL: dictionaries of whole rows."""
    names = [column.name for column in contract.columns]
    sides = [{tuple(r[k] for k in KEY): [r[n] for n in names] for r in rows} for rows in (old, new)]
    before, after = sides
    counts = {what: Counter() for what in ("added", "changed", "removed")}
    for key in before.keys() | after.keys():
        day = key[1].date().isoformat()
        if key not in before:
            counts["added"][day] += 1
        elif key not in after:
            counts["removed"][day] += 1
        elif before[key] != after[key]:
            counts["changed"][day] += 1
    days = sorted({day for counter in counts.values() for day in counter})
    return tuple(DayChanges(day, *(counts[what][day] for what in counts)) for day in days)


def test_the_first_release_has_nothing_to_tell(released):
    first = released(air_rows())
    assert first.changes is None
    assert not [file for file in first.files if file.name.startswith("changes")]
    assert json.loads((first.folder / "manifest.json").read_text())["changes"] is None


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_counted_by_day_as_by_hand(released, contracts, seed):
    """Rows added, removed, changed, set to null and from null, at random."""
    chance = random.Random(seed)  # noqa: S311
    old = air_rows(200)
    new = [dict(row) for row in air_rows(240)]
    for row in chance.sample(new, 20):
        row[chance.choice(["no2_ug_m3", "district", "pm10_ug_m3"])] = None
    for row in chance.sample(new, 20):
        row["pm10_ug_m3"] = chance.random()
    for row in chance.sample(new, 15):
        new.remove(row)
    chance.shuffle(new)
    released(old)
    found = released(new).changes
    assert found.days == by_hand(old, new, contracts.products[PRODUCT])
    assert found.compared_by == KEY
    assert min(found.added, found.changed, found.removed) > 0


def test_a_comparison_that_ignores_values_or_days_is_caught(released, contracts, monkeypatch):
    """The control of the test above: two ways of comparing wrongly tell something else."""
    old, new = air_rows(96), [dict(row) for row in air_rows(100)]
    new[50]["no2_ug_m3"] = 1.0
    right = by_hand(old, new, contracts.products[PRODUCT])
    real = comparison._by_key
    wrong_ways = {
        "keys alone": lambda key, shared: real(key, key),
        "one key column": lambda key, shared: real(key[:1], shared),
    }
    released(old)
    for name, wrong in wrong_ways.items():
        with monkeypatch.context() as patch:
            patch.setattr(comparison, "_by_key", wrong)
            patch.setattr("os.rename", lambda *_: None)  # made, and not kept
            assert released(new).changes.days != right, name
    assert released(new).changes.days == right


def test_the_manifest_tells_it_and_the_release_before_stays(settings, released):
    first = released(air_rows(48))
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    rows = air_rows(50)
    rows[10]["no2_ug_m3"] = 5.0
    second = released(rows)
    told = json.loads((second.folder / "manifest.json").read_text())["changes"]
    assert told["supersedes"] == {"number": 1, "version": "1.0.0+1"}
    assert told["contract"] == {"before": "1.0.0", "after": "1.0.0"}
    assert told["rows"] == {"added": 2, "changed": 1, "removed": 0}
    assert (told["first_day"], told["last_day"]) == ("2026-03-01", "2026-03-02")
    assert load_release(settings, PRODUCT, 2).changes == second.changes
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == before
    assert {f"changes.{language}.md" for language in ("sv", "en")} <= {f.name for f in second.files}


def test_a_manifest_whose_sums_are_not_those_of_its_days_is_damaged(released):
    released(air_rows(48))
    second = released(air_rows(50))
    told = second.changes.as_json()
    assert changes.from_json(told) == second.changes
    told["rows"]["added"] = 3
    with pytest.raises(ValueError, match="not those of their days"):
        changes.from_json(told)


def test_a_release_made_before_changes_were_told_can_be_read(settings, released):
    first = released(air_rows(48))
    path = first.folder / "manifest.json"
    data = json.loads(path.read_text())
    del data["changes"]
    path.write_text(json.dumps(data))
    assert load_release(settings, PRODUCT, 1).changes is None
    assert released(air_rows(50)).changes.added == 2


def test_new_columns_and_units_are_told_and_change_no_row(released, contracts):
    columns = contracts.products[PRODUCT].columns
    fewer = tuple(column for column in columns if column.name != "district")
    other = tuple(
        replace(column, unit="mg/m3") if column.name == "no2_ug_m3" else column
        for column in columns
    )
    released(air_rows(), with_product(contracts, columns=fewer))
    found = released(air_rows(), with_product(contracts, "3.0.0", columns=other)).changes
    assert found.days == ()
    assert set(found.columns) == {
        ColumnChange("district", "added", None, "string"),
        ColumnChange("no2_ug_m3", "unit", "ug/m3", "mg/m3"),
    }
    assert summary(found).sv == (
        "Ersätter version 2.0.0+1. Inga rader har ändrats. Dataavtal 2.0.0 → 3.0.0. "
        "Kolumner: district: ny kolumn, text; no2_ug_m3: enheten var ug/m3, är mg/m3."
    )


def test_another_type_with_the_same_numbers_changes_no_row(released, contracts):
    columns = tuple(
        replace(column, logical_type="number") if column.name == "readings" else column
        for column in contracts.products[PRODUCT].columns
    )
    released(air_rows())
    found = released(air_rows(), with_product(contracts, columns=columns)).changes
    assert found.days == ()
    assert found.columns == (ColumnChange("readings", "type", "integer", "number"),)
    assert (found.contract_before, found.contract_after) == ("1.0.0", "2.0.0")


def test_without_a_common_key_whole_rows_are_compared(released, contracts):
    columns = tuple(
        replace(column, is_key=True) if column.name == "station_name" else column
        for column in contracts.products[PRODUCT].columns
    )
    rows = air_rows(48)
    rows[3]["no2_ug_m3"] = 4.0
    released(air_rows(48))
    found = released(rows, with_product(contracts, columns=columns)).changes
    assert found.compared_by == ()
    assert (found.added, found.changed, found.removed) == (1, 0, 1)
    assert ColumnChange("station_name", "key", "no", "yes") in found.columns


def test_a_key_that_comes_twice_does_not_multiply_rows(released):
    """The audit forbids it; a count must be right even so."""
    twice = [*air_rows(48), *air_rows(2)]
    released(air_rows(48))
    found = released(twice).changes
    assert (found.compared_by, found.added, found.removed) == ((), 2, 0)


def test_a_damaged_release_before_is_not_compared_with(released):
    first = released(air_rows(48))
    path = first.folder / f"{PRODUCT}.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(LakeError, match="not what was released"):
        released(air_rows(50))


def test_more_days_than_a_reader_wants_are_in_the_manifest(released):
    released(air_rows(48))
    later = [row | {"hour_start": HOUR + timedelta(days=100)} for row in air_rows(2)]
    rows = air_rows(48 * 80)
    second = released([*rows, *later])
    text = changes_file(second, "sv")
    assert text.count("\n| 2026-") == 60
    assert "Ytterligare 20 tidigare dygn står i `manifest.json`." in text
    assert len(second.changes.days) == 80


def test_page_card_and_catalogue_tell_what_changed(settings, contracts, released):
    released(air_rows(48))
    released(air_rows(50))
    folder = build_site(settings, contracts).folder
    page = (folder / "dataset" / PRODUCT / "index.html").read_text()
    section = page[page.index('id="andringar"') :]
    assert section.index("1.0.0+2") < section.index("1.0.0+1")
    assert section.count("Gällande") == section.count("Ersatt") == 1
    assert "Första utgåvan" in section
    assert (
        "Ersätter version 1.0.0+1. Rader: 2 tillagda"
        in (folder / "dataset" / PRODUCT / "card.sv.md").read_text()
    )
    catalogue = build_catalogue(settings, contracts, open_releases(settings, contracts))
    node = URIRef(catalogue.datasets[0].iri)
    for graph in (swedish(catalogue), european(catalogue)):
        assert graph.value(node, DCAT.version) == Literal("1.0.0+2")
        assert set(graph.objects(node, ADMS.versionNotes)) == {
            Literal(
                "Ersätter version 1.0.0+1. Rader: 2 tillagda, 0 ändrade, 0 borttagna (2026-03-02).",
                lang="sv",
            ),
            Literal(
                "Supersedes version 1.0.0+1. Rows: 2 added, 0 changed, 0 removed (2026-03-02).",
                lang="en",
            ),
        }
    assert check(swedish(catalogue)) == []
