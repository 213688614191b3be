"""JSON APIs that deal out what they have in pages, as the contract describes them.

Source: RFC 8288 (Link); the pagers of dlt's REST source, for what APIs have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import httpx2

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.web import paging
from ingestion.web.answers import Answer, refuse
from ingestion.web.client import Connection, connect
from ingestion.web.paging import Dialect, Page, Span, Trail, asking, at
from lakehouse.contracts.delivery import Delivery
from lakehouse.contracts.fetching import Paging

Following = Callable[[Page, Trail, Paging], list[httpx2.URL]]


def offers(fetch: Fetch, connecting: Callable[..., Connection] = connect) -> Iterator[Offer]:
    """The pages of an API.

    Args:
        fetch: Its contract's location is the address of the first page without what `paging`,
            `window` and `http.query` add.
        connecting: Opens the client.

    Raises:
        SourceUnavailable: A page could not be had or is unsound, or pages do not end.
    """
    delivery = fetch.contract.delivery
    dialect = Dialect(
        first=partial(_first, delivery),
        following=partial(_following, delivery),
        size=partial(_size, delivery),
        newest=partial(_newest, delivery),
        by_window=delivery.window.time is None,
        total=partial(_total, delivery),
    )
    return paging.offers(fetch, dialect, connecting)


def _first(delivery: Delivery, address: httpx2.URL, span: Span) -> httpx2.URL:
    rule, window = delivery.paging, delivery.window
    asked: dict[str, str | int] = {}
    if window.start_parameter:
        asked[window.start_parameter] = paging.text(span.low, window.format)
    if window.end_parameter:
        asked[window.end_parameter] = paging.text(span.high, window.format)
    if rule.size:
        asked[rule.size_parameter] = rule.size
    if rule.by in ("offset", "page") and rule.position:
        asked[rule.position] = rule.first
    return asking(address, **asked)


def _size(delivery: Delivery, answer: Answer, body: Any) -> int | None:  # noqa: ANN401 - JSON
    place = _list_of(delivery.records)
    if place is None:
        return len(body) if isinstance(body, list) else None
    records = at(body, place)
    if not isinstance(records, list):
        refuse(answer.address, f"it has no list at '{place}'", "Correct delivery.records.")
    return len(records)


def _newest(delivery: Delivery, page: Page) -> int | None:
    window = delivery.window
    if window.start_parameter is None or window.time is None:
        return page.span.high if window.start_parameter else None
    place = _list_of(delivery.records)
    records = page.body if place is None else at(page.body, place)
    if not isinstance(records, list):
        return None
    times = (at(record, window.time) for record in records)
    return paging.newest_of(paging.instant(time, window.format) for time in times)


def _total(delivery: Delivery, page: Page) -> int | None:
    if delivery.paging.total is None:
        return None
    told: object = at(page.body, delivery.paging.total)
    if isinstance(told, bool) or not isinstance(told, int):
        refuse(
            page.asked, f"it tells no total at '{delivery.paging.total}'", "Correct paging.total."
        )
    _counted(page)
    return told


def _following(delivery: Delivery, page: Page, trail: Trail) -> list[httpx2.URL]:
    rule = delivery.paging
    if rule.by in ("offset", "page"):
        total = _total(delivery, page)
        if _counted(page) == 0 or (total is not None and trail.records >= total):
            return []
    return _FOLLOWING[rule.by](page, trail, rule)


def _list_of(records: str | None) -> str | None:
    """The key of the list that is dealt out in pages; None when it is the whole body, or many."""
    head = (records or "$").partition("[*]")[0]
    return None if "*" in head or head.strip("$.") == "" else head


def _nothing(page: Page, trail: Trail, rule: Paging) -> list[httpx2.URL]:
    return []


def _next_link(page: Page, trail: Trail, rule: Paging) -> list[httpx2.URL]:
    link = at(page.body, rule.next)
    return [paging.linked(page, link)] if link not in (None, "") else []


def _link_header(page: Page, trail: Trail, rule: Paging) -> list[httpx2.URL]:
    link = paging.next_in_header(page.answer)
    return [paging.linked(page, link)] if link else []


def _token(page: Page, trail: Trail, rule: Paging) -> list[httpx2.URL]:
    token = at(page.body, rule.next)
    if token in (None, ""):
        return []
    if isinstance(token, bool) or not isinstance(token, str | int):
        refuse(page.asked, f"what it has at '{rule.next}' is no word", "Correct paging.next.")
    return [asking(trail.first, **{str(rule.position): token})]


def _offset(page: Page, trail: Trail, rule: Paging) -> list[httpx2.URL]:
    """A page may be shorter than asked for: only an empty one, or the total, is the end."""
    return [asking(trail.first, **{str(rule.position): rule.first + trail.records})]


def _page(page: Page, trail: Trail, rule: Paging) -> list[httpx2.URL]:
    """All pages but the last must be of one size, or records between them were passed over."""
    before = trail.sizes[:-1]
    if before and (set(before) != {before[0]} or trail.sizes[-1] > before[0]):
        refuse(
            page.asked,
            f"the size of pages changes: {before[0]}, then {', '.join(map(str, trail.sizes[-2:]))}",
            "The next run asks again; set paging.size to what the API allows.",
        )
    return [asking(trail.first, **{str(rule.position): rule.first + len(trail.sizes)})]


def _counted(page: Page) -> int:
    if page.size is None:
        refuse(page.asked, "its records cannot be counted", "Name their list: delivery.records.")
    return page.size


_FOLLOWING: Final[dict[str, Following]] = {
    "nothing": _nothing,
    "next_link": _next_link,
    "link_header": _link_header,
    "token": _token,
    "offset": _offset,
    "page": _page,
}
