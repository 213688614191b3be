"""A real HTTP server in this process, that answers as a test scripts it, well or badly."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from ingestion.fetching import Fetch
from ingestion.protocols import download
from ingestion.web.client import connect
from lakehouse.contracts import SourceContract
from lakehouse.errors import SourceUnavailable
from tests.unit.ingestion.lake import Lake, column

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""The clock of day of these tests."""


@dataclass
class Asked:
    """A request as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    target: str


@dataclass
class Reply:
    """What is answered.

    Attributes:
        announced: Content-Length, when it is not the body's.
        stall_s: Seconds of silence before the body.
        drip: Send one byte at a time, with this pause.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    stall_s: float = 0.0
    drip_s: float = 0.0


Answering = Callable[[Asked], Reply]


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """JSON."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(content, status, {"Content-Type": "application/json"} | told)


def zipped(content: bytes, kind: str = "application/json") -> Reply:
    headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
    return Reply(gzip.compress(content), 200, headers)


@dataclass
class Server:
    """A server under way."""

    port: int
    answering: Answering
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(parts.path, query, headers, self.path)
        self.owner.asked.append(asked)
        answer = self.owner.answering(asked)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        size = len(answer.body) if answer.announced is None else answer.announced
        self.send_header("Content-Length", str(size))
        self.end_headers()
        time.sleep(answer.stall_s)
        try:
            if answer.drip_s:
                for byte in answer.body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(answer.drip_s)
            else:
                self.wfile.write(answer.body)
        except OSError:
            self.close_connection = True
        if size != len(answer.body):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that goes away is what some tests want."""


@contextmanager
def serving(answering: Answering, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve on a free port of this machine."""
    server = Server(0, answering)
    handler = type("Handler", (_Handler,), {"owner": server})
    with _Quiet(("127.0.0.1", 0), handler) as http:
        server.port = http.server_address[1]
        if tls:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


@contextmanager
def canary() -> Iterator[Callable[[], tuple[int, int]]]:
    """A listener that nobody may reach; tells its port and how many did."""
    reached = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.01)

        def state() -> tuple[int, int]:
            nonlocal reached
            while True:
                try:
                    listener.accept()[0].close()
                    reached += 1
                except TimeoutError:
                    return listener.getsockname()[1], reached

        yield state


def in_turn(*replies: Reply) -> Answering:
    """One reply after the other; the last one for ever."""
    rest = list(replies)

    def answering(_: Asked) -> Reply:
        return rest.pop(0) if len(rest) > 1 else rest[0]

    return answering


CHANNELS = (
    column("id", kind="string"),
    column("time", kind="string"),
    column("temperature", "air_temperature", "Cel"),
)
INTERNAL = {"internal": True, "timeoutS": 5, "attempts": 3}


def contract_of(
    lake: Lake,
    protocol: str,
    location: str,
    *,
    options: Mapping[str, Any] | None = None,
    **delivery: Any,
) -> SourceContract:
    """A contract that is fetched by a protocol from a server of these tests."""
    rules = {
        "protocol": protocol,
        "format": "csv",
        "time": {"columns": ["time"], "zone": "UTC"},
        "device": {"column": "id"},
        "http": INTERNAL | dict(options or {}),
    } | delivery
    return lake.source(delivery=rules, columns=CHANNELS, location=location)


@dataclass
class Taken:
    """What a protocol offered: name, bytes and mark of each, and how long was waited."""

    names: list[str]
    bodies: list[bytes]
    marks: list[int | None]
    waits: list[float]
    pulled: set[bool]


def patiently(waits: list[float], now: datetime = NOW, **changes: Any) -> Callable[..., Any]:
    """Opens clients that write down how long they would have waited."""
    return partial(connect, sleep=waits.append, now=lambda: now, **changes)


def take(
    lake: Lake,
    protocol: Any,
    contract: SourceContract,
    cursor: int = 0,
    taken: frozenset[str] = frozenset(),
    now: datetime = NOW,
    into: Taken | None = None,
    **changes: Any,
) -> Taken:
    """Everything that a protocol offers; `into` keeps what came before a failure."""
    found = into or Taken([], [], [], [], set())
    scratch = lake.settings.home / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    fetch = Fetch(contract, lake.settings, cursor, scratch, taken.__contains__)
    for offer in protocol.offers(fetch, patiently(found.waits, now, **changes)):
        found.names.append(offer.name)
        found.bodies.append(offer.path.read_bytes())
        found.marks.append(offer.marks.get("cursor"))
        found.pulled.add(offer.is_pulled)
    return found


CSV = Reply(b"id,time,temperature\na,2026-01-01 00:00,1\n", headers={"Content-Type": "text/csv"})


@pytest.fixture
def fetch(lake):
    """Download `/a.csv` from a server that answers so: the offers and the requests."""

    def fetched(answering, path="/a.csv", host=None, changes=None, **options):
        with serving(answering) as server:
            url = server.url.replace("127.0.0.1", host) if host else server.url
            contract = contract_of(lake, "http", url + path, options=options)
            try:
                return take(lake, download, contract, **(changes or {})), server.asked
            except SourceUnavailable as error:
                return str(error), server.asked

    return fetched


@pytest.fixture
def nothing_public_is_asked(monkeypatch):
    """A connection that leaves this machine is a mistake of the test."""
    plain = socket.create_connection

    def guarded(address, *rest, **more):
        if not address[0].startswith("127."):
            raise TimeoutError
        return plain(address, *rest, **more)

    monkeypatch.setattr(socket, "create_connection", guarded)
