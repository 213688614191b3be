"""Reading an API page by page: one loop, and what APIs differ in as functions.

A page becomes an offer of the bytes that came. The loop never takes a failure for the end: it
stops when the API says so, and raises when pages repeat, go on without end or are fewer than the
API told. The cursor moves only when everything up to it has been handed over.

Source: Airbyte and Fivetran practice on cursors (inclusive start, overlap, duplicates dropped
later); RFC 8288 (header Link).
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.landing import digest
from ingestion.web.answers import Answer, document, refuse
from ingestion.web.client import Client, Connection, connect
from lakehouse.contracts.fetching import Window

SECOND: Final = 1_000_000
"""Cursors count microseconds since 1970."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""
_LINK: Final = re.compile(r"<([^<>]*)>([^<]*)")
_IS_NEXT: Final = re.compile(r';\s*rel\s*=\s*("([^"]*\s)?next(\s[^"]*)?"|next\b)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that is asked for: first instant, and the one before which it ends."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page and what is known when it has come.

    Attributes:
        answer: The answer; its body is what is offered.
        body: The same as JSON.
        asked: The address that was asked for it.
        span: The time that is asked for.
        size: Records on it; None when nobody can say.
    """

    answer: Answer
    body: Any
    asked: httpx2.URL
    span: Span
    size: int | None


@dataclass(slots=True)
class Trail:
    """The pages that one first address has led to so far, this one included.

    Attributes:
        first: That address.
        sizes: Records of each page; 0 when nobody can say.
    """

    first: httpx2.URL
    sizes: list[int] = field(default_factory=list)

    @property
    def records(self) -> int:
        """Records so far."""
        return sum(self.sizes)


def _unknown(_: Page) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an API does in its own way.

    Attributes:
        first: From an address of the contract and the time to the first address that is asked.
        following: From a page to the addresses that it leads to; none when it is the last.
        size: Records in a body; None when nobody can say.
        newest: Instant of the newest record of a page; None when nobody can say.
        oldest: Instant of the oldest; only for APIs that keep records in the order of time.
        by_window: Pages tell no instants; `newest` is the window's end.
        total: Records that the API says there are in all.
        accept: Statuses of a page.
    """

    first: Callable[[httpx2.URL, Span], httpx2.URL]
    following: Callable[[Page, Trail], Collection[httpx2.URL]]
    size: Callable[[Answer, Any], int | None]
    newest: Callable[[Page], int | None] = _unknown
    oldest: Callable[[Page], int | None] | None = None
    by_window: bool = False
    total: Callable[[Page], int | None] = _unknown
    accept: Collection[int] = (200,)


def offers(
    fetch: Fetch, dialect: Dialect, connecting: Callable[..., Connection] = connect
) -> Iterator[Offer]:
    """The pages of a source from its cursor on, with the cursor they reach.

    Args:
        fetch: What is asked, and from which cursor (epoch microseconds).
        dialect: How its API is asked.
        connecting: Opens the client; `http_client.connect`.

    Raises:
        SourceUnavailable: A page could not be had, is unsound, or pages do not end.
    """
    numbers = itertools.count(1)
    cursor = fetch.cursor
    window = fetch.contract.delivery.window
    if dialect.oldest:  # each page moves the cursor, so nothing is won by cutting time
        window = window.model_copy(update={"hours": None})
    with connecting(fetch.contract) as client:
        for span in spans(window, fetch.cursor, _micros(client.now())):
            firsts = [dialect.first(one, span) for one in client.addresses]
            pages = itertools.chain.from_iterable(
                _pages(fetch, client, dialect, Trail(first), span, numbers) for first in firsts
            )
            # Two lists, each in order, are not in order together.
            is_ordered = dialect.oldest is not None and len(firsts) == 1
            marked = _marked_each(pages, dialect) if is_ordered else _marked_last(pages, dialect)
            for number, (page, newest) in enumerate(marked, start=1):
                # A clock that runs ahead must not lead the cursor past what is still to come.
                reached = min(newest, span.high) if newest is not None else 0
                yield Offer(
                    name=f"{page.asked.path.lstrip('/')} {text(span.low)} page {number}",
                    path=page.answer.path,
                    received_at=client.now(),
                    marks={"cursor": reached} if reached > cursor else {},
                    is_pulled=True,
                )
                cursor = max(cursor, reached)
                page.answer.path.unlink()  # a pulled page is landed when the next is asked for


def spans(window: Window, cursor: int, now: int) -> Iterator[Span]:
    """The stretches of time to ask for, from the overlap before the cursor until now.

    Args:
        window: What the contract says.
        cursor: Epoch microseconds; 0 before the first run.
        now: The same.
    """
    first = _micros(window.start) if window.start else 0
    low = max(first, cursor - int(window.overlap_h * 3600 * SECOND)) if cursor else first
    end = now - int(window.settle_min * 60 * SECOND)
    step = int(window.hours * 3600 * SECOND) if window.hours else max(end - low, 1)
    while low < end:
        yield Span(low, min(low + step, end))
        low += step


def _pages(
    fetch: Fetch,
    client: Client,
    dialect: Dialect,
    trail: Trail,
    span: Span,
    numbers: Iterator[int],
) -> Iterator[Page]:
    """The pages that a first address leads to, without those that hold nothing."""
    most = fetch.contract.delivery.paging.max_pages
    queue = deque([trail.first])
    asked: set[str] = set()
    seen: set[str] = set()
    while queue:
        address = queue.popleft()
        if str(address) in asked:
            refuse(address, "it leads to a page that was read before", "Ask the supplier.")
        if len(asked) >= most:
            refuse(
                address,
                f"there are more than {most:,} pages, or no end of them",
                "If that is right, raise paging.maxPages, or ask for less with window.hours.",
            )
        asked.add(str(address))
        target = fetch.scratch / f"page-{next(numbers)}"
        answer = client.get(address, target, accept=dialect.accept)
        body = document(answer)
        page = Page(answer, body, address, span, dialect.size(answer, body))
        sha256 = digest(target)
        if sha256 in seen and page.size != 0:
            refuse(address, "the same page came twice", "Check how pages are asked for.")
        seen.add(sha256)
        trail.sizes.append(page.size or 0)
        queue.extend(dialect.following(page, trail))
        total = dialect.total(page)
        if not queue and total is not None and trail.records < total:
            refuse(
                address,
                f"it tells of {total} records, but only {trail.records} came",
                "The next run asks again; check how pages are asked for.",
            )
        if page.size != 0:
            yield page


Marked = Iterator[tuple[Page, int | None]]
"""Pages, and up to which instant everything has been handed over with each."""


def _marked_last(pages: Iterator[Page], dialect: Dialect) -> Marked:
    """Keep the newest page back until all others are handed over; it alone moves the cursor.

    A page without news is not committed, and a cursor with it would be lost. So it is the first
    page with the newest instant; where pages tell no instants, the last one.
    """
    held: tuple[Page, int] | None = None
    for page in pages:
        newest = dialect.newest(page)
        if newest is None:
            yield page, None
        elif held is None or newest > held[1] or dialect.by_window:
            if held:
                yield held[0], None
            held = (page, newest)
        else:
            yield page, None
    if held:
        yield held


def _marked_each(pages: Iterator[Page], dialect: Dialect) -> Marked:
    """Let every page move the cursor, as long as pages come in the order of time.

    Where the API tells how many records there are, only the last page does: by then they have
    been counted.
    """
    reached = 0
    in_order = True
    held: tuple[Page, int | None] | None = None
    for page in pages:
        if held:
            yield held[0], None
        newest, oldest = dialect.newest(page), dialect.oldest(page) if dialect.oldest else None
        in_order = in_order and (oldest is None or oldest >= reached)
        reached = max(reached, newest or 0)
        held = (page, newest if in_order else None)
        if dialect.total(page) is None:
            yield held
            held = None
    if held:
        yield held


def at(body: Any, key: str) -> Any:  # noqa: ANN401 - JSON
    """What stands at a key such as `meta.found` or `$.meta.found`; None when nothing does."""
    for step in key.removeprefix("$").strip(".").split("."):
        if step:
            body = body.get(step) if isinstance(body, dict) else None
    return body


def objects(node: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Every object in a body, at any depth."""
    pending = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            yield one
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)


def asking(address: httpx2.URL, **parameters: str | int) -> httpx2.URL:
    """An address with parameters set; those it has already are replaced."""
    for name, value in parameters.items():
        address = address.copy_set_param(name, value)
    # A plus for a space is a form's way; not every server reads it in an address.
    return address.copy_with(query=address.query.replace(b"+", b"%20"))


def linked(page: Page, link: object) -> httpx2.URL:
    """The address that a page's link means, which may be relative to the page's own.

    Raises:
        SourceUnavailable: It is none, or leads to another server.
    """
    try:
        target = page.answer.address.join(link) if isinstance(link, str) else None
    except httpx2.InvalidURL:
        target = None
    if target is None:
        refuse(page.asked, "its link to the next page is no address", "Ask the supplier.")
    here = page.answer.address
    if (target.scheme, target.netloc) != (here.scheme, here.netloc):
        refuse(
            page.asked,
            f"its link to the next page leads to another server, {target.scheme}://{target.host}",
            "Ask for links of the server's own name, or for relative ones.",
        )
    return target


def next_in_header(answer: Answer) -> str | None:
    """The link `rel="next"` of the header Link."""
    for link, parameters in _LINK.findall(answer.headers.get("link", "")):
        if _IS_NEXT.search(parameters):
            return str(link)
    return None


def text(micros: int, form: str = "iso8601") -> str:
    """An instant as an API wants it, cut to milliseconds."""
    match form:
        case "epoch_ms":
            return str(micros // 1000)
        case "epoch_s":
            return str(micros // SECOND)
        case _:
            told = _EPOCH + timedelta(milliseconds=micros // 1000)
            return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(told: object, form: str = "iso8601") -> int | None:
    """An instant as an API tells it, in epoch microseconds; None when it tells none."""
    if form in ("epoch_ms", "epoch_s"):
        if isinstance(told, bool) or not isinstance(told, int | float):
            return None
        if not abs(told) <= _LAST_MS:  # NaN is not, either
            return None
        return int(told * (1000 if form == "epoch_ms" else SECOND))
    try:
        time = datetime.fromisoformat(told) if isinstance(told, str) else None
        return _micros(time) if time and time.tzinfo else None
    except (ValueError, OverflowError):
        return None


def newest_of(told: Iterable[int | None]) -> int | None:
    """The last of some instants that may be unknown."""
    return max((one for one in told if one is not None), default=None)


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
