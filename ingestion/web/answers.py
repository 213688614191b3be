"""Answers over HTTP: what one is, which are sound, and how their bodies are unpacked.

Messages show no more of an address than host and path: parameters may hold credentials.

Source: RFC 9110 (HTTP), sections 8.4 (content codings) and 10.2.3 (Retry-After); RFC 1952 (gzip);
RFC 8259 (JSON).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import httpcore2
import httpx2

from lakehouse.errors import Problem, SourceUnavailable

_LONGEST_RETRY_AFTER_S: Final = 120.0
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body lies in a file.

    Attributes:
        address: What was asked last, after redirects.
        status: HTTP status.
        headers: Its headers.
        path: The body, as it was before it was packed for the way.
    """

    address: httpx2.URL
    status: int
    headers: httpx2.Headers
    path: Path


class Transient(Exception):
    """An attempt that may go better the next time; says why in words.

    Attributes:
        wait_s: Seconds the server asked to wait; None when it did not.
    """

    def __init__(self, what: str, wait_s: float | None = None) -> None:
        self.what, self.wait_s = what, wait_s
        super().__init__(what)


def text_of(address: httpx2.URL) -> str:
    """As much of an address as may be shown: parameters may hold credentials."""
    return f"{address.scheme}://{address.netloc.decode()}{address.path}"


def unavailable(address: httpx2.URL, what: str, remedy: str) -> SourceUnavailable:
    """The error that gives a request up."""
    return SourceUnavailable(Problem(text_of(address), what, remedy))


def refuse(address: httpx2.URL, what: str, remedy: str) -> NoReturn:
    """Give a request up.

    Raises:
        SourceUnavailable: Always.
    """
    raise unavailable(address, what, remedy) from None


def require_status(address: httpx2.URL, response: httpx2.Response, accept: Collection[int]) -> None:
    """Check that an answer is one.

    Raises:
        Transient: It may be one the next time.
        SourceUnavailable: It will not.
    """
    status = response.status_code
    if status in accept:
        return
    if status == 429 or status >= 500:
        raise Transient(f"it answered {status}", _retry_after(response))
    refuse(
        address,
        f"it answered {status}",
        {
            401: "Check the credentials that http.headers or http.query name.",
            403: "Check the credentials that http.headers or http.query name.",
            404: "Check the address in the contract.",
        }.get(status, "Check what the contract asks for."),
    )


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds the server asks to wait, as a number or until a date; never more than two minutes."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdigit():
        return min(float(text), _LONGEST_RETRY_AFTER_S)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (until.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_S)


def unpacked(address: httpx2.URL, response: httpx2.Response) -> Iterator[bytes]:
    """The body without its packing, verified to its end.

    A file that is an archive by its own name stays one, whatever the server says of it.

    Raises:
        Transient: It is damaged or cut.
        SourceUnavailable: It is packed in a way nobody asked for.
    """
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing in ("identity", "") or address.path.lower().endswith((".gz", ".tgz")):
        yield from response.iter_raw()
        return
    if packing not in ("gzip", "x-gzip"):
        refuse(address, f"it packs its answer as '{packing}'", "Ask for plain or gzip.")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        for packed in response.iter_raw():
            rest = packed
            while rest:
                yield unpacker.decompress(rest, _CHUNK)
                rest = unpacker.unconsumed_tail
                if unpacker.eof and (rest := unpacker.unused_data):
                    unpacker = zlib.decompressobj(wbits=31)
    except zlib.error:
        raise Transient("the packed answer is damaged") from None
    if not unpacker.eof:
        raise Transient("the packed answer is cut")


def words(error: Exception) -> str:
    """What went wrong on the way; texts of the library may hold what was sent."""
    if isinstance(error, httpx2.ConnectTimeout | httpcore2.ConnectTimeout):
        return "it could not be reached in time"
    if isinstance(error, httpx2.TimeoutException | httpcore2.TimeoutException):
        return "it was silent for too long, or took too long to answer"
    if isinstance(error, httpx2.ConnectError | httpcore2.ConnectError):
        return f"it cannot be reached ({error})"
    return "it broke off before the end of its answer"


def document(answer: Answer) -> Any:  # noqa: ANN401 - JSON
    """The body as JSON.

    Raises:
        SourceUnavailable: It is something else, or not whole.
    """
    kind = answer.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind not in ("application/json", "text/json") and not kind.endswith("+json"):
        refuse(
            answer.address,
            f"it answered with '{kind}', not JSON",
            "Open the address: it may be a page about an error or a log-in.",
        )
    try:
        return json.loads(answer.path.read_bytes())
    except (ValueError, RecursionError):
        refuse(answer.address, "the answer is no whole JSON document", "The next run asks again.")
