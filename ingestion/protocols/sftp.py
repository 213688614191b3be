"""Files on an SFTP server whose host key is known beforehand.

A key that is not the contract's ends the connection before any password or key is offered:
the first answer of an unknown host is never believed.

Source: draft-ietf-secsh-filexfer-02 (SFTP 3), RFC 4253; paramiko 5.
"""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import paramiko

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch, address, variable
from ingestion.protocols import remote_files
from ingestion.protocols.patience import patiently
from ingestion.protocols.remote_files import Place, RemoteFile
from lakehouse.contracts import SourceContract
from lakehouse.errors import Problem, SourceUnavailable

_FAILURES: Final = (OSError, EOFError, paramiko.SSHException)
_DEEPEST: Final = 32
"""Folders within folders; a link could make them endless."""


def offers(fetch: Fetch) -> Iterator[Offer]:
    """The files that match, oldest name first.

    Args:
        fetch: Its contract's location is `sftp://user@host/folder/*.csv`, or `env:NAME` of a
            variable holding one with a password; `**` spans folders.

    Raises:
        SourceUnavailable: The server did not answer, or is not the one that is known.
    """
    url = urlsplit(address(fetch.contract, fetch.settings))
    if url.scheme != "sftp" or not url.hostname or not url.path.strip("/"):
        raise _problem(fetch.contract, "servers", "the address is no sftp://user@host/folder/*.csv")
    opened = partial(_session, fetch.contract, url)
    with patiently(fetch.contract, opened, _FAILURES, _told, "the SFTP server") as transport:
        client = paramiko.SFTPClient.from_transport(transport)
        channel = client.get_channel() if client else None
        if client is None or channel is None:
            raise _problem(fetch.contract, "servers", "the server has no SFTP")
        channel.settimeout(fetch.contract.delivery.pull.timeout_s)
        base, parts = _split(unquote(url.path))
        place = Place(
            files=lambda: list(_walk(client, base, base, parts, 0)),
            fetch=partial(_fetch, client, base),
            settle_s=fetch.contract.delivery.remote.settle_s,
        )
        try:
            yield from remote_files.offers(fetch, place)
        except _FAILURES as error:
            raise _problem(
                fetch.contract, "servers", f"the SFTP server broke off: {_told(error)}"
            ) from None


def _problem(contract: SourceContract, key: str, what: str) -> SourceUnavailable:
    return SourceUnavailable(
        Problem(f"{contract.path}: {key}", what, "Correct the contract, or ask the supplier.")
    )


def _told(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _session(contract: SourceContract, url: SplitResult) -> paramiko.Transport:
    """Connect, make sure of the host, and log in."""
    remote, timeout = contract.delivery.remote, contract.delivery.pull.timeout_s
    if remote.host_key is None:
        raise _problem(
            contract, "delivery.remote.hostKey", "the server's key is not known: write 'SHA256:…'"
        )
    known = variable(contract, remote.host_key)
    line = socket.create_connection((url.hostname or "", url.port or 22), timeout)
    transport = paramiko.Transport(line)
    try:
        transport.start_client(timeout=timeout)
        shown = transport.get_remote_server_key().fingerprint
        if shown != known:
            raise _problem(
                contract,
                "delivery.remote.hostKey",
                f"the server shows the key {shown}, not {known}: somebody may stand between",
            )
        user = unquote(url.username or "")
        if remote.key_file is not None:
            key = paramiko.PKey.from_path(variable(contract, remote.key_file))
            transport.auth_publickey(user, key)
        else:
            transport.auth_password(user, unquote(url.password or ""))
    except BaseException as error:
        transport.close()
        if isinstance(error, paramiko.AuthenticationException):  # once more would lock the user
            raise _problem(contract, "servers", "the server refuses the login") from None
        raise
    return transport


def _split(path: str) -> tuple[str, tuple[str, ...]]:
    """The folder above the first pattern, and the parts of the pattern."""
    parts = PurePosixPath(path).parts
    fixed = next((n for n, part in enumerate(parts) if set(part) & set("*?[")), len(parts) - 1)
    fixed = min(fixed, len(parts) - 1)
    return str(PurePosixPath(*parts[:fixed])), parts[fixed:]


def _walk(
    client: paramiko.SFTPClient, base: str, folder: str, parts: tuple[str, ...], depth: int
) -> Iterator[RemoteFile]:
    """Files below a folder whose path fits the parts of a pattern; links to folders are files."""
    head, rest = parts[0], parts[1:]
    if head == "**":
        yield from _walk(client, base, folder, rest, depth)
    for entry in client.listdir_attr(folder):
        kind = stat.S_IFMT(entry.st_mode or 0)
        name = f"{folder.rstrip('/')}/{entry.filename}"
        if kind == stat.S_IFDIR:
            if depth < _DEEPEST and head == "**":
                yield from _walk(client, base, name, parts, depth + 1)
            elif depth < _DEEPEST and rest and fnmatchcase(entry.filename, head):
                yield from _walk(client, base, name, rest, depth + 1)
        elif not rest and head != "**" and fnmatchcase(entry.filename, head):
            yield RemoteFile(
                name=name.removeprefix(base).lstrip("/"),
                version=f"{entry.st_size} {entry.st_mtime}",
                modified=datetime.fromtimestamp(entry.st_mtime or 0, UTC),
                is_link=kind != stat.S_IFREG,
            )


def _fetch(client: paramiko.SFTPClient, base: str, file: RemoteFile, path: Path) -> str:
    source = f"{base.rstrip('/')}/{file.name}"
    client.get(source, str(path))  # it compares the size with what came
    after = client.lstat(source)
    return f"{after.st_size} {after.st_mtime}"
