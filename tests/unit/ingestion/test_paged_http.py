"""APIs that answer in pages: all of it comes, or the run fails."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.protocols import paged_http
from ingestion.web import paging
from lakehouse.contracts.fetching import Window
from lakehouse.errors import ContractError, SourceUnavailable
from tests.unit.ingestion.http_server import (
    Reply,
    Taken,
    contract_of,
    in_turn,
    patiently,
    reply,
    serving,
    take,
)
from tests.unit.ingestion.lake import utc

ROWS = [{"id": f"r{n}", "time": f"2026-11-20T{n:02}:00:00Z"} for n in range(10)]


def rows_of(found: Taken) -> list[str]:
    return [row["id"] for body in found.bodies for row in json.loads(body)["results"]]


def micros(text: str) -> int:
    return int(utc(text).timestamp() * 1_000_000)


def api(by: str, size: int = 3, most: int | None = None, total: bool = True):
    """An API that pages in one of the ways, over `ROWS` within `from` and `to`."""

    def answering(asked):
        query = asked.query
        rows = [r for r in ROWS if query.get("from", "") <= r["time"] < query.get("to", "x")]
        step = min(int(query.get("limit", size)), most or 10**6)
        position = int(query.get("position", 1 if by == "page" else 0))
        start = (position - 1) * step if by == "page" else position
        page = {"results": rows[start : start + step], "meta": {"next": None}}
        if total:
            page["meta"]["found"] = len(rows)
        headers = {}
        if start + step < len(rows):
            follow = f"/rows?position={start + step}"
            if by == "next_link":
                page["meta"]["next"] = follow
            if by == "token":
                page["meta"]["next"] = start + step
            if by == "link_header":
                headers["Link"] = f'</rows>; rel="first", <{follow}>; rel="next"; title="a, b"'
        return reply(page, **headers)

    return answering


def asking(lake, server, by, records="$.results[*]", delivery=None, **paging_rule):
    rule = {"by": by, "next": "meta.next", "position": "position"} | paging_rule
    if by == "page":
        rule["first"] = 1
    return contract_of(
        lake, "paged_http", f"{server.url}/rows", records=records, paging=rule, **delivery or {}
    )


WAYS = ["next_link", "link_header", "token", "offset", "page"]


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("size", [1, 3, 5, 10, 11])
def test_all_records_come_once_and_as_they_were_sent(lake, by, size):
    with serving(api(by, size, total=False)) as server:
        found = take(lake, paged_http, asking(lake, server, by))
        assert rows_of(found) == [row["id"] for row in ROWS]
    assert found.pulled == {True}
    assert len(set(found.bodies)) == len(set(found.names)) == len(found.names)
    assert len(found.bodies) == -(-10 // size), "an empty page is not offered"
    assert found.bodies[0].startswith(b'{"results": [{"id": "r0"')
    assert found.marks == [None] * len(found.marks), "nothing was asked by time"


@pytest.mark.parametrize("by", ["offset", "page"])
def test_a_total_saves_the_last_question(lake, by):
    with serving(api(by, 5)) as server:
        found = take(lake, paged_http, asking(lake, server, by, total="meta.found"))
        assert len(server.asked) == 2
    assert len(rows_of(found)) == 10


def test_a_server_that_gives_less_than_is_asked_for_is_read_to_the_end(lake):
    with serving(api("offset", most=4)) as server:
        found = take(lake, paged_http, asking(lake, server, "offset", size=100))
        assert [asked.query["position"] for asked in server.asked] == ["0", "4", "8", "10"]
    assert rows_of(found) == [row["id"] for row in ROWS]


def page(*ids: int, **more) -> Reply:
    return reply({"results": [ROWS[n] for n in ids], "meta": {"next": None} | more})


def follow(*ids: int, to: object) -> Reply:
    return page(*ids, next=to)


@pytest.mark.parametrize(
    ("by", "replies", "said", "came"),
    [
        ("page", [page(0, 1), page(2, 3), page(2, 3)], "the same page came twice", 4),
        ("offset", [page(0, 1), page(0, 1)], "the same page came twice", 2),
        ("next_link", [follow(0, to="?p=1"), follow(0, to="?p=1")], "came twice", 1),
        ("next_link", [follow(0, to="?p=1"), follow(1, to="?p=1")], "read before", 1),
        ("token", [follow(0, to="a"), follow(1, to="a")], "was read before", 1),
        ("page", [page(0, 1, 2), page(3), page(4, 5, 6)], "the size of pages changes", 4),
        ("page", [page(0), page(1, 2)], "the size of pages changes: 1, then 1, 2", 1),
        ("next_link", [follow(0, to="https://evil.example/")], "to another server, https://ev", 0),
        ("next_link", [follow(0, to="http://127.0.0.1:1/")], "to another server", 0),
        ("next_link", [follow(0, to={"href": "x"})], "is no address", 0),
        ("next_link", [follow(0, to="http://[::1")], "is no address", 0),
        ("token", [follow(0, to=["x"])], "is no word", 0),
        ("offset", [page(0), reply(b'{"results": [{"id"')], "no whole JSON document", 1),
        ("offset", [page(0), reply({"error": "sorry"})], "has no list at", 1),
        ("offset", [page(0), reply({"results": None})], "has no list at", 1),
        ("offset", [page(0), reply([])], "has no list at", 1),
        ("offset", [page(0), Reply(b"<h1>", headers={"Content-Type": "text/html"})], "not JSON", 1),
        ("offset", [page(0), Reply(b"{}", status=204)], "answered 204", 1),
        ("offset", [page(0), Reply(status=404)], "answered 404", 1),
        ("offset", [page(0), Reply(status=500)], "in 3 attempts: it answered 500", 1),
        ("offset", [page(0), replace(page(1), announced=900)], "broke off before", 1),
        ("offset", [page(0), replace(page(1), announced=20)], "no whole JSON document", 1),
    ],
)
def test_a_list_that_is_not_whole_fails_the_run(lake, by, replies, said, came):
    """What came before is kept; nothing that is wrong is taken for the end."""
    window = {"window": {"startParameter": "from", "time": "time"}}
    found = Taken([], [], [], [], set())
    with serving(in_turn(*replies)) as server:
        contract = asking(lake, server, by, delivery=window)
        with pytest.raises(SourceUnavailable, match=said):
            take(lake, paged_http, contract, into=found)
    assert len(server.asked) <= len(replies) + 2
    # The newest page is held back for the end, because only the end may move the cursor.
    assert len(rows_of(found)) <= came
    assert found.marks == [None] * len(found.marks)


@pytest.mark.parametrize("by", ["next_link", "offset"])
def test_a_list_without_end_is_given_up(lake, by):
    def endless(asked):
        at = len(asked.target)
        return reply({"results": [{"id": asked.target}], "meta": {"next": f"?p={'1' * at}"}})

    with serving(endless) as server:
        contract = asking(lake, server, by, maxPages=7)
        with pytest.raises(SourceUnavailable, match="more than 7 pages"):
            take(lake, paged_http, contract)
        assert len(server.asked) == 7


def test_fewer_records_than_told_fail_the_run(lake):
    with serving(in_turn(follow(0, 1, to=None))) as server:
        contract = asking(lake, server, "next_link", total="meta.found")
        with pytest.raises(SourceUnavailable, match=r"no total at 'meta\.found'"):
            take(lake, paged_http, contract)
    with serving(in_turn(page(0, 1, found=3))) as server:
        contract = asking(lake, server, "next_link", total="meta.found")
        with pytest.raises(SourceUnavailable, match="tells of 3 records, but only 2 came"):
            take(lake, paged_http, contract)
    with serving(in_turn(page(0, 1, found=3), page(2, found=3))) as server:
        found = take(lake, paged_http, asking(lake, server, "offset", total="meta.found"))
    assert len(rows_of(found)) == 3


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ('<https://a/b?p=2>; rel="next"', "https://a/b?p=2"),
        ('<a>; rel="prev", <b>; rel=next', "b"),
        ('<a>; title="x; rel=y"; rel="last next"', "a"),
        ('<a>; rel="nextish", <b>; rel="intervalafter"', None),
        ('<a,b>; rel="next"', "a,b"),
        ("", None),
    ],
)
def test_the_header_link(lake, header, link):
    with serving(in_turn(reply([], Link=header))) as server:
        contract = contract_of(lake, "paged_http", server.url)
        with patiently([])(contract) as client:
            answer = client.get(client.addresses[0], lake.inbox / "a")
    assert paging.next_in_header(answer) == link


# By time


TIMED = {"startParameter": "from", "endParameter": "to", "start": "2026-11-20T00:00:00Z"}


@pytest.mark.parametrize("time", ["time", None])
def test_the_cursor_moves_with_the_last_page_only(lake, time):
    window = TIMED | {"overlapH": 2, "time": time}
    with serving(api("offset")) as server:
        contract = asking(lake, server, "offset", delivery={"window": window})
        found = take(lake, paged_http, contract)
        reached = micros("2026-11-20 09:00") if time else micros("2026-11-20 12:00")
        assert found.marks == [None, None, None, reached]
        later = take(lake, paged_http, contract, cursor=reached)
        overlap = "2026-11-20T07:00:00.000Z" if time else "2026-11-20T10:00:00.000Z"
        assert server.asked[-1].query["from"] == overlap
        assert server.asked[-1].query["to"] == "2026-11-20T12:00:00.000Z"
    assert rows_of(later) == (["r7", "r8", "r9"] if time else [])
    assert later.marks == ([None] if time else []), "nothing new, so the cursor stays"


def test_a_long_time_is_cut_into_windows_with_a_cursor_each(lake):
    window = TIMED | {"hours": 4, "settleMin": 60, "overlapH": 1}
    with serving(api("page", 3)) as server:
        found = take(lake, paged_http, asking(lake, server, "page", delivery={"window": window}))
        spans = dict.fromkeys((a.query["from"][11:16], a.query["to"][11:16]) for a in server.asked)
        assert list(spans) == [("00:00", "04:00"), ("04:00", "08:00"), ("08:00", "11:00")]
    assert rows_of(found) == [row["id"] for row in ROWS]
    times = [micros(f"2026-11-20 {hour}:00") for hour in ("04", "08", "11")]
    assert [mark for mark in found.marks if mark] == times


def test_the_cursor_does_not_go_back(lake):
    """A server that pays no heed to the time it is asked for sends old rows in every window."""
    replies = [reply([{"time": f"2026-11-20T0{hour}:00:00Z"}]) for hour in (3, 1, 2)]
    window = TIMED | {"hours": 4, "time": "time"}
    with serving(in_turn(*replies)) as server:
        contract = asking(lake, server, "nothing", None, {"window": window})
        assert take(lake, paged_http, contract).marks == [micros("2026-11-20 03:00"), None, None]


def test_a_clock_that_runs_ahead_does_not_lead_the_cursor(lake):
    ahead = {"id": "x", "time": "2027-01-01T00:00:00Z"}
    with serving(in_turn(reply([ROWS[0], ahead]))) as server:
        contract = asking(
            lake, server, "nothing", None, {"window": {"startParameter": "from", "time": "time"}}
        )
        assert take(lake, paged_http, contract).marks == [micros("2026-11-20 12:00")]


@pytest.mark.parametrize(
    ("form", "sent", "told"),
    [("epoch_ms", "1795132800000", 1795132800123), ("epoch_s", "1795132800", 1795132800.123)],
)
def test_times_in_numbers(lake, form, sent, told):
    start = "2026-11-20T00:00:00Z"
    window = {"startParameter": "from", "format": form, "start": start, "time": "t"}
    with serving(
        in_turn(
            reply(
                [{"t": told}, {"t": None}, {"t": "x"}, {"t": True}, {"t": math.nan}, {"t": 1e99}, 7]
            )
        )
    ) as server:
        contract = asking(lake, server, "nothing", None, {"window": window})
        assert take(lake, paged_http, contract).marks == [micros("2026-11-20 00:00") + 123_000]
        assert server.asked[0].query == {"from": sent}


@given(
    cursor=st.integers(0, 10**15),
    hours=st.none() | st.floats(0.5, 500),
    overlap=st.floats(0, 500),
    ahead=st.integers(-(10**9), 10**12),
)
def test_windows_leave_no_instant_out(cursor, hours, overlap, ahead):
    now = cursor + ahead
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=max(0, now - 10**12))
    window = Window(hours=hours, overlap_h=overlap, start=start)
    found = list(paging.spans(window, cursor, now))
    assert all(one.high == following.low for one, following in pairwise(found))
    assert all(one.low < one.high for one in found)
    if found:
        assert found[-1].high == now
        assert found[0].low <= max(cursor, 0, now - 10**12)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"paging": {"by": "offset"}}, "expected 'position'"),
        ({"window": {"hours": 24}}, "expected 'start' beside 'hours'"),
        ({"http": {"hosts": ["https://a"]}}, "expected names such as"),
    ],
)
def test_rules_that_cannot_work(lake, rule, said):
    with pytest.raises(ContractError, match=said):
        lake.source(delivery={"protocol": "paged_http", "format": "csv"} | rule)
