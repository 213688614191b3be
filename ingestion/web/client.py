"""Asking servers over HTTP, guarded: where a request may go, how long, how often and how much.

Every request of a source goes through `Client.get`. Credentials, and the query of every address,
join it below the library that logs it, so they stand in no log.

Source: RFC 9110 (HTTP), sections 10.2.3 (Retry-After) and 15.4 (redirects).
"""

from __future__ import annotations

import os
import random
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpcore2
import httpx2

from ingestion.web import addresses
from ingestion.web.answers import (
    Answer,
    Transient,
    refuse,
    require_status,
    unavailable,
    unpacked,
    words,
)
from ingestion.web.network import Backend, Forbidden, Resolve, resolve
from lakehouse.contracts import SourceContract
from lakehouse.contracts.fetching import Http
from lakehouse.errors import Problem, SourceUnavailable

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 30.0
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(slots=True)
class Client:
    """Asks the servers of one source, one request at a time.

    Attributes:
        options: What the contract says.
        addresses: Those of its server.
        origins: Scheme, host and port that may be asked.
        now: The clock of day.
        sleep: Waits.
    """

    options: Http
    addresses: tuple[httpx2.URL, ...]
    origins: frozenset[tuple[str, str, int]]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    _http: httpx2.Client
    _backend: Backend
    _spent_s: float = 0.0
    _asked: int = 0

    def get(
        self,
        address: httpx2.URL,
        target: Path,
        *,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (200,),
    ) -> Answer:
        """Ask until there is an answer, within the contract's attempts.

        Args:
            address: What to ask for.
            target: Where the body is written.
            headers: Headers of this request only.
            accept: Statuses that are an answer; any other is an error.

        Raises:
            SourceUnavailable: The address must not be asked, or there was no sound answer.
        """
        self._require_allowed(address)
        for attempt in range(1, self.options.attempts + 1):
            try:
                return self._timed(address, target, headers or {}, accept)
            except Transient as error:
                if attempt == self.options.attempts:
                    raise unavailable(
                        address,
                        f"no sound answer in {attempt} attempts: {error.what}",
                        "Check the link and the server; the next run goes on from where this one "
                        "came to.",
                    ) from None
                self._pause(address, attempt, error)
        raise AssertionError("unreachable")

    def _pause(self, address: httpx2.URL, attempt: int, error: Transient) -> None:
        wait_s = error.wait_s
        if wait_s is None:
            jitter = 0.5 + random.random()  # noqa: S311 - it spreads requests, it hides nothing
            wait_s = min(_FIRST_WAIT_S * 2 ** (attempt - 1), _LONGEST_WAIT_S) * jitter
        self._spent_s += wait_s
        self._require_time(address)
        self.sleep(wait_s)

    def _require_time(self, address: httpx2.URL) -> None:
        if self._spent_s >= self.options.total_s:
            refuse(
                address,
                f"the run's {self.options.total_s:g} seconds for requests are used up",
                "Raise http.totalS, or ask for less at a time.",
            )

    def _timed(
        self,
        address: httpx2.URL,
        target: Path,
        headers: Mapping[str, str],
        accept: Collection[int],
    ) -> Answer:
        """One attempt, redirects included, within the time that is left."""
        self._require_time(address)
        if self._asked and self.options.pause_s:
            self.sleep(self.options.pause_s)
        self._asked += 1
        began = time.monotonic()
        left_s = self.options.total_s - self._spent_s
        self._backend.deadline = began + min(self.options.request_s, left_s)
        try:
            return self._once(address, target, headers, accept)
        except Forbidden as error:
            refuse(
                address,
                f"the server must not be asked: {error}",
                "Correct the address; a server in the city's own network needs http.internal.",
            )
        except (httpx2.TransportError, httpcore2.TimeoutException) as error:
            raise Transient(words(error)) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Transient(words(error)) from None
        finally:
            self._spent_s += time.monotonic() - began

    def _once(
        self,
        address: httpx2.URL,
        target: Path,
        headers: Mapping[str, str],
        accept: Collection[int],
    ) -> Answer:
        redirects = 0
        while True:
            shown = address.copy_with(query=None)  # the library logs what it is asked for
            asked = {"asked": address}
            with self._http.stream("GET", shown, headers=headers, extensions=asked) as response:
                if response.status_code not in _REDIRECTS:
                    require_status(address, response, accept)
                    self._keep(address, response, target)
                    return Answer(address, response.status_code, response.headers, target)
                address = self._redirected(address, response)
            redirects += 1
            if redirects > _MOST_REDIRECTS:
                refuse(address, "it redirects without end", "Correct the address.")

    def _redirected(self, address: httpx2.URL, response: httpx2.Response) -> httpx2.URL:
        try:
            target = address.join(response.headers.get("location", ""))
        except httpx2.InvalidURL:
            refuse(address, "it redirects to what is no address", "Ask the supplier.")
        if _origin(target) != _origin(address):
            refuse(
                address,
                f"it redirects to another server, {target.scheme}://{target.host}",
                "Check that it is the supplier's, then write that address into the contract.",
            )
        return target

    def _require_allowed(self, address: httpx2.URL) -> None:
        place = "the address in the contract"
        if address.userinfo:
            refuse(address, "the address holds a user's name", "Use http.headers with env:NAME.")
        if address.scheme not in ("https", "http") or not address.host:
            refuse(address, "this is no https address", f"Correct {place}.")
        if address.scheme == "http" and not self.options.internal:
            refuse(address, "it is not asked over https", f"Correct {place}, or http.internal.")
        if _origin(address) not in self.origins:
            refuse(
                address,
                "the contract does not name this server",
                "Check that it is the supplier's, then add it to http.hosts.",
            )

    def _keep(self, address: httpx2.URL, response: httpx2.Response, target: Path) -> None:
        """Write the body into a file, no more of it than the contract allows."""
        limit = self.options.max_bytes
        size = 0
        with target.open("wb") as file:
            for chunk in unpacked(address, response):
                size += len(chunk)
                if size > limit:
                    refuse(
                        address,
                        f"the answer has more than {limit:,} bytes",
                        "If that is right, raise http.maxBytes in the contract.",
                    )
                file.write(chunk)


Connection = AbstractContextManager[Client]


@contextmanager
def connect(
    contract: SourceContract,
    *,
    resolve: Resolve = resolve,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    certificates: ssl.SSLContext | None = None,
) -> Iterator[Client]:
    """A client for the servers of a contract, and for no other.

    Args:
        contract: The source; the addresses of its server say which hosts may be asked.
        resolve: Looks names up.
        sleep: Waits.
        now: The clock of day.
        certificates: Which certificates are trusted; the system's when omitted.

    Raises:
        SourceUnavailable: The address is none, or a variable it names is not set.
    """
    options = contract.delivery.http
    known = tuple(addresses.of(contract, now()))
    origins = {_origin(address) for address in known}
    for host in options.hosts:
        name, _, port = host.partition(":")
        schemes = ("https", "http") if options.internal else ("https",)
        origins |= {(scheme, name, int(port or _DEFAULT_PORTS[scheme])) for scheme in schemes}
    backend = Backend(resolve, options.internal)
    pool = httpcore2.ConnectionPool(
        ssl_context=certificates or httpx2.create_ssl_context(), network_backend=backend
    )
    headers = {name: _value(contract, value) for name, value in options.headers.items()}
    query = {name: _value(contract, value) for name, value in options.query.items()}
    http = httpx2.Client(
        transport=_Transport(pool, headers, query),
        timeout=options.timeout_s,
        trust_env=False,  # a proxy would resolve names by itself
        headers={"user-agent": "sjostad", "accept-encoding": "gzip"},
    )
    with http:
        yield Client(options, known, frozenset(origins), now, sleep, http, backend)


def _origin(address: httpx2.URL) -> tuple[str, str, int]:
    return (
        address.scheme,
        address.host,
        address.port or _DEFAULT_PORTS.get(address.scheme, 0),
    )


def _value(contract: SourceContract, value: str) -> str:
    if not value.startswith("env:"):
        return value
    name = value.removeprefix("env:")
    secret = os.environ.get(name, "")
    if not secret or not secret.isascii() or not secret.isprintable():
        what = f"{name} holds what no request can carry" if secret else f"{name} is not set"
        raise SourceUnavailable(
            Problem(f"{contract.path}: customProperties.delivery.http", what, "Set the variable.")
        )
    return secret


class _Transport(httpx2.BaseTransport):
    """Hands requests to a pool of checked connections, with the credentials that they carry."""

    def __init__(
        self,
        pool: httpcore2.ConnectionPool,
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> None:
        self._pool, self._headers, self._query = pool, headers, query

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url: httpx2.URL = request.extensions["asked"]
        if self._query:
            url = url.copy_merge_params(dict(self._query))
        headers = request.headers.copy()
        headers.update(self._headers)
        answer = self._pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=headers.raw,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    """The body of an answer; closing it gives the connection back."""

    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
