"""NGSI-LD brokers: the temporal evolution of entities.

Two things are dealt out in pages: entities (`limit`, `offset`, the link `next`, the header
NGSILD-Results-Count) and, within them, time: an answer 206 says in Content-Range up to where it
goes. Its entities are then asked for by their ids from there on, because the list of entities
that have later values is another one.

Source: ETSI GS CIM 009 V1.9.1, clauses 6.3.10 (pagination), 6.3.13 (counting), 6.18
(temporal/entities).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx2

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.web import paging
from ingestion.web.answers import Answer, refuse
from ingestion.web.client import Connection, connect
from ingestion.web.paging import SECOND, Dialect, Page, Span, Trail, asking, objects

_SIZE: Final = 50
"""Entities of a page; few enough for their ids to fit into one address."""
_INSTANT: Final = r"(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?)"
_RANGE: Final = re.compile(rf"date-time\s+{_INSTANT}-{_INSTANT}/(?:\*|\d+)")
_MILLISECOND: Final = SECOND // 1000


def offers(fetch: Fetch, connecting: Callable[..., Connection] = connect) -> Iterator[Offer]:
    """What entities were observed to be from the overlap before the cursor on.

    Args:
        fetch: Its contract's location is `…/ngsi-ld/v1/temporal/entities?type=…` with what else
            is to be asked (`attrs`, `options`, `timeproperty`); the tenant and the @context
            stand in `http.headers` (`NGSILD-Tenant`, `Link`).
        connecting: Opens the client.

    Raises:
        SourceUnavailable: A page could not be had or is unsound, or pages do not end.
    """
    size = fetch.contract.delivery.paging.size or _SIZE

    def first(address: httpx2.URL, span: Span) -> httpx2.URL:
        return asking(
            address,
            timerel="between",
            timeAt=paging.text(span.low - _MILLISECOND),  # the broker leaves the instant itself out
            endTimeAt=paging.text(span.high),
            limit=size,
            offset=0,
            count="true",
        )

    dialect = Dialect(
        first=first,
        following=_following,
        size=_size,
        newest=_newest,
        accept=(200, 206),
    )
    return paging.offers(fetch, dialect, connecting)


def _size(answer: Answer, body: Any) -> int:  # noqa: ANN401 - JSON
    if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
        refuse(answer.address, "it answered without a list of entities", "Correct the address.")
    return len(body)


def _newest(page: Page) -> int | None:
    clock = page.asked.params.get("timeproperty", "observedAt")
    return paging.newest_of(paging.instant(one.get(clock)) for one in objects(page.body))


def _following(page: Page, trail: Trail) -> list[httpx2.URL]:
    found = [_later(page)] if page.answer.status == 206 else []
    if "id" in page.asked.params and "id" not in trail.first.params:
        return found  # more of entities of one page; that page has led on to the next one
    link = paging.next_in_header(page.answer)
    if link:
        found.append(paging.linked(page, link))
    elif page.body and page.asked.params.get("offset", "").isdigit():
        offset = int(page.asked.params["offset"]) + len(page.body)
        told = page.answer.headers.get("ngsild-results-count", "")
        if not (told.isdigit() and offset >= int(told)):
            found.append(asking(page.asked, offset=offset))
    return found


def _later(page: Page) -> httpx2.URL:
    """The address of what a partial answer left out.

    Raises:
        SourceUnavailable: It does not say how far it goes, or goes nowhere.
    """
    told = _RANGE.fullmatch(page.answer.headers.get("content-range", "").strip())
    low, high = (paging.instant(_zoned(one)) for one in told.groups()) if told else (None, None)
    asked = paging.instant(page.asked.params.get("timeAt"))
    if low is None or high is None or asked is None:
        refuse(page.asked, "its partial answer does not say how far it goes", "Ask its keeper.")
    if high - _MILLISECOND <= asked or high < low:
        refuse(
            page.asked,
            "its partial answer goes no further than the one before",
            "Take lastN out of the address; ask for fewer entities with paging.size.",
        )
    ids = ",".join(str(one.get("id")) for one in page.body)
    later = asking(page.asked, timeAt=paging.text(high - _MILLISECOND), id=ids)
    return asking(later, offset=0, limit=len(page.body))


def _zoned(told: str) -> str:
    """An instant of Content-Range; brokers leave the zone out there, it is UTC."""
    return told if re.search(r"(Z|[+-]\d\d:\d\d)$", told) else f"{told}Z"
