"""From a published file to the bytes that were delivered, and every change on the way is seen."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from ingestion import ingest_source, landing
from lakehouse import tables
from lakehouse.delta import transaction_log
from lakehouse.errors import LakeError
from lakehouse.signatures import sign
from publishing.making.release import release
from publishing.releases.manifest import MANIFEST, SIGNATURE, Release
from publishing.releases.tracing import trace
from quality import audit_product, decide_product
from tests.flow import AIR, Lake

PRODUCT = "luftkvalitet_timme"
HEADER = "Mätstation;Tid;PM10;PM2,5;NO2;Status"
FILES = {
    "monday.csv": [f"HORN-01;2026-03-02 {hour:02}:00;10,0;4,0;20,0;OK" for hour in range(6, 12)],
    "tuesday.csv": [f"HORN-01;2026-03-03 {hour:02}:00;11,0;4,0;21,0;OK" for hour in range(6, 12)],
    "monday_again.csv": ["HORN-01;2026-03-02 08:00;12,0;4,0;20,0;OK"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Release]:
    lake = Lake.in_folder(tmp_path_factory.mktemp("trace"))
    for number, (name, lines) in enumerate(FILES.items()):
        path = lake.settings.inbox / AIR / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(("\r\n".join([HEADER, *lines]) + "\r\n").encode("iso-8859-1"))
        os.utime(path, (1772700000 + number, 1772700000 + number))
    ingest_source(lake.settings, lake.contracts.sources[AIR])
    lake.build("--select", f"+{PRODUCT}")
    product = lake.contracts.product(PRODUCT)
    assert audit_product(lake.settings, product).passed
    decide_product(lake.settings, lake.contracts, product)
    return lake, release(lake.settings, lake.contracts, PRODUCT)


@pytest.fixture
def again(made, tmp_path):
    """A copy of the lake that a test may spoil, and the published file."""
    lake, released = made
    home = tmp_path / "home"
    shutil.copytree(lake.settings.home, home, symlinks=True)
    settings = type(lake.settings).from_environment(
        lake.settings.as_environment() | {"SJOSTAD_HOME": str(home)}
    )
    return settings, home / "releases" / PRODUCT / released.folder.name / f"{PRODUCT}.csv"


def walked(settings, path, **row):
    return list(trace(settings, path, row))


def names(links):
    """The deliveries at the end of a walk."""
    told = [link.told for link in links if link.what == "delivery"]
    return sorted(text.split(",")[0].removeprefix(f"{AIR}/") for text in told)


def unsound(links):
    return [link.what for link in links if link.is_sound is False]


def test_a_file_leads_to_every_delivery_and_all_is_as_it_was(made):
    lake, released = made
    links = walked(lake.settings, released.folder / f"{PRODUCT}.csv")
    assert unsound(links) == []
    assert [link.what for link in links][:5] == ["file", "release", "audit", "sharing", "approval"]
    tables_told = [link.told.split(",")[0] for link in links if link.what == "table"]
    assert tables_told[:2] == ["gold.luftkvalitet_timme", "gold.observations_hourly"]
    assert "silver.observation" in tables_told
    assert names(links) == sorted(FILES)


def test_a_download_under_another_name_is_known_by_its_content(made, tmp_path):
    lake, released = made
    copy = tmp_path / "nedladdad.csv"
    shutil.copyfile(released.folder / f"{PRODUCT}.csv", copy)
    assert unsound(walked(lake.settings, copy)) == []


def test_a_row_leads_to_the_deliveries_of_its_day(made):
    lake, released = made
    path = released.folder / f"{PRODUCT}.parquet"
    tuesday = walked(lake.settings, path, hour_start="2026-03-03 07:00:00+00")
    assert names(tuesday) == ["tuesday.csv"]
    monday = walked(lake.settings, path, hour_start="2026-03-02 07:00:00+00")
    assert names(monday) == ["monday.csv", "monday_again.csv"]


def test_what_is_not_there_is_said(made, tmp_path):
    lake, released = made
    path = released.folder / f"{PRODUCT}.csv"
    with pytest.raises(LakeError, match="no column 'station'"):
        walked(lake.settings, path, station="HORN-01")
    with pytest.raises(LakeError, match="no such row"):
        walked(lake.settings, path, station_id="HORN-99")
    changed = tmp_path / "changed.csv"
    changed.write_bytes(path.read_bytes().replace(b"HORN", b"HORM"))
    with pytest.raises(LakeError, match="no release of this lake"):
        walked(lake.settings, changed)


def test_other_bytes_in_the_landing_zone_are_seen(again):
    settings, path = again
    landed = next(one for one in settings.landing.rglob("*") if one.is_file())
    landed.write_bytes(landed.read_bytes().replace(b"10,0", b"10,1"))
    assert unsound(walked(settings, path)) == ["delivery"]
    landed.unlink()
    assert unsound(walked(settings, path)) == ["delivery"]


def test_bytes_that_were_erased_on_request_are_no_fault(again):
    settings, path = again
    landed = next(one for one in settings.landing.rglob("*") if one.is_file())
    landing.erase(settings, AIR, landed.name, None)
    links = walked(settings, path)
    assert unsound(links) == []
    assert [link.is_sound for link in links if "erased on request" in link.told] == [None]


def test_another_commit_in_a_log_is_seen(again):
    settings, path = again
    address = tables.model(settings, "silver", "observation")
    entry = transaction_log.entry(address, transaction_log.newest(address))
    entry.write_bytes(entry.read_bytes().replace(b'"dataChange":true', b'"dataChange": true', 1))
    assert unsound(walked(settings, path)) == ["table"]


def test_another_delivery_in_the_ledger_is_seen(again):
    settings, path = again
    manifest = path.with_name(MANIFEST)
    told = json.loads(manifest.read_text("utf-8"))
    told["lineage"]["sources"][0]["count"] += 1
    manifest.write_text(json.dumps(told), "utf-8")
    assert set(unsound(walked(settings, path))) == {"release", "source"}
    manifest.with_name(SIGNATURE).write_bytes(sign(settings, manifest.read_bytes()))
    assert unsound(walked(settings, path)) == ["source"]


def test_another_file_of_the_release_is_seen(again):
    settings, path = again
    card = path.with_name("card.sv.md")
    card.write_text("Annat", "utf-8")
    assert unsound(walked(settings, path)) == ["release"]
