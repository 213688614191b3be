"""A process killed outright while it publishes: nothing half-made shows, the next run mends it."""

import signal
import subprocess
import sys

import pytest

from lakehouse.settings import PROJECT
from publishing.making.release import release
from publishing.portal.site import build_site, current_site
from publishing.releases.manifest import newest_release
from tests.unit.publishing.lake import PRODUCT, air_rows

KILLED = """
import os, signal, sys
from lakehouse.contracts import load_contracts
from lakehouse.settings import Settings
from publishing.catalogue import open_database
from publishing.making import release
from publishing.portal import site

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

module, name, work = sys.argv[1:]
owner = {"os": os, "release": release, "site": site, "open_database": open_database}[module]
settings = Settings.from_environment()
contracts = load_contracts(settings.contracts)
setattr(owner, name, die)
if work == "release":
    release.release(settings, contracts, "luftkvalitet_timme")
else:
    site.build_site(settings, contracts)
"""


def run_killed(settings, module: str, name: str, work: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, module, name, work],
        env=settings.as_environment() | {"PYTHONPATH": str(PROJECT)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_killed_at_each_step(settings, contracts, gold, write_gold, audit):
    release(settings, contracts, PRODUCT)
    first = build_site(settings, contracts)
    audit(write_gold(air_rows(60)), 60)

    for module, name in [
        ("release", "write_distributions"),
        ("release", "changes_of"),
        ("release", "_write_texts"),
        ("os", "rename"),
    ]:
        run_killed(settings, module, name, "release")
        assert newest_release(settings, PRODUCT).number == 1
    assert release(settings, contracts, PRODUCT).number == 2

    for module, name in [
        ("site", "_add_files"),
        ("os", "rename"),
        ("os", "symlink"),
        ("os", "replace"),
    ]:
        run_killed(settings, module, name, "site")
        assert current_site(settings).releases == first.releases == {PRODUCT: 1}
        assert (settings.site / "index.html").is_file()
    run_killed(settings, "open_database", "_write", "site")
    assert current_site(settings).releases == {PRODUCT: 2}

    site = build_site(settings, contracts)
    assert site.releases == {PRODUCT: 2}
    assert not site.is_new
    assert not list((settings.releases / PRODUCT).glob(".*"))
