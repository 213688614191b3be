"""`sjostad sql` as a user meets it: what it prints and writes, how it exits, and the prompt."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lakehouse.audit_log import entries
from lakehouse.settings import PROJECT

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "orchestration.cli", "sql"]
METER = "from gold.energianvandning_timme order by hour_start"


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"SJOSTAD_HOME": str(home), "PYTHONPATH": str(PROJECT), "COLUMNS": "80",
                         "HOME": str(home)}  # fmt: skip


def sql(built, *words: object, text: str | None = None, home: Path | None = None):
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=PROJECT, env=environment(home or built.settings.home), capture_output=True, text=True,
        check=False, timeout=120, input=text, stdin=subprocess.DEVNULL if text is None else None,
    )  # fmt: skip


def test_every_format_has_the_same_rows(built, tmp_path):
    done = sql(built, METER)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert rows[0]["hour_start"] == "2025-12-31T12:00:00Z"
    assert sql(built, METER, "-o", tmp_path / "rows.parquet").stdout == ""
    table = pq.read_table(tmp_path / "rows.parquet")
    objects = json.loads(sql(built, "--json", text=METER).stdout)
    assert len(rows) == table.num_rows == len(objects) > 40
    assert [one["hour_start"] for one in objects] == [row["hour_start"] for row in rows]
    assert [float(row["energy_kwh"] or "nan") for row in rows if row["energy_kwh"]] == [
        one for one in table["energy_kwh"].to_pylist() if one is not None
    ]
    assert table.schema.field("hour_start").type.tz == "UTC"


def test_that_somebody_read_or_exported_is_noted_and_not_what(built, tmp_path):
    before = len(list(entries(built.settings)))
    sql(built, METER)
    sql(built, METER, "-o", tmp_path / "rows.csv")
    noted = list(entries(built.settings))[before:]
    assert [(one.action, one.object, one.details["form"]) for one in noted] == [
        ("read", "database/curated", "csv"),
        ("exported", "database/curated", "csv"),
    ]
    assert "energianvandning" not in str(noted)


def test_a_table_says_what_it_leaves_out(built):
    done = sql(built, METER, "--format", "table", "--limit", 2)
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert lines[2].split()[:2] == ["hamnar_elmatare/vartahamnen/kaj1", "2025-12-31T12:00:00Z"]
    assert lines[-1].startswith("first 2 of 4")
    assert "…" not in done.stdout
    assert sql(built, "select null, true", "--format", "table").stdout.split()[-4:] == [
        "NULL", "true", "1", "row"
    ]  # fmt: skip


def test_values_of_every_kind_are_told(built):
    query = r"""select 'a "b"' as quoted, 'å;' || chr(27) as odd, '' as nothing, null as missing,
        [1, 2] as list, {'at': timestamptz '2026-07-01 12:00:00+02'} as nested, 12::hugeint as big,
        'nan'::double as nan, interval 90 minutes as span, 1.50::decimal(9, 2) as price,
        timestamptz '2026-07-01 12:00:00.25+02' as at, date '2026-07-01' as day"""
    (row,) = csv.DictReader(io.StringIO(sql(built, query).stdout))
    assert row == {
        "quoted": 'a "b"', "odd": "å;\x1b", "nothing": "", "missing": "", "list": "[1, 2]",
        "nested": '{"at": "2026-07-01 10:00:00+00:00"}', "big": "12", "nan": "nan",
        "span": "P0M0DT5400S", "price": "1.50", "at": "2026-07-01T10:00:00.25Z",
        "day": "2026-07-01",
    }  # fmt: skip
    (one,) = json.loads(sql(built, query, "--json").stdout)
    assert one["nested"] == {"at": "2026-07-01 10:00:00+00:00"}
    assert (one["list"], one["big"], one["price"], one["nan"]) == ([1, 2], 12, 1.5, "nan")
    assert (one["nothing"], one["missing"]) == ("", None)
    assert "\x1b" not in sql(built, query, "--format", "table").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["selct 1"], 1, 'Parser Error: syntax error at or near "selct"'),
        (["select * from gold.nothing"], 1, "Table with name nothing does not exist"),
        (["select error('late') from range(200000) where range = 150000"], 1, "late"),
        (["from read_text('/etc/passwd')"], 1, "disabled by configuration"),
        (["create table gold.mine as select 1"], 1, "read-only"),
        (["select 1; select 2"], 2, "2 of its statements give rows"),
        (["  "], 2, "there is no SQL in it"),
        (["select 1", "-o", "x.foo"], 2, "tells no format"),
        (["select 1", "-o", "/no/such/folder/x.csv"], 2, "it cannot be written"),
    ],
)
def test_what_is_wrong_is_said_and_told_by_the_exit_code(built, words, code, said):
    done = sql(built, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_a_query_that_fails_leaves_no_file(built, tmp_path):
    failing = "select case when range = 150000 then error('late') end as x from range(200000)"
    done = sql(built, failing, "-o", tmp_path / "x.csv")
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_lake_it_says_what_to_run(built, tmp_path):
    done = sql(built, "select 1", home=tmp_path)
    assert done.returncode == 1
    assert "there is no curated database yet" in done.stderr
    assert "sjostad run" in done.stderr


class Terminal:
    """The prompt in a terminal of its own."""

    def __init__(self, home: Path) -> None:
        self._unread = ""
        self.process, self._end = pty.fork()
        if self.process == 0:
            os.chdir(PROJECT)
            own = environment(home) | {"TERM": "xterm", "COLUMNS": "100"}
            os.execve(COMMAND[0], COMMAND, own)  # noqa: S606 - our own command

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def until(self, expected: str) -> str:
        """What is printed up to and with a text; what came with it is there for the next."""
        deadline = time.monotonic() + 60
        while expected not in self._unread:
            assert time.monotonic() < deadline, self._unread
            if select.select([self._end], [], [], 0.2)[0]:
                self._unread += os.read(self._end, 65536).decode(errors="replace")
        said, found, self._unread = self._unread.partition(expected)
        return said + found

    def exit_code(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def test_the_prompt_lists_answers_and_survives_ctrl_c(built, tmp_path):
    (tmp_path / "curated.duckdb").write_bytes((built.settings.home / "curated.duckdb").read_bytes())
    terminal = Terminal(tmp_path)
    terminal.until("sjostad> ")
    terminal.type("\\d\n")
    models = {path.stem for path in (PROJECT / "dbt" / "models").rglob("*.sql")}
    restricted = {"observation_restricted", "datastream_restricted", "smarta_las_dygn"}
    listed = terminal.until(f"{len(models - restricted)} rows")
    assert "gold.luftkvalitet_timme" in listed
    assert not [one for one in ("restricted", "smarta_las") if one in listed]
    terminal.type("\\d gold.luftkvalitet_timme\n")
    assert "Mean PM10, µg/m³" in terminal.until("12 rows")
    terminal.type("select 40 + 2\n")
    terminal.until("...> ")
    terminal.type("as answer;\n")
    assert "42" in terminal.until("1 row")
    terminal.type("select count(*) from range(10000000) a, range(10000000) b "
                  "where a.range * b.range % 7 = 3;\n")  # fmt: skip
    time.sleep(1)
    terminal.type("\x03")
    terminal.until("Interrupted.")
    terminal.until("sjostad> ")
    terminal.type("selct;\n")
    terminal.until("Parser Error")
    terminal.type("half a\n")
    terminal.until("...> ")
    terminal.type("\x03")
    terminal.until("sjostad> ")
    terminal.type("from gold.luftkvalitet_timme;\n")
    assert "columns do not fit: " in terminal.until("partition_date")
    terminal.type("\\q\n")
    assert terminal.exit_code() == 0
    history = tmp_path / ".sjostad_sql_history"
    assert "as answer;" in history.read_text("utf-8")
    assert history.stat().st_mode & 0o077 == 0
