"""What the repository promises of itself: sizes, names, one direction of imports, whole lists."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import yaml

from ingestion import listing
from lakehouse.contracts import load_contracts
from lakehouse.reference import reference_tables
from lakehouse.settings import PROJECT

PACKAGES = ("lakehouse", "ingestion", "quality", "publishing", "orchestration", "sample_city",
            "sjostad")  # fmt: skip
MODULES = sorted(path for name in PACKAGES for path in (PROJECT / name).rglob("*.py"))
DBT = PROJECT / "dbt"
LIMITS = (
    *((path, 400) for path in MODULES),
    *((path, 120) for path in DBT.rglob("*.sql") if "target" not in path.parts),
    *((path, 200) for path in (PROJECT / "contracts").rglob("*.yaml")),
    *((path, 200) for path in (PROJECT / "examples").rglob("*.yaml")),
    *((path, 500) for path in (PROJECT / "docs").rglob("*.md")),
)


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Functions and their lines of code; docstrings and SQL are text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            texts = {
                (text.lineno, text.end_lineno)
                for text in ast.walk(node)
                if isinstance(text, ast.Constant | ast.JoinedStr)
                and (text.end_lineno or 0) > text.lineno
            }
            told = sum((end or start) - start for start, end in texts)
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1 - told


def test_files_stay_short_enough_to_read():
    assert len(LIMITS) > 100
    sizes = {name_of(path): (len(path.read_text("utf-8").splitlines()), limit)
             for path, limit in LIMITS}  # fmt: skip
    assert {name: size for name, size in sizes.items() if size[0] > size[1]} == {}


def test_models_are_written_for_more_than_one_engine():
    """What only DuckDB knows stands in macros of its own; docs/scaling.md says why."""
    words = r"\bqualify\b|\bexclude \(|\bgroup by all\b|\barg_(?:max|min)\b|::|\btimestamptz\b|" \
        r"\bstrftime\b|\bunnest\b|\blist_\w+\(|\bepoch_\w+|\bas varchar\)|\bregexp_full_match\b|" \
        r"\bdate_trunc\b|\bmad\(|ignore nulls\)"  # fmt: skip
    of_plans = {"first_build", "lake_plan", "materialization_delta", "partitions", "parts",
                "plan_conditions"}  # fmt: skip
    own = re.compile(r"\{% macro duckdb__.*?\{%-? endmacro|\{#.*?#\}", re.DOTALL)
    found = {
        name_of(path): told
        for path in (*DBT.glob("macros/**/*.sql"), *DBT.glob("models/**/*.sql"))
        if path.stem not in of_plans
        and (told := re.findall(words, own.sub("", path.read_text("utf-8"))))
    }
    assert found == {}


def test_what_one_engine_says_in_its_own_words_the_other_says_too():
    text = "".join(path.read_text("utf-8") for path in DBT.glob("macros/**/*.sql"))
    asked = set(re.findall(r"adapter\.dispatch\('(\w+)', 'sjostad'\)", text))
    assert len(asked) > 20
    for engine in ("duckdb", "spark"):
        assert asked - set(re.findall(rf"macro {engine}__(\w+)\(", text)) == set(), engine


def test_functions_stay_short_enough_to_read():
    long = {
        f"{name_of(path)}: {name}": lines
        for path in MODULES
        for name, lines in functions(path)
        if lines > 60
    }
    assert long == {}


def test_no_module_is_named_for_holding_anything():
    vague = re.compile(r"^_?(utils?|helpers?|common|misc|tools)$")
    assert [name_of(path) for path in MODULES if vague.match(path.stem)] == []


def test_dbt_is_the_installed_one_and_our_folder_is_no_package():
    assert not list(DBT.rglob("__init__.py"))
    assert not [name for name in ("adapters", "include", "cli") if (DBT / name).exists()]
    version = find_spec("dbt.version")
    assert version is not None
    assert "site-packages" in str(version.origin)


def test_tests_shadow_no_package():
    assert not list((PROJECT / "tests").rglob("__init__.py"))


def test_imports_flow_one_way():
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 kept, 0 broken" in done.stdout


def test_every_protocol_and_format_is_listed_and_explained():
    """Listing fails when one has no heading of its own on a page."""
    text = listing.PAGE.read_text(encoding="utf-8")
    assert listing.listed(text) == text, "run make listing"


def test_every_dbt_source_is_a_table_that_the_plugin_registers():
    document = yaml.safe_load((DBT / "models" / "sources.yml").read_text(encoding="utf-8"))
    named = {f"{source['name']}.{table['name']}"
             for source in document["sources"] for table in source["tables"]}  # fmt: skip
    written = reference_tables(load_contracts(PROJECT / "contracts"))
    assert named == {
        "bronze.telemetry", "operations.metering", *(f"reference.{name}" for name in written)
    }  # fmt: skip


def test_one_model_alone_says_that_nothing_restricted_is_left_in_it():
    """Whoever adds another has to say here, too, that it holds nothing about a single device."""
    said = {
        model["name"]: model.get("config", {}).get("meta", {}).get("is_restricted")
        for path in (DBT / "models").rglob("*__models.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    }
    assert {name for name, is_restricted in said.items() if is_restricted is False} == {
        "vem_delar_vad"
    }
    assert {name for name, is_restricted in said.items() if is_restricted} == {
        "datastream_restricted", "observation_restricted"
    }  # fmt: skip


def test_a_product_promises_the_columns_that_its_model_has():
    models = {
        model["name"]: [column["name"] for column in model["columns"]]
        for path in (DBT / "models").rglob("*__models.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    }
    products = load_contracts(PROJECT / "contracts").products
    assert products
    for product in products.values():
        promised = [column.name for column in product.columns]
        assert promised == [name for name in models[product.model] if name != "partition_date"]
