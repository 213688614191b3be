"""Files that are downloaded from one address or several, again only when they have changed.

What a server says of a version (ETag, Last-Modified) is kept beside the landed bytes, as a hint:
it is used only when the bytes it belongs to have really been taken, so a lost or wrong hint costs
a download and never a delivery.

Source: RFC 9110 sections 8.8 (validators) and 13.1 (conditional requests).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx2

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.landing import digest
from ingestion.web.addresses import DAY
from ingestion.web.answers import Answer, refuse
from ingestion.web.client import Client, Connection, connect
from lakehouse.errors import Problem, SourceUnavailable

_CONDITIONS: Final = {"etag": "if-none-match", "last-modified": "if-modified-since"}
_PAGES: Final = ("text/html", "application/xhtml+xml")


def offers(fetch: Fetch, connecting: Callable[..., Connection] = connect) -> Iterator[Offer]:
    """The files of the contract's addresses that are new or have changed.

    An address that cannot be had does not keep the others back.

    Args:
        fetch: Its contract's location is one address, or several: `{a,b}` for a choice, `{day}`
            for each of the last `http.days` days; a day's file that is not there is none yet.
        connecting: Opens the client.

    Raises:
        SourceUnavailable: Some addresses could not be had; all others were offered before.
    """
    problems: list[Problem] = []
    with connecting(fetch.contract) as client:
        for number, address in enumerate(client.addresses):
            try:
                found = _download(fetch, client, address, fetch.scratch / f"download-{number}")
            except SourceUnavailable as error:
                problems += error.problems
                continue
            if found:
                yield Offer(address.path.lstrip("/"), found.path, client.now())
    if problems:
        raise SourceUnavailable(*problems)


def _download(fetch: Fetch, client: Client, address: httpx2.URL, target: Path) -> Answer | None:
    """The file of an address; None when it has not changed, or is not there yet."""
    hint = _hint_of(fetch, address)
    known = _read(hint)
    conditions = {}
    if fetch.is_taken(known.get("sha256", "")):
        conditions = {_CONDITIONS[name]: known[name] for name in _CONDITIONS if known.get(name)}
    accept = {
        200,
        *((304,) if conditions else ()),
        *((404,) if DAY in fetch.contract.location else ()),
    }
    answer = client.get(address, target, headers=conditions, accept=accept)
    if answer.status != 200:
        return None
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _PAGES and not address.path.lower().endswith((".html", ".htm")):
        refuse(address, "it answered with a web page instead of the file", "Open the address.")
    _write(hint, {"sha256": digest(target)} | {n: answer.headers.get(n, "") for n in _CONDITIONS})
    return answer


def _hint_of(fetch: Fetch, address: httpx2.URL) -> Path:
    name = hashlib.sha256(str(address).encode()).hexdigest()
    return fetch.settings.landing / fetch.contract.id / "validators" / f"{name}.json"


def _read(hint: Path) -> dict[str, str]:
    try:
        known = json.loads(hint.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}


def _write(hint: Path, known: dict[str, str]) -> None:
    hint.parent.mkdir(parents=True, exist_ok=True)
    fresh = hint.with_name(f"{hint.name}.{os.getpid()}.new")
    fresh.write_text(json.dumps(known), encoding="utf-8")
    os.replace(fresh, hint)
