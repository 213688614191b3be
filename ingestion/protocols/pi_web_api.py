"""Recorded values of a PI System over PI Web API.

Streams are asked for as sets, because only a set's answer says which stream a value is of. A
stream that reaches the most values of one answer is asked for again from its last instant on,
inclusive: several values may share it.

Source: PI Web API Reference, StreamSet `GetRecorded` and `GetRecordedAdHoc`.
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

_SIZE: Final = 1000


def offers(fetch: Fetch, connecting: Callable[..., Connection] = connect) -> Iterator[Offer]:
    """The recorded values from the overlap before the cursor on.

    Args:
        fetch: Its contract's location is the address of a set:
            `…/piwebapi/streamsets/recorded?webId=A&webId=B` for points and attributes,
            `…/piwebapi/streamsets/<webId>/recorded` for all attributes of an element.
        connecting: Opens the client.

    Raises:
        SourceUnavailable: A page could not be had or is unsound, a stream has an error, or more
            values than a page holds share one instant.
    """
    size = fetch.contract.delivery.paging.size or _SIZE

    def first(address: httpx2.URL, span: Span) -> httpx2.URL:
        return asking(
            address,
            startTime=paging.text(span.low),
            endTime=paging.text(span.high),
            maxCount=size,
            boundaryType="Inside",
        )

    def following(page: Page, trail: Trail) -> list[httpx2.URL]:
        found = []
        for stream in page.body["Items"]:
            times = _times(stream)
            if len(times) < size:
                continue
            if times[-1] is None or times[0] == times[-1]:
                refuse(
                    page.asked,
                    f"{size} values of one stream share an instant, or have none",
                    "Raise paging.size, up to what the server allows.",
                )
            set_of_one = asking(_ad_hoc(trail.first), webId=str(stream.get("WebId")))
            found.append(asking(set_of_one, startTime=times[-1]))
        return found

    dialect = Dialect(
        first=first,
        following=following,
        size=_size,
        newest=lambda page: paging.newest_of(
            paging.instant(time) for stream in page.body["Items"] for time in _times(stream)
        ),
    )
    return paging.offers(fetch, dialect, connecting)


def _ad_hoc(address: httpx2.URL) -> httpx2.URL:
    """The address of sets that are named one by one."""
    head = address.path.partition("/streamsets/")[0]
    return address.copy_with(path=f"{head}/streamsets/recorded")


def _size(answer: Answer, body: Any) -> int:  # noqa: ANN401 - JSON
    """Values of all streams; an error within an answer must not pass for the end of a stream."""
    streams = body.get("Items") if isinstance(body, dict) else None
    if not isinstance(streams, list) or body.get("Errors"):
        refuse(answer.address, "it answered without a set of streams", "Correct the address.")
    for stream in streams:
        values = stream.get("Items") if isinstance(stream, dict) else None
        if not isinstance(values, list) or any(one.get("Errors") for one in objects(stream)):
            refuse(answer.address, "a stream's values could not be read there", "Ask its keeper.")
    return sum(len(stream["Items"]) for stream in streams)


def _times(stream: dict[str, Any]) -> list[str | None]:
    times = (one.get("Timestamp") if isinstance(one, dict) else None for one in stream["Items"])
    return [time if isinstance(time, str) else None for time in times]
