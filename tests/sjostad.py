"""The command `sjostad` in this process: what it prints and its exit code, as a shell sees them.

A process of its own takes seconds of a processor to import Dagster, dbt and Great Expectations.
Here they are imported once for all tests. That the command is the same as a process of its own,
`tests/integration/test_cli.py` shows by running whole commands both ways.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess, run
from types import ModuleType
from unittest import mock

from rich.console import Console

from lakehouse.settings import PROJECT
from orchestration import cli
from orchestration.commands import report


def environment(home: Path, variables: dict[str, str]) -> dict[str, str]:
    """This process's environment with the settings of one lake and no others."""
    own = {"SJOSTAD_HOME": str(home), "SJOSTAD_PATIENCE_S": "0", "COLUMNS": "80",
           "PYTHONPATH": str(PROJECT)}  # fmt: skip
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SJOSTAD", "DAGSTER"))}
    return inherited | own | variables


def process(home: Path, *arguments: object, **variables: str) -> CompletedProcess[str]:
    """Run the command as a user does, in a process of its own."""
    return run(
        [Path(sys.executable).with_name("sjostad"), *map(str, arguments)],
        cwd=PROJECT,
        env=environment(home, variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


def sjostad(
    home: Path, *arguments: object, cwd: Path = PROJECT, **variables: str
) -> CompletedProcess[str]:
    """Run the command here, through its entry point; dbt still runs in a process of its own."""
    command = ["sjostad", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        for change in (
            mock.patch.dict(os.environ, environment(home, variables), clear=True),
            mock.patch.object(sys, "argv", command),
            _as_main(ModuleType("__main__")),  # else usage names pytest
            mock.patch.object(sys, "excepthook", sys.excepthook),  # Typer sets it
            chdir(cwd),
            redirect_stdout(out),
            redirect_stderr(err),
            warnings.catch_warnings(),
        ):
            stack.enter_context(change)
        # A console takes its width when it is made, and another test may have made this one.
        stack.enter_context(mock.patch.object(report, "out", Console()))
        stack.enter_context(mock.patch.object(report, "_err", Console(stderr=True)))
        warnings.simplefilter("ignore")  # only pytest makes errors of them
        code = _exit_code()
    return CompletedProcess(command, code, out.getvalue(), err.getvalue())


@contextmanager
def _as_main(module: ModuleType) -> Iterator[None]:
    """Put a module in the place of the program; what is imported meanwhile stays imported."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def _exit_code() -> int:
    try:
        cli.main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - what Python does with an error that nobody caught
        traceback.print_exc()
        return 1
    return 0
