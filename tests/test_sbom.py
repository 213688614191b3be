"""The list of what is installed is whole: each distribution of this environment, and no other."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

Packages = set[tuple[str, str]]


@pytest.fixture(scope="module")
def sbom(tmp_path_factory) -> Path:
    """What `make sbom` writes, of the environment that the tests run in."""
    path = tmp_path_factory.mktemp("sbom") / "sbom.json"
    command = ["-m", "cyclonedx_py", "environment", "--output-format", "JSON"]
    subprocess.run(
        [sys.executable, *command, "--output-file", str(path), sys.executable], check=True
    )
    return path


def installed() -> Packages:
    return {(canonicalize_name(one.metadata["Name"]), one.version) for one in distributions()}


def differences(path: Path) -> tuple[Packages, Packages]:
    """What is installed and not listed, and what is listed and not installed."""
    said = json.loads(path.read_text("utf-8"))["components"]
    listed = {(canonicalize_name(one["name"]), one["version"]) for one in said}
    return installed() - listed, listed - installed()


def test_the_list_is_what_is_installed(sbom):
    assert json.loads(sbom.read_text("utf-8"))["bomFormat"] == "CycloneDX"
    assert differences(sbom) == (set(), set())


def test_a_package_that_is_not_listed_or_not_installed_is_told(sbom, tmp_path):
    document = json.loads(sbom.read_text("utf-8"))
    hidden = document["components"].pop()
    document["components"].append({"type": "library", "name": "never-installed", "version": "1"})
    path = tmp_path / "sbom.json"
    path.write_text(json.dumps(document), "utf-8")
    assert differences(path) == (
        {(canonicalize_name(hidden["name"]), hidden["version"])},
        {("never-installed", "1")},
    )
