"""The commands of the gate on a small real lake: approve, foretell, verify, take back."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml
from typer.testing import CliRunner

from lakehouse.audit_log import entries
from lakehouse.contracts import load_contracts
from lakehouse.settings import PROJECT
from orchestration.cli import app
from publishing.making.release import release
from publishing.portal.site import build_site
from publishing.releases.manifest import newest_release
from quality import audit_product, decide_product
from tests.unit.publishing.lake import PRODUCT, air_rows, lake_settings, replace_gold

DECISION = ("--decision", "MF-2026-0500", "--by", "Nämnden", "--until", "2199-12-31")


@pytest.fixture
def lake(tmp_path):
    """Contracts of the air product alone, without a decision, and its table with 48 rows."""
    folder = tmp_path / "contracts"
    shutil.copytree(PROJECT / "contracts", folder, ignore=shutil.ignore_patterns("approvals"))
    for path in (folder / "products").glob("*.yaml"):
        if path.stem != PRODUCT:
            path.unlink()
    settings = lake_settings(tmp_path)
    replace_gold(settings, air_rows())
    return folder, settings


@pytest.fixture
def sjostad(lake):
    folder, settings = lake

    def run(*words: str):
        options = ["--contracts", str(folder), "--home", str(settings.home)]
        return CliRunner().invoke(app, [*words, *options])

    return run


def published(lake):
    folder, settings = lake
    contracts = load_contracts(folder)
    product = contracts.product(PRODUCT)
    audit_product(settings, product)
    decide_product(settings, contracts, product)
    release(settings, contracts, PRODUCT)
    build_site(settings, contracts)


def refusal(done) -> str:
    """What an error says; typer's runner hands over the exception itself."""
    return str(done.exception)


def test_nobody_approves_what_the_audit_has_not_seen(sjostad, lake):
    done = sjostad("approve", PRODUCT, *DECISION)
    assert "it has not been audited as it stands now" in refusal(done)
    assert not (lake[0] / "approvals").exists()

    assert sjostad("audit", PRODUCT).exit_code == 1  # sound, and nobody has decided
    replace_gold(lake[1], air_rows(50))
    assert "it has not been audited" in refusal(sjostad("approve", PRODUCT, *DECISION))


def test_nobody_approves_what_failed_its_audit(sjostad, lake):
    replace_gold(lake[1], [row | {"readings": 0} for row in air_rows()])
    assert sjostad("audit", PRODUCT).exit_code == 1
    assert "it has not passed its audit" in refusal(sjostad("approve", PRODUCT, *DECISION))
    assert not (lake[0] / "approvals").exists()


def test_a_decision_opens_the_gate_and_tells_what_it_was_made_on(sjostad, lake):
    before = json.loads(sjostad("audit", PRODUCT, "--json").stdout)
    assert [one["sharing"]["allowed"] for one in before] == [False]
    done = sjostad("approve", PRODUCT, *DECISION)
    assert done.exit_code == 0, done.output
    (path,) = (lake[0] / "approvals" / PRODUCT).glob("*.yaml")
    told = yaml.safe_load(path.read_text("utf-8"))
    assert (told["decision"], told["decidedBy"]) == ("MF-2026-0500", "Nämnden")
    assert (told["audited"]["rows"], told["contractVersion"]) == (48, "1.0.0")
    assert "station_id" in told["columns"]
    after = json.loads(sjostad("audit", PRODUCT, "--json").stdout)
    assert [one["sharing"]["allowed"] for one in after] == [True]
    assert "approved" in {entry.action for entry in entries(lake[1])}


def test_a_decision_is_not_dated_before_the_audit_it_was_made_on(sjostad, lake):
    sjostad("audit", PRODUCT)
    done = sjostad("approve", PRODUCT, *DECISION, "--on", "2026-01-01")
    assert "is before the audit" in refusal(done)


def test_what_will_be_released_is_foretold_and_nothing_is_done(sjostad, lake):
    sjostad("audit", PRODUCT)
    refused = sjostad("publish", "--dry-run")
    assert refused.exit_code == 1
    assert "would be refused (nothing released yet)" in refused.output
    assert "owner has not decided" in refused.output

    sjostad("approve", PRODUCT, *DECISION)
    first = sjostad("publish", "--dry-run")
    assert first.exit_code == 0, first.output
    assert f"{PRODUCT} would be release 1" in first.output
    assert newest_release(lake[1], PRODUCT) is None

    published(lake)
    assert f"{PRODUCT} unchanged (release 1)" in sjostad("publish", "--dry-run").output
    replace_gold(lake[1], [row | {"no2_ug_m3": None} for row in air_rows(50)])
    told = json.loads(sjostad("publish", "--dry-run", "--json").stdout)[0]
    assert (told["last"], told["number"], told["rows"]) == (1, 2, 50)
    assert sum(day["added"] for day in told["changes"]["days"]) == 2
    assert sum(day["changed"] for day in told["changes"]["days"]) == 48
    assert newest_release(lake[1], PRODUCT).number == 1


def test_verifying_and_taking_back(sjostad, lake, tmp_path):
    sjostad("audit", PRODUCT)
    sjostad("approve", PRODUCT, *DECISION)
    published(lake)
    done = sjostad("verify")
    assert done.exit_code == 0, done.output
    assert done.output.count(f"{PRODUCT}, release 1") == 2  # the release, and what is shown

    download, keys = tmp_path / "download", lake[1].site / "allowed_signers"
    shutil.copytree(lake[1].site / "files" / PRODUCT, download)
    copied = ("verify", "--copy", str(download), "--keys", str(keys))
    assert sjostad(*copied).exit_code == 0
    assert sjostad(*copied, "--at-least", "2").exit_code == 1
    (download / "card.sv.md").write_text("Falskt")
    spoilt = sjostad(*copied)
    assert spoilt.exit_code == 1
    assert "its content is not what was released" in spoilt.output

    done = sjostad("withdraw", PRODUCT, "--reason", "Räknefel sedan 3 maj.", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["action"] == "withdrawn"
    (letter,) = lake[1].letters.glob("*.txt")
    assert "Skäl: Räknefel sedan 3 maj." in letter.read_text("utf-8")
    assert newest_release(lake[1], PRODUCT) is None
    done = sjostad("reinstate", PRODUCT, "--reason", "Rättat.")
    assert done.exit_code == 0, done.output
    assert newest_release(lake[1], PRODUCT).number == 1
    done = sjostad("rollback", PRODUCT, "--to", "1", "--reason", "Fel.")
    assert "release 1 is shown already" in refusal(done)
    told = [(entry.action, entry.object) for entry in entries(lake[1])]
    product = f"product/{PRODUCT}"
    for action in ("audited", "approved", "released", "withdrew", "reinstated"):
        assert (action, product) in told
    assert ("verified", "lake/releases") in told


@pytest.mark.parametrize("words", [("audit",), ("publish", "--dry-run")])
def test_a_contract_that_hides_what_the_product_is_made_of_is_told_by_every_command(
    lake, sjostad, words
):
    path = lake[0] / "products" / f"{PRODUCT}.yaml"
    text = path.read_text("utf-8")
    assert "sources: [miljo_luft]" in text
    path.write_text(text.replace("sources: [miljo_luft]", "sources: [reference]"), "utf-8")
    done = sjostad(*words, "--json")
    assert done.exit_code == 1
    assert "is made of what sources have delivered" in done.stdout
