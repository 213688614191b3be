"""The command as a user runs it: what it prints, what it leaves, and how it exits."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from lakehouse import delta, tables
from lakehouse.contracts import load_contracts
from lakehouse.curated.access import open_curated
from lakehouse.duck import connect, delta_scan
from lakehouse.locks import exclusive
from lakehouse.settings import PROJECT, Settings
from publishing.assistant.library import library, search
from sample_city import generate
from tests.sjostad import process, sjostad

pytestmark = pytest.mark.slow
CONTRACTS = load_contracts(PROJECT / "contracts")
MODELS = PROJECT / "dbt" / "models"


def versions(home: Path) -> dict[str, int | None]:
    """Of every table but that in which each run adds what it took."""
    return {str(path.relative_to(home)): delta.version_of(path)
            for path in sorted((home / "lake").glob("*/*")) if path.name != "metering"}  # fmt: skip


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> tuple[Path, CompletedProcess[str]]:
    """A home in which everything has been run once, and what that printed."""
    home = tmp_path_factory.mktemp("city")
    generate(home / "inbox", days=2, scale=0.5)
    return home, process(home, "run", "--json")


@pytest.fixture
def copy(city, tmp_path) -> Path:
    """A copy that a test may break."""
    shutil.copytree(city[0], tmp_path / "home", symlinks=True)
    return tmp_path / "home"


def test_a_run_accounts_for_every_row_and_publishes(city):
    home, done = city
    assert done.returncode == 0, done.stderr + done.stdout
    stages = json.loads(done.stdout)
    assert [stage["job"] for stage in stages] == [
        "ingestion", "transformation", "publishing", "portal"
    ]  # fmt: skip
    bronze = {key: made for key, made in stages[0]["assets"].items() if key.startswith("bronze/")}
    assert len(bronze) == len(CONTRACTS.sources)
    for made in bronze.values():
        fates = ("landed", "quarantined", "duplicates", "filtered")
        assert made["rows_in"] == sum(made[fate] for fate in fates) > 0
    ran = sjostad(home, "log", "show", "--action", "ran", "--json").stdout
    assert [one["object"] for one in json.loads(ran)] == [
        f"job/{name}" for name in ("ingestion", "transformation", "publishing", "portal")
    ]
    # Audits belong to publishing, dbt's tests to the transformation.
    assert not [name for name in stages[1]["checks"] if "audit_" in name]
    assert not [name for name in stages[2]["assets"] if not name.startswith("release/")]
    assert len(stages[2]["checks"]) == 2 * len(CONTRACTS.products)  # its audit, and sharing it
    assert (home / "site" / "index.html").is_file()


def test_what_a_run_took_is_metered_and_the_first_part_of_it_is_told(city):
    home, _ = city
    settings = Settings.from_environment({}, home=home)
    metered = delta.open_table(tables.metering(settings)).to_pyarrow_table().to_pylist()
    assert {row["stage"] for row in metered} == {
        "ingestion", "silver", "gold", "audit", "sharing", "release", "portal"
    }  # fmt: skip
    of_silver = {row["model"] for row in metered if row["stage"] == "silver"}
    assert of_silver == {f"silver.{path.stem}" for path in MODELS.glob("silver/*.sql")}
    taken = {row["subject"]: row["rows"] for row in metered if row["kind"] == "source"}
    assert set(taken) == set(CONTRACTS.sources)
    with open_curated(settings) as connection:
        told = connection.execute(
            "select subject_id, rows, total_s from gold.delningskostnad_dygn where kind = 'source'"
        ).fetchall()
    closed = {one.id for one in CONTRACTS.sources.values() if not one.classification.is_shareable}
    assert closed
    assert {name: rows for name, rows, _ in told} == {
        name: None if name in closed else rows for name, rows in taken.items()
    }
    assert all(total_s > 0 for *_, total_s in told)


def test_what_is_restricted_reaches_no_portal_no_assistant_and_no_analyst(city):
    """It is audited and released into a folder of its own; no lock is told of anywhere else."""
    home, _ = city
    settings = Settings.from_environment({}, home=home)
    told = json.loads(sjostad(home, "status", "--json").stdout)
    (product,) = (one for one in told["products"] if one["product_id"] == "smarta_las_dygn")
    assert (product["audience"], product["verdict"], product["release"]) == (
        "restricted", "passed", 1
    )  # fmt: skip
    with connect() as connection:
        held = f"from {delta_scan(tables.model(settings, 'silver', 'datastream_restricted'))}"
        locks = {one for (one,) in connection.execute(f"select distinct device {held}").fetchall()}
    assert len(locks) == 30
    released = home / "releases" / "smarta_las_dygn"
    read = [*(home / "site").resolve().rglob("*"), home / "open.duckdb", *released.rglob("*")]
    for path in read:
        content = path.read_bytes() if path.is_file() else b""
        assert not [lock for lock in locks if lock.encode() in content], path
        assert path.is_relative_to(released) or b"smarta_las" not in content, path
    shared = library(settings)
    assert "smarta_las_dygn" not in {one.product for one in shared}
    assert search(shared, "hemtjänst") == []
    with open_curated(settings) as connection:
        views = {
            f"{schema}.{name}"
            for schema, name in connection.execute("select schema_name, table_name from meta.tables"
                                                   ).fetchall()
        }  # fmt: skip
        assert {"silver.datastream", "silver.thing", "gold.vem_delar_vad"} <= views
        assert not {name for name in views if "restricted" in name or "smarta_las" in name}
        for view in views:
            rows = connection.execute(f"from {view}").fetchall()
            assert not [row for row in rows if any(str(cell).find("LAS-") >= 0 for cell in row)]
        files = (
            "select count(*) from meta.files where regexp_matches(path, 'restricted|smarta_las')"
        )
        assert connection.execute(files).fetchall() == [(0,)]


def test_a_second_run_finds_nothing_new(city):
    home, _ = city
    before, site = versions(home), os.readlink(home / "site")
    done = sjostad(home, "run")
    assert done.returncode == 0, done.stderr
    assert "Nothing new" in done.stdout
    assert versions(home) == before
    assert os.readlink(home / "site") == site
    assert "…" not in done.stdout
    assert all(len(line.rstrip()) <= 80 for line in done.stdout.splitlines() if "/" not in line)


def test_status_and_audit_tell_where_things_stand(city):
    home, _ = city
    done = sjostad(home, "status")
    assert done.returncode == 0
    assert "kista_multisensor" in done.stdout
    assert "energianvandning_timme" in done.stdout
    assert "…" not in done.stdout
    told = json.loads(sjostad(home, "status", "--json").stdout)
    assert {product["verdict"] for product in told["products"]} == {"passed"}
    assert told["sensors"]["devices"] > 0
    assert f"{told['sensors']['devices']} devices on {told['sensors']['day']}" in done.stdout
    audit = sjostad(home, "audit", "luftkvalitet_timme", "--json")
    assert audit.returncode == 0
    assert json.loads(audit.stdout)[0]["passed"]


def test_a_source_can_be_tried_without_touching_the_lake(city):
    home, _ = city
    before = versions(home)
    done = sjostad(home, "source", "check", "miljo_luft", "--json")
    assert done.returncode == 0
    tried = json.loads(done.stdout)
    assert tried["ledger"]["landed"] > 0
    assert tried["preview"]
    assert versions(home) == before
    unknown = sjostad(home, "source", "check", "no_such")
    assert unknown.returncode == 2
    assert "miljo_luft" in unknown.stderr


def test_a_broken_contract_stops_everything_before_it_begins(tmp_path):
    shutil.copytree(PROJECT / "contracts", tmp_path / "contracts")
    (path,) = (tmp_path / "contracts").rglob("miljo_luft.yaml")
    path.write_text(path.read_text("utf-8").replace("value: ug/m3", "value: furlong"), "utf-8")
    home = tmp_path / "home"
    done = process(home, "run", "--contracts", tmp_path / "contracts")
    assert done.returncode == 2
    assert "miljo_luft.yaml: schema[0].properties[2] (pm10)" in done.stderr
    assert "'furlong' is not in vocabulary/units.csv" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not home.exists()


def test_a_source_that_is_down_keeps_nothing_else_back(tmp_path):
    generate(tmp_path / "inbox", days=1, scale=0.3)
    (tmp_path / "inbox" / "hamnar_elmatare" / "historian.sqlite").unlink()
    done = sjostad(tmp_path, "run")
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "✗ bronze/hamnar_elmatare" in said
    assert "the database did not answer in 3 attempts" in said
    assert "the rest went on" in said
    assert "Traceback" not in done.stderr + done.stdout
    assert (tmp_path / "site" / "index.html").is_file()
    released = {path.name for path in (tmp_path / "releases").iterdir()}
    assert "luftkvalitet_timme" in released


def test_a_run_beside_another_gives_way(tmp_path):
    settings = Settings.from_environment({}, home=tmp_path)
    with exclusive(settings, "run"):
        done = process(tmp_path, "run")
    assert done.returncode == 3
    assert str(os.getpid()) in done.stderr


def test_a_failed_audit_keeps_the_last_good_release(copy):
    """The other product is released, and the portal is published, all the same."""
    settings = Settings.from_environment({}, home=copy)
    product = load_contracts(settings.contracts).product("luftkvalitet_timme")
    address = tables.model(settings, "gold", product.model)
    rows = delta.open_table(address).to_pyarrow_table()
    index = rows.schema.get_field_index("pm10_ug_m3")
    wrong = rows.set_column(index, rows.schema.field(index), [[-1.0] * rows.num_rows])
    delta.replace(address, wrong, rows.schema, partition_by=["partition_date"])
    before = sorted(path.name for path in (copy / "releases" / product.id).iterdir())
    done = sjostad(copy, "publish")
    assert done.returncode == 1
    assert "pm10_ug_m3" in done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    assert sorted(path.name for path in (copy / "releases" / product.id).iterdir()) == before
    assert "Portal" in done.stdout
    told = json.loads(sjostad(copy, "status", "--json").stdout)
    verdicts = {one["product_id"]: one["verdict"] for one in told["products"]}
    assert verdicts == dict.fromkeys(CONTRACTS.products, "passed") | {
        "luftkvalitet_timme": "failed"
    }
    assert {one["release"] for one in told["products"]} == {1}


def test_what_is_held_back_is_listed_shown_and_read_again(copy):
    home = copy
    rows = {one["source_id"]: one for one in json.loads(
        sjostad(home, "status", "--json").stdout)["sources"]}  # fmt: skip
    held = json.loads(sjostad(home, "quarantine", "list", "--json").stdout)
    assert sum(one["rows"] for one in held) == sum(one["quarantined"] for one in rows.values()) > 0
    source, rule = held[0]["source_id"], held[0]["rule"]
    shown = sjostad(home, "quarantine", "show", source, "--rule", rule, "--limit", "1")
    assert "line " in shown.stdout
    again = sjostad(home, "replay", source)
    assert again.returncode == 0, again.stderr
    assert f"{source}: deliveries read again" in again.stdout
    assert "rows landed 0" in again.stdout
    wrong = sjostad(home, "quarantine", "release", source, "--rule", "layout",
                    "--by", "Drift", "--why", "test")  # fmt: skip
    assert wrong.returncode == 1
    assert "there is nothing to release" in wrong.stderr


def test_a_source_is_built_anew_only_by_somebody_for_a_reason(copy):
    for options in (["--anew"], ["--anew", "--by", "Drift"], ["--why", "x"], ["--anew", "--all"]):
        assert sjostad(copy, "replay", "miljo_luft", *options).returncode == 2, options
    told = json.loads(sjostad(copy, "replay", "miljo_luft", "--anew", "--dry-run", "--json").stdout)
    assert told["rows_before"] == told["rows_after"] > 0
    assert (told["gone"], told["new"], told["version"]) == (0, 0, None)
    done = sjostad(copy, "replay", "miljo_luft", "--anew", "--by", "Drift", "--why", "test")
    assert done.returncode == 0, done.stderr
    assert "Nothing differs, so nothing was written." in " ".join(done.stdout.split())


def test_the_doctor_names_what_is_broken(copy):
    def broken() -> str:
        done = sjostad(copy, "doctor", "--json")
        ill = [one for one in json.loads(done.stdout) if not one["is_well"]]
        ill = [one for one in ill if one["subject"] != "disk"]
        assert all(one["remedy"] for one in ill)
        assert done.returncode == bool(ill) or done.returncode == 1
        return "\n".join(f"{one['subject']}: {one['what']}" for one in ill)

    assert broken() == ""
    lake = copy / "lake"
    entry = lake / "silver" / "unit" / "_delta_log" / f"{1:020d}.json"
    entry.write_bytes(entry.read_bytes()[:-40])
    next((lake / "bronze" / "miljo_luft").rglob("*.parquet")).unlink()
    shutil.rmtree(lake / "operations" / "ledger")
    said = broken()
    assert "silver/unit" in said
    assert "bronze/miljo_luft" in said
    assert "ledger of kista_multisensor: 1 batches, 0 of them recorded" in said


def test_the_doctor_reads_contracts_too(tmp_path):
    shutil.copytree(PROJECT / "contracts", tmp_path / "contracts")
    (path,) = (tmp_path / "contracts").rglob("miljo_luft.yaml")
    path.write_text("id: [unclosed", "utf-8")
    done = sjostad(tmp_path, "doctor", "--contracts", tmp_path / "contracts")
    assert done.returncode == 1
    assert "miljo_luft.yaml" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    ["", "run", "ingest", "build", "audit", "publish", "status", "doctor", "prepare",
     "source check", "source init", "maintain", "log",
     "log verify", "log show", "log incident", "log sign"],
)  # fmt: skip
def test_every_command_explains_itself(tmp_path, command):
    done = sjostad(tmp_path, *command.split(), "--help")
    assert done.returncode == 0
    words = done.stdout.partition("╭")[0].split("Usage:", 1)[1]
    assert len(words.split()) > 8
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "code"),
    [("--help", 0), ("status", 0), ("source check miljo_luft", 0), ("nonsense", 2),
     ("source check no_such", 2),
     ("quarantine release miljo_luft --rule layout --by x --why x", 1)],
)  # fmt: skip
def test_a_process_of_its_own_says_the_same(city, command, code):
    """The control of the tests here that run the command in their own process."""
    home, _ = city
    here, there = sjostad(home, *command.split()), process(home, *command.split())
    assert (here.returncode, there.returncode) == (code, code), there.stderr
    assert here.stdout == there.stdout
    assert here.stderr == there.stderr
