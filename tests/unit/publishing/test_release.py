"""Releases: only what was audited, all of it, the same every time."""

import csv
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse import delta, tables
from lakehouse.errors import LakeError, ReleaseRefused
from publishing.making import release as release_module
from publishing.making.release import release
from publishing.releases.manifest import (
    MANIFEST,
    from_manifest,
    load_release,
    newest_release,
    releases,
)
from tests.unit.publishing.lake import PRODUCT, air_rows


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def in_key_order() -> list[dict[str, object]]:
    return sorted(air_rows(), key=lambda row: (row["station_id"], row["hour_start"]))


def test_the_files_hold_the_audited_rows_in_contract_order(settings, contracts, gold):
    made = release(settings, contracts, PRODUCT)
    names = [column.name for column in contracts.product(PRODUCT).columns]
    parquet = pq.read_table(made.folder / f"{PRODUCT}.parquet")
    expected = [{name: row[name] for name in names} for row in in_key_order()]

    assert made.is_new
    assert made.number == 1
    assert parquet.column_names == names
    assert parquet.to_pylist() == expected
    assert str(parquet.schema.field("hour_start").type) == "timestamp[us, tz=UTC]"
    assert made.rows == 48
    assert {file.rows for file in made.files if file.rows is not None} == {48}


def test_the_csv_says_the_same_as_the_parquet(settings, contracts, gold):
    made = release(settings, contracts, PRODUCT)
    raw = (made.folder / f"{PRODUCT}.csv").read_bytes()
    assert raw.count(b"\r\n") == 49
    assert b'"Sveav\xc3\xa4gen, ""59"""' in raw
    with (made.folder / f"{PRODUCT}.csv").open(encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file))
    for text, row in zip(told, in_key_order(), strict=True):
        instant = datetime.fromisoformat(text["hour_start"])
        assert text["hour_start"].endswith("Z")
        assert instant.astimezone(UTC) == row["hour_start"]
        assert text["station_name"] == row["station_name"]
        pm10 = float(text["pm10_ug_m3"]) if text["pm10_ug_m3"] else None
        assert pm10 == row["pm10_ug_m3"]
        assert float(text["pm2_5_ug_m3"]) == row["pm2_5_ug_m3"]
    assert "secret_note" not in told[0]


def test_texts_that_break_careless_csv_survive(settings, contracts, write_gold, audit):
    nasty = ["a\r\nb", 'quo"te', "", " spaces ", "NULL", "=1+1", "a,b;c", "'", "# hej"]
    rows = air_rows(len(nasty) * 2)
    for row, text in zip(rows, nasty * 2, strict=True):
        row["station_name"] = text
    audit(write_gold(rows), len(rows))
    made = release(settings, contracts, PRODUCT)
    with (made.folder / f"{PRODUCT}.csv").open(encoding="utf-8", newline="") as file:
        told = [row["station_name"] for row in csv.DictReader(file)]
    ordered = sorted(rows, key=lambda row: (row["station_id"], row["hour_start"]))
    assert told == [row["station_name"] for row in ordered]


def test_releasing_twice_writes_nothing_the_second_time(settings, contracts, gold):
    release(settings, contracts, PRODUCT)
    before = snapshot(settings.releases)
    again = release(settings, contracts, PRODUCT)
    assert not again.is_new
    assert snapshot(settings.releases) == before


def test_the_same_rows_in_a_new_version_are_no_new_release(
    settings, contracts, gold, write_gold, audit
):
    first = release(settings, contracts, PRODUCT)
    version = write_gold(air_rows()[::-1])
    audit(version, 48)
    assert release(settings, contracts, PRODUCT) == replace(first, is_new=False)


def test_the_same_input_gives_the_same_bytes(settings, contracts, gold):
    release(settings, contracts, PRODUCT)
    before = snapshot(settings.releases)
    for path in sorted(settings.releases.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    release(settings, contracts, PRODUCT)
    assert snapshot(settings.releases) == before


def test_new_rows_make_the_next_number_and_leave_the_last_one(
    settings, contracts, gold, write_gold, audit
):
    release(settings, contracts, PRODUCT)
    before = snapshot(settings.releases / PRODUCT / "0001")
    audit(write_gold(air_rows(50)), 50)
    second = release(settings, contracts, PRODUCT)
    assert (second.number, second.rows, second.is_new) == (2, 50, True)
    assert snapshot(settings.releases / PRODUCT / "0001") == before
    assert [found.number for found in releases(settings)] == [1, 2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reasons": ("3 rows without station",)}, "3 rows without station"),
        ({"checks": ()}, "no check was made"),
        ({"rows": 47}, "47 rows were audited but there are 50"),
        ({"model": "another"}, "the verdict is of"),
    ],
)
def test_a_bad_verdict_refuses_and_keeps_the_last_good_release(
    settings, contracts, gold, write_gold, audit, changes, words
):
    good = release(settings, contracts, PRODUCT)
    audit(write_gold(air_rows(50)), **({"rows": 50} | changes))
    with pytest.raises(ReleaseRefused, match=words):
        release(settings, contracts, PRODUCT)
    assert newest_release(settings, PRODUCT) == replace(good, is_new=False)
    assert sorted(path.name for path in good.folder.parent.iterdir()) == ["0001"]


def test_no_table_no_verdict_other_version_and_other_contract_are_refused(
    settings, contracts, write_gold, audit
):
    with pytest.raises(ReleaseRefused, match="no table"):
        release(settings, contracts, PRODUCT)
    version = write_gold(air_rows())
    with pytest.raises(ReleaseRefused, match="has not been audited"):
        release(settings, contracts, PRODUCT)
    audit(version + 1, 48)
    with pytest.raises(ReleaseRefused, match="has not been audited"):
        release(settings, contracts, PRODUCT)
    audit(version, 48, contract_digest="0" * 64)
    with pytest.raises(ReleaseRefused, match="has not been audited"):
        release(settings, contracts, PRODUCT)
    assert newest_release(settings, PRODUCT) is None


def test_a_verdict_file_of_another_version_in_the_right_place_is_refused(settings, contracts, gold):
    path = next(settings.audits.rglob("*.json"))
    path.write_text(path.read_text().replace('"delta_version": 1', '"delta_version": 7'))
    with pytest.raises(ReleaseRefused, match="version 7"):
        release(settings, contracts, PRODUCT)


def test_a_missing_or_retyped_column_is_refused(settings, contracts, audit):
    address = tables.model(settings, "gold", PRODUCT)
    table = pa.table({"station_id": [1], "hour_start": ["yesterday"]})
    version = delta.replace(address, table, table.schema).version
    audit(version, 1)
    with pytest.raises(ReleaseRefused) as refused:
        release(settings, contracts, PRODUCT)
    told = str(refused.value)
    assert "station_id: it is BIGINT, but the contract says string" in told
    assert "readings: the gold model lacks a promised column" in told


def test_a_row_without_its_key_is_refused(settings, contracts, write_gold, audit):
    rows = air_rows(4)
    rows[0]["station_id"] = None
    audit(write_gold(rows), 4)
    with pytest.raises(ReleaseRefused, match="rows break the contract"):
        release(settings, contracts, PRODUCT)
    assert newest_release(settings, PRODUCT) is None


def test_an_interrupted_release_leaves_nothing_to_see(settings, contracts, gold, monkeypatch):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            release(settings, contracts, PRODUCT)
    assert newest_release(settings, PRODUCT) is None
    staging = settings.releases / PRODUCT / ".staging"
    staging.mkdir(parents=True)
    (staging / "half.csv").write_text("half")
    assert newest_release(settings, PRODUCT) is None
    assert release(settings, contracts, PRODUCT).number == 1
    assert not staging.exists()


def test_files_that_disagree_are_refused(settings, contracts, gold, monkeypatch):
    monkeypatch.setattr("publishing.making.distributions.csv_rows", lambda path: 47)
    with pytest.raises(ReleaseRefused, match="rows differ: Delta has 48, Parquet has 48, CSV has"):
        release(settings, contracts, PRODUCT)


def test_everything_is_flushed_before_the_rename(settings, contracts, gold, monkeypatch):
    flushed: list[str] = []
    seen: list[set[str]] = []
    rename = os.rename
    monkeypatch.setattr(release_module.flushing, "flush", lambda path: flushed.append(path.name))

    def watched(old: Path, new: Path) -> None:
        seen.append(set(flushed))
        rename(old, new)

    monkeypatch.setattr(os, "rename", watched)
    made = release(settings, contracts, PRODUCT)
    own = {"manifest.json", "manifest.json.sig", ".staging"}
    # The signature is flushed twice: under the name it is written by, and the one it gets.
    lasting = {name for name in seen[0] if not name.startswith(".manifest.json.sig.")}
    assert lasting == {file.name for file in made.files} | own


def test_an_empty_table_is_released_as_a_header(settings, contracts, write_gold, audit):
    audit(write_gold([]), 0)
    made = release(settings, contracts, PRODUCT)
    assert (made.rows, made.period) == (0, None)
    assert (made.folder / f"{PRODUCT}.csv").read_text().startswith("station_id,hour_start")


def test_the_manifest_tells_everything(settings, contracts, gold):
    made = release(settings, contracts, PRODUCT)
    told = json.loads((made.folder / "manifest.json").read_text())
    assert told["delta_version"] == gold
    assert told["contract"] == {
        "version": "1.0.0",
        "digest": contracts.product(PRODUCT).digest,
    }
    assert told["period"] == {"from": "2026-03-01T00:00:00Z", "until": "2026-03-01T23:00:00Z"}
    assert told["licence"] == "CC0-1.0"
    assert told["publisher"]["name"] == {
        "sv": "Miljöförvaltningen",
        "en": "Environment Administration",
    }
    assert len(told["verdict"]["checks"]) == 2
    assert {file["name"] for file in told["files"]} == {
        f"{PRODUCT}.csv",
        f"{PRODUCT}.parquet",
        "card.sv.md",
        "card.en.md",
        "knowledge.jsonl",
    }


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/b.csv", "", ".hidden"])
def test_a_manifest_cannot_point_out_of_its_folder(settings, contracts, gold, name):
    made = release(settings, contracts, PRODUCT)
    path = made.folder / "manifest.json"
    told = json.loads(path.read_text())
    told["files"][0]["name"] = name
    path.write_text(json.dumps(told))
    with pytest.raises(LakeError, match="names"):
        newest_release(settings, PRODUCT)


def test_damage_is_told(settings, contracts, gold):
    made = release(settings, contracts, PRODUCT)
    path = made.folder / f"{PRODUCT}.csv"
    good = path.read_bytes()
    path.write_bytes(good[:-10])
    with pytest.raises(LakeError, match="bytes long"):
        newest_release(settings, PRODUCT)
    with pytest.raises(LakeError, match="cannot be the id"):
        load_release(settings, "../luft", 1)


def test_a_manifest_made_before_checks_told_of_partitions_is_read(settings, contracts, gold):
    made = release(settings, contracts, PRODUCT)
    told = json.loads((made.folder / MANIFEST).read_text(encoding="utf-8"))
    del told["verdict"]["table_id"]
    for check in told["verdict"]["checks"]:
        del check["unexpected_in"]
    assert from_manifest(told, made.folder).verdict == made.verdict
