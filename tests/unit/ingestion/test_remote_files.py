"""Files fetched from an SFTP server (a real one, in a thread) and from object stores."""

from __future__ import annotations

import asyncio
import json
import os
import threading

import asyncssh
import fsspec
import pytest

from ingestion.protocols import object_store, patience, remote_files, sftp
from lakehouse.errors import SourceUnavailable
from tests.unit.ingestion.lake import CSV, METER

HEADER = "meter;time;kwh\n"
ROW = HEADER + "m1;2026-10-19 10:00;1.5\n"


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr(remote_files.time, "sleep", waited.append)
    monkeypatch.setattr(patience.time, "sleep", waited.append)
    return waited


class Guard(asyncssh.SSHServer):
    """Lets one user in, by password or by key, and remembers who tried."""

    tried: list[str] = []  # noqa: RUF012 - asyncssh makes one object a connection

    def begin_auth(self, username: str) -> bool:
        Guard.tried.append(username)
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("vatten", "hem ligt")

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return bool(key.get_fingerprint() == Guard.known)

    known = ""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Port, host key and folder of an SFTP server."""
    folder = tmp_path_factory.mktemp("sftp")
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Guard, server_host_keys=[host_key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(folder)),
        )  # fmt: skip

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(20)

    async def close() -> None:
        acceptor.close()
        await acceptor.wait_closed()

    yield acceptor.get_port(), host_key.get_fingerprint(), folder
    asyncio.run_coroutine_threadsafe(close(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


@pytest.fixture
def drop(server, tmp_path):
    """An empty folder on the server."""
    folder = server[2] / tmp_path.name
    folder.mkdir()
    return folder


@pytest.fixture
def source(lake, server, drop, monkeypatch):
    def contract(pattern="*.csv", told="hem%20ligt", **remote):
        port, key, _ = server
        monkeypatch.setenv(
            "SJOSTAD_TEST_SFTP", f"sftp://vatten:{told}@127.0.0.1:{port}/{drop.name}/{pattern}"
        )
        remote = {"hostKey": key, "settleS": 1} | remote
        delivery = CSV | {
            "protocol": "sftp",
            "remote": {name: value for name, value in remote.items() if value is not None},
            "pull": {"attempts": 2, "timeoutS": 10},
        }
        return lake.source(
            "meters", columns=METER, delivery=delivery, location="env:SJOSTAD_TEST_SFTP"
        )

    return contract


def names(lake) -> list[tuple[str, str, int]]:
    return [(row["name"], row["outcome"], row["landed"]) for row in lake.ledger()]


def test_files_are_fetched_and_taken_once(lake, source, drop, monkeypatch):
    (drop / "b.csv").write_text(ROW)
    (drop / "a.csv").write_text(HEADER + "m1;2026-10-19 11:00;2\n")
    (drop / "a.txt").write_text("something else")
    os.utime(drop / "a.csv", (1_793_000_000, 1_793_000_000))
    outcome = lake.ingest(source())
    assert [receipt.name for receipt in outcome.receipts] == ["a.csv", "b.csv"]
    assert [row["value"] for row in lake.bronze()] == [1.5, 2.0]
    versions = lake.versions()
    monkeypatch.setattr(sftp, "_fetch", pytest.fail)
    assert lake.ingest(source()).receipts == ()
    assert lake.versions() == versions
    assert sorted(path.name for path in drop.iterdir()) == ["a.csv", "a.txt", "b.csv"]


def test_lost_hints_cost_a_transfer_and_nothing_else(lake, source, drop):
    (drop / "a.csv").write_text(ROW)
    lake.ingest(source())
    hints = lake.settings.home / "hints" / "meters.json"
    assert list(json.loads(hints.read_text())) == ["a.csv"]
    versions = lake.versions()
    for damage in (hints.unlink, lambda: hints.write_text("{"), lambda: hints.write_text("{}")):
        damage()
        outcome = lake.ingest(source())
        assert (outcome.receipts, outcome.passed_over) == ((), 1)
    assert lake.versions() == versions


def test_file_of_the_same_name_with_other_bytes_is_taken(lake, source, drop):
    (drop / "a.csv").write_text(ROW)
    lake.ingest(source())
    (drop / "a.csv").write_text(ROW + "m1;2026-10-19 11:00;2\n")
    assert lake.ingest(source()).ledger.landed == 1


def test_half_written_file_waits_for_the_next_run(lake, source, drop, monkeypatch):
    (drop / "a.csv").write_text(HEADER)
    (drop / "b.csv").write_text(ROW)

    def supplier_goes_on(_seconds: float) -> None:
        (drop / "a.csv").write_text(HEADER + "m1;2026-10-19 11:00;2\n")

    monkeypatch.setattr(remote_files.time, "sleep", supplier_goes_on)
    assert [receipt.name for receipt in lake.ingest(source()).receipts] == ["b.csv"]
    monkeypatch.setattr(remote_files.time, "sleep", lambda _: None)
    assert [receipt.name for receipt in lake.ingest(source()).receipts] == ["a.csv"]


def test_file_that_changes_while_it_is_fetched_waits_too(lake, source, drop, monkeypatch):
    (drop / "a.csv").write_text(ROW)
    real = sftp.paramiko.SFTPClient.get

    def get(client, remote, local):
        real(client, remote, local)
        (drop / "a.csv").write_text(ROW + ROW)

    monkeypatch.setattr(sftp.paramiko.SFTPClient, "get", get)
    assert lake.ingest(source()).receipts == ()


def test_links_are_refused(lake, source, drop):
    (drop / "secret").write_text(ROW)
    (drop / "a.csv").symlink_to(drop / "secret")
    (drop / "b.csv").write_text(ROW)
    outcome = lake.ingest(source())
    assert [(r.name, r.outcome) for r in outcome.receipts] == [
        ("a.csv", "refused"), ("b.csv", "landed"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["../x.csv", "a/../../x.csv", "/etc/x.csv", "a\\..\\x.csv", "a\n.csv"]
)
def test_name_that_leads_out_is_none(name):
    file = remote_files.RemoteFile(name, "1", remote_files.datetime.now())
    assert not file.is_plain
    assert remote_files.RemoteFile("a/b..csv", "1", file.modified).is_plain


def test_patterns_span_folders(lake, source, drop):
    for name in ("a.csv", "x/b.csv", "x/y/c.csv", "x/y/d.txt"):
        (drop / name).parent.mkdir(parents=True, exist_ok=True)
        (drop / name).write_text(ROW)

    def found(pattern: str) -> list[str]:
        outcome = lake.ingest(source(pattern))
        hints = lake.settings.home / "hints" / "meters.json"
        seen = sorted(json.loads(hints.read_text()))
        hints.unlink()
        assert outcome.refused == ()
        return seen

    assert found("*.csv") == ["a.csv"]
    assert found("*/*.csv") == ["x/b.csv"]
    assert found("**/*.csv") == ["a.csv", "x/b.csv", "x/y/c.csv"]
    assert found("x/y/c.csv") == ["c.csv"]


def test_unknown_host_is_told_nothing(lake, source, drop):
    (drop / "a.csv").write_text(ROW)
    Guard.tried.clear()
    with pytest.raises(SourceUnavailable, match=r"shows the key SHA256:.*stand between") as caught:
        lake.ingest(source(hostKey="SHA256:abc"))
    with pytest.raises(SourceUnavailable, match="the server's key is not known"):
        lake.ingest(source(hostKey=None))
    assert Guard.tried == []
    assert "ligt" not in str(caught.value)


def test_fingerprint_and_key_from_variables(lake, server, source, drop, monkeypatch, tmp_path):
    (drop / "a.csv").write_text(ROW)
    mine = asyncssh.generate_private_key("ssh-ed25519")
    mine.write_private_key(str(tmp_path / "key"))
    monkeypatch.setattr(Guard, "known", mine.get_fingerprint())
    monkeypatch.setenv("SJOSTAD_TEST_HOST_KEY", server[1])
    monkeypatch.setenv("SJOSTAD_TEST_KEY", str(tmp_path / "key"))
    contract = source(hostKey="env:SJOSTAD_TEST_HOST_KEY", keyFile="env:SJOSTAD_TEST_KEY")
    assert lake.ingest(contract).ledger.landed == 1


def test_wrong_password_is_tried_once(lake, source, drop, waits):
    with pytest.raises(SourceUnavailable, match="refuses the login") as caught:
        lake.ingest(source(told="gissning"))
    assert waits == []
    assert "gissning" not in str(caught.value)


def test_server_that_is_not_there(lake, source, drop, waits, monkeypatch):
    contract = source()
    monkeypatch.setenv("SJOSTAD_TEST_SFTP", "sftp://vatten:hemligt@127.0.0.1:1/x/*.csv")
    with pytest.raises(
        SourceUnavailable, match="SFTP server did not answer in 2 attempts"
    ) as caught:
        lake.ingest(contract)
    assert waits == [0.5]
    assert "hemligt" not in str(caught.value)
    for address in ("https://host/x", "sftp://host", "sftp:///x"):
        monkeypatch.setenv("SJOSTAD_TEST_SFTP", address)
        with pytest.raises(SourceUnavailable, match="is no sftp://"):
            lake.ingest(contract)


@pytest.fixture
def store(lake):
    """A store in memory, and a way to write a contract for it."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]

    def contract(location="memory://drops/**/*.csv"):
        return lake.source("meters", columns=METER, location=location,
                           delivery=CSV | {"protocol": "object_store"})  # fmt: skip

    return memory, contract


def test_objects_are_fetched_and_taken_once(lake, store, monkeypatch):
    memory, contract = store
    memory.pipe("/drops/x/b.csv", ROW.encode())
    memory.pipe("/drops/a.csv", (HEADER + "m1;2026-10-19 11:00;2\n").encode())
    memory.pipe("/drops/a.txt", b"something else")
    outcome = lake.ingest(contract())
    assert [receipt.name for receipt in outcome.receipts] == ["a.csv", "x/b.csv"]
    assert [row["value"] for row in lake.bronze()] == [1.5, 2.0]
    versions = lake.versions()
    monkeypatch.setattr(object_store, "_fetch", pytest.fail)
    assert lake.ingest(contract()).receipts == ()
    assert lake.versions() == versions


def test_object_that_is_replaced_is_taken_again(lake, store):
    memory, contract = store
    memory.pipe("/drops/a.csv", ROW.encode())
    lake.ingest(contract())
    memory.pipe("/drops/a.csv", ROW.replace("1.5", "2.5").encode())
    assert lake.ingest(contract()).ledger.landed == 1


def test_files_behind_links_are_refused(lake, store, tmp_path):
    _, contract = store
    (tmp_path / "drops" / "real").mkdir(parents=True)
    (tmp_path / "drops" / "real" / "a.csv").write_text(ROW)
    (tmp_path / "drops" / "b.csv").symlink_to(tmp_path / "drops" / "real" / "a.csv")
    (tmp_path / "drops" / "way").symlink_to(tmp_path / "drops" / "real")
    outcome = lake.ingest(contract(f"file://{tmp_path}/drops/**/*.csv"))
    assert {(r.name, r.outcome) for r in outcome.receipts} >= {
        ("b.csv", "refused"), ("real/a.csv", "landed"),
    }  # fmt: skip
    assert [r.name for r in outcome.receipts if r.outcome == "landed"] == ["real/a.csv"]


def test_store_whose_package_is_missing_or_that_fails(lake, store, monkeypatch, waits):
    memory, contract = store
    with pytest.raises(SourceUnavailable, match="the store cannot be used"):
        lake.ingest(contract("nowhere://bucket/*.csv"))

    def fails(*_args, **_kwargs):
        raise PermissionError("Access Denied")

    monkeypatch.setattr(type(memory), "glob", fails)
    with pytest.raises(SourceUnavailable, match="did not answer in 3 attempts: Access Denied"):
        lake.ingest(contract())
    assert waits == [0.5, 1.0]
