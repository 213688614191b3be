"""Telemetry of ThingsBoard devices over its REST API, in the order of time.

The API has a limit for each key and no word about what it left out, so a key that reaches the
limit is asked for again from its last instant on.

Source: ThingsBoard REST API, telemetry-controller `getTimeseries`; issue 3505 of
thingsboard/thingsboard (no continuation).
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
from ingestion.web.paging import Dialect, Page, Span, Trail, asking

_SIZE: Final = 10_000


def offers(fetch: Fetch, connecting: Callable[..., Connection] = connect) -> Iterator[Offer]:
    """The telemetry from the overlap before the cursor on.

    Args:
        fetch: Its contract's location is the address of one device's, or of `{several,devices}`'
            telemetry: `…/api/plugins/telemetry/DEVICE/<id>/values/timeseries?keys=a,b`.
        connecting: Opens the client.

    Raises:
        SourceUnavailable: A page could not be had or is unsound, or more values than a page
            holds share one instant.
    """
    size = fetch.contract.delivery.paging.size or _SIZE

    def first(address: httpx2.URL, span: Span) -> httpx2.URL:
        return asking(
            address,
            startTs=paging.text(span.low, "epoch_ms"),
            endTs=paging.text(span.high, "epoch_ms"),
            limit=size,
            orderBy="ASC",
            agg="NONE",
            useStrictDataTypes="true",
        )

    def following(page: Page, trail: Trail) -> list[httpx2.URL]:
        full = [times for times in _times(page.answer, page.body) if len(times) >= size]
        if not full:
            return []
        start = min(max(times) for times in full)
        if any(min(times) == max(times) for times in full):
            refuse(page.asked, "a page holds one instant only", "Raise paging.size.")
        return [asking(page.asked, startTs=start)]

    dialect = Dialect(
        first=first,
        following=following,
        size=lambda answer, body: sum(len(times) for times in _times(answer, body)),
        newest=lambda page: paging.newest_of(
            paging.instant(max(times), "epoch_ms")
            for times in _times(page.answer, page.body)
            if times
        ),
    )
    return paging.offers(fetch, dialect, connecting)


def _times(answer: Answer, body: Any) -> list[list[int]]:  # noqa: ANN401 - JSON
    """The instants of each key, epoch milliseconds."""
    keys = list(body.values()) if isinstance(body, dict) else [None]
    found: list[list[int]] = []
    for values in keys:
        if not isinstance(values, list):
            refuse(answer.address, "it answered without telemetry", "Correct the address.")
        told = (one.get("ts") for one in values if isinstance(one, dict))
        times = [time for time in told if isinstance(time, int)]
        if len(times) < len(values):
            refuse(answer.address, "a value without 'ts' is in its answer", "Ask its keeper.")
        found.append(times)
    return found
