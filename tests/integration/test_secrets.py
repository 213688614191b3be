"""A whole run with secrets in its environment, and then every byte that it has left.

Sources that answer and that do not, a database, a server of files and a mail server: what is told
of their failures, in logs, in Dagster's events, in dbt's files and in what is published, has none
of the secrets in it.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
import yaml

from lakehouse import delta, tables
from lakehouse.settings import PROJECT, Settings
from lakehouse.traces import find_traces
from lakehouse.traces.word_in_bytes import Word
from publishing.releases.manifest import newest_release
from sample_city import generate
from tests.sjostad import process
from tests.unit.ingestion.http_server import Asked, Reply, serving

pytestmark = pytest.mark.slow

HTTP, DATABASE, FILES = "miljo_luft", "hamnar_elmatare", "belysning"
PRODUCT, EMPTY = "luftkvalitet_timme", "energianvandning_timme"
SECRETS = {
    name: f"canary{number}Hemligt"
    for number, name in enumerate(
        ("CITY_KEY", "CITY_SIGNATURE", "DATABASE_PASSWORD", "SFTP_PASSWORD",
         "SJOSTAD_SMTP_PASSWORD", "AWS_SECRET_ACCESS_KEY", "NOBODY_ASKS_FOR_THIS")
    )
}  # fmt: skip


def closed_port() -> int:
    """A port of this machine that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def contracts_in(folder: Path) -> Path:
    """Three sources that are fetched with secrets, and two products of theirs."""
    target = folder / "contracts"
    shutil.copytree(PROJECT / "contracts", target)
    for path in (target / "sources").rglob("*.yaml"):
        if path.stem not in (HTTP, DATABASE, FILES):
            path.unlink()
    for path in (target / "products").glob("*.yaml"):
        if path.stem not in (PRODUCT, EMPTY):
            path.unlink()
            shutil.rmtree(target / "approvals" / path.stem, ignore_errors=True)
    fetched_by(target, HTTP, "env:CITY_URL", "http")
    fetched_by(target, DATABASE, "env:CITY_DATABASE")
    fetched_by(target, FILES, "env:CITY_SFTP", "sftp")
    return target


def fetched_by(contracts: Path, source: str, location: str, protocol: str | None = None) -> None:
    (path,) = (contracts / "sources").rglob(f"{source}.yaml")
    document = yaml.safe_load(path.read_text("utf-8"))
    document["servers"] = [{"server": "live", "type": "custom", "location": location}]
    (delivery,) = (
        one["value"] for one in document["customProperties"] if one["property"] == "delivery"
    )
    if protocol:
        delivery["protocol"] = protocol
    headers = {"X-Api-Key": "env:CITY_KEY"}
    if protocol == "http":
        delivery["http"] = {"internal": True, "timeoutS": 5, "attempts": 1, "headers": headers}
    if protocol == "sftp":
        delivery["remote"] = {"hostKey": f"SHA256:{'A' * 43}"}
    path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The settings of the lake, what the run printed, and what the server was asked."""
    folder = tmp_path_factory.mktemp("secrets")
    settings = Settings.from_environment(
        {}, home=folder / "home", contracts=contracts_in(folder), inbox=folder / "inbox"
    )
    generate(folder / "sample", days=2, scale=0.2)
    (first, *_) = sorted((folder / "sample" / HTTP).glob("*.csv"))
    answer = Reply(first.read_bytes(), headers={"Content-Type": "text/csv"})

    def answering(_asked: Asked) -> Reply:
        return answer

    nobody = closed_port()
    with serving(answering) as server:
        done = process(
            settings.home,
            "run",
            "--contracts",
            settings.contracts,
            "--inbox",
            settings.inbox,
            **SECRETS,
            SJOSTAD_LETTERS=f"smtp://127.0.0.1:{nobody}",
            SJOSTAD_SMTP_USER="utskick",
            CITY_URL=f"{server.url}/luft.csv?sig={SECRETS['CITY_SIGNATURE']}",
            CITY_DATABASE="postgresql+psycopg://las:"
            f"{SECRETS['DATABASE_PASSWORD']}@127.0.0.1:{nobody}/historian",
            CITY_SFTP=f"sftp://las:{SECRETS['SFTP_PASSWORD']}@127.0.0.1:{nobody}/ut/*.csv",
        )
    return settings, done, server.asked


def test_the_secrets_were_used(run):
    """Else that they are nowhere says nothing."""
    settings, done, asked = run
    assert done.returncode == 1, done.stdout + done.stderr
    assert asked[0].query == {"sig": SECRETS["CITY_SIGNATURE"]}
    assert asked[0].headers["x-api-key"] == SECRETS["CITY_KEY"]
    for source in (DATABASE, FILES):
        assert source in done.stdout + done.stderr
    assert newest_release(settings, PRODUCT)
    assert not delta.exists(tables.bronze(settings, DATABASE))
    assert "127.0.0.1" in done.stdout + done.stderr  # failures are told with their addresses


@pytest.mark.parametrize("name", SECRETS)
def test_no_byte_that_was_left_has_a_secret(run, name):
    settings, done, _ = run
    secret = SECRETS[name]
    assert not Word.of(secret).is_in(done.stdout + done.stderr)
    also = [PROJECT / "dbt" / "target", PROJECT / "dbt" / "logs"]
    found = find_traces(settings, secret, also=[path for path in also if path.is_dir()])
    assert [f"{trace.path}: {trace.place}" for trace in found] == []


def test_the_same_search_finds_what_is_there(run):
    settings, _, _ = run
    found = {trace.path.relative_to(settings.home).parts[0] for trace in
             find_traces(settings, "HORN-01")}  # fmt: skip
    assert {"lake", "releases", "landing", "sites"} <= found
