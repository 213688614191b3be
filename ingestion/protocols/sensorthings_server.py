"""OGC SensorThings servers: observations in the order of time, each with what it belongs to.

Observations are asked for themselves, with their datastream, thing and observed property
expanded: those are single entities, so no expanded list can be cut short. Where an address of the
contract expands lists all the same, the links to their further pages are followed.

Source: OGC 18-088 (SensorThings 1.1), sections 9.3.3 (query options) and 9.3.4 (nextLink).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx2

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.web import paging
from ingestion.web.answers import Answer, refuse
from ingestion.web.client import Connection, connect
from ingestion.web.paging import Dialect, Page, Span, Trail, asking, objects

EXPANDED: Final = "Datastream($expand=Thing,ObservedProperty)"
"""What is told with each observation; without it nothing says what was measured where."""
_NEXT: Final = "@iot.nextLink"
_SIZE: Final = 1000


def offers(fetch: Fetch, connecting: Callable[..., Connection] = connect) -> Iterator[Offer]:
    """The observations from the overlap before the cursor on.

    Args:
        fetch: Its contract's location is the address of observations, such as
            `…/v1.1/Observations` or `…/v1.1/Datastreams(7)/Observations`, or of the service
            itself, `…/v1.1`. A `$filter` or `$expand` of its own is kept.
        connecting: Opens the client.

    Raises:
        SourceUnavailable: A page could not be had or is unsound, or pages do not end.
    """
    size = fetch.contract.delivery.paging.size or _SIZE

    def first(address: httpx2.URL, span: Span) -> httpx2.URL:
        if not address.path.rstrip("/").endswith("Observations"):
            address = address.copy_with(path=address.path.rstrip("/") + "/Observations")
        since = f"phenomenonTime ge {paging.text(span.low)}"
        own = address.params.get("$filter")
        return asking(
            address,
            **{
                "$filter": f"({own}) and {since}" if own else since,
                "$orderby": "phenomenonTime asc,id asc",
                "$expand": address.params.get("$expand", EXPANDED),
                "$top": size,
            },
        )

    dialect = Dialect(
        first=first,
        following=_following,
        size=_size,
        newest=lambda page: paging.newest_of(_times(page)),
        oldest=lambda page: min((t for t in _times(page) if t is not None), default=None),
        total=_total,
    )
    return paging.offers(fetch, dialect, connecting)


def _size(answer: Answer, body: Any) -> int:  # noqa: ANN401 - JSON
    records = body.get("value") if isinstance(body, dict) else None
    if not isinstance(records, list):
        refuse(answer.address, "it answered without a list 'value'", "Correct the address.")
    return len(records)


def _times(page: Page) -> Iterator[int | None]:
    """When the observations of a page were made; an interval counts by its start."""
    for record in page.body["value"]:
        told = record.get("phenomenonTime") if isinstance(record, dict) else None
        yield paging.instant(told.partition("/")[0]) if isinstance(told, str) else None


def _total(page: Page) -> int | None:
    told = page.body.get("@iot.count")
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def _following(page: Page, trail: Trail) -> list[httpx2.URL]:
    """The next page, and those of lists that were expanded on this one."""
    found = []
    for one in objects(page.body):
        for key, link in one.items():
            if not key.endswith(_NEXT) or link is None:
                continue
            address = paging.linked(page, link)
            if key == f"Observations{_NEXT}" and "$expand" not in address.params:
                address = asking(address, **{"$expand": EXPANDED})
            found.append(address)
    return found
