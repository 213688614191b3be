"""The page for analysts is run: its SQL, its shell, its notebook, and dbt by itself."""

from __future__ import annotations

import csv
import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sjostad
from lakehouse.audit_log import entries
from lakehouse.errors import LakeError
from lakehouse.settings import PROJECT

PAGE = (PROJECT / "docs" / "analysts.md").read_text("utf-8")
# DuckDB's own conversion to pandas uses what pandas 4 will drop.
PANDAS = pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.fixture
def here(built, monkeypatch) -> Path:
    """The home of a built lake, which the environment names."""
    for name, value in built.settings.as_environment().items():
        monkeypatch.setenv(name, value)
    return built.settings.home


def run(*words: object, cwd: Path = PROJECT, text: str = "", **more: str):
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd, input=text, env=os.environ | {"PYTHONPATH": str(PROJECT), "COLUMNS": "80"} | more,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def sql(*words: object, text: str = "", **more: str):
    return run(sys.executable, "-m", "orchestration.cli", "sql", *words, text=text, **more)


def test_the_page_has_five_questions():
    assert len(blocks("sql")) == 5


@pytest.mark.parametrize("number", range(5))
def test_every_question_of_the_page_has_an_answer(here, number):
    with sjostad.connect() as connection:
        answer = connection.execute(blocks("sql")[number])
        names = [column[0] for column in answer.description]
        rows = answer.fetchall()
    assert rows
    # No column is empty: the question would be about nothing. The small lake has no NO2.
    empty = {name for name, values in zip(names, zip(*rows, strict=True), strict=True)
             if all(value is None for value in values)}  # fmt: skip
    assert empty <= {"no2_mean"}


@PANDAS
def test_the_notebook_of_the_page_runs(here):
    (source,) = blocks("python")
    names: dict[str, object] = {}
    exec(source, names)  # noqa: S102 - the page's own code
    assert list(names["air"].columns) == ["station_name", "pm10"]
    assert len(names["air"]) == 1


@PANDAS
def test_the_example_of_connect_runs(here):
    found = doctest.DocTestFinder().find(sjostad.connect, globs={})
    assert sum(len(one.examples) for one in found) == 4
    for one in found:
        assert doctest.DocTestRunner().run(one).failed == 0


def test_connect_takes_a_home_and_frames_of_ones_own(built, tmp_path):
    with sjostad.connect(str(built.settings.home)) as connection:
        mine = pa.table({"district": ["Södermalm"], "weight": [1]})
        connection.register("mine", mine)
        joined = connection.sql("from gold.luftkvalitet_timme join mine using (district)")
        assert len(joined.fetchall()) > 0
    with pytest.raises(LakeError, match="no curated database yet"):
        sjostad.connect(home=tmp_path)
    *_, noted = entries(built.settings)
    told = (noted.action, noted.object, noted.details["form"])
    assert told == ("read", "database/curated", "notebook")


@pytest.mark.slow
def test_the_shell_commands_of_the_page_run(here, tmp_path):
    (commands,) = blocks("sh")
    first, second, third, prompt = commands.splitlines()
    assert prompt == "sjostad sql"
    script = f'sjostad() {{ "{sys.executable}" -m orchestration.cli "$@"; }}\n'
    done = run("bash", "-ec", script + "\n".join([first, third]))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(list(csv.reader(lines[:6]))) == 6
    assert '{"hours": ' in lines[7]
    done = run("bash", "-ec", script + second, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "energy.parquet").num_rows > 0


@pytest.mark.slow
def test_an_analytics_engineer_needs_dbt_only(built, tmp_path):
    """dbt build in its folder, on a lake of the city's; then the page of the models."""
    home = tmp_path / "home"
    shutil.copytree(built.settings.home, home)
    (home / "curated.duckdb").unlink()
    where = built.settings.as_environment() | {
        "SJOSTAD_HOME": str(home), "DBT_TARGET_PATH": str(home / "docs"),
        "DBT_LOG_PATH": str(tmp_path),
    }  # fmt: skip
    dbt = Path(sys.executable).with_name("dbt")
    done = run(dbt, "build", cwd=PROJECT / "dbt", **where)
    assert done.returncode == 0, done.stdout
    assert "ERROR=0" in done.stdout
    with sjostad.connect(home) as connection:
        assert connection.execute(
            "select count(*) > 0 from gold.luftkvalitet_timme"
        ).fetchall() == [(True,)]

    done = run(dbt, "docs", "generate", "--static", cwd=PROJECT / "dbt", **where)
    assert done.returncode == 0, done.stdout
    page = (home / "docs" / "static_index.html").read_text("utf-8")
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?:https?:)?//", page)
    catalog = json.loads((home / "docs" / "catalog.json").read_text("utf-8"))
    models = {name.rpartition(".")[2]: node["columns"] for name, node in catalog["nodes"].items()}
    assert models.keys() == {path.stem for path in (PROJECT / "dbt" / "models").rglob("*.sql")}
    assert models["luftkvalitet_timme"]["hour_start"]["type"] == "TIMESTAMP WITH TIME ZONE"
    assert '"pm10_ug_m3"' in page
