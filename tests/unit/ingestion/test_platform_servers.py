"""SensorThings, NGSI-LD and ThingsBoard servers: every record comes, whatever pages they make.

The servers follow OGC 18-088, ETSI GS CIM 009 and ThingsBoard's REST API; FROST's and Stellio's
ways (relative links, short pages, ranges of time) are among them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ingestion.protocols import ngsi_ld_server, sensorthings_server, thingsboard
from lakehouse.errors import SourceUnavailable
from tests.unit.ingestion.http_server import Taken, contract_of, in_turn, reply, serving, take
from tests.unit.ingestion.lake import utc


def micros(text: str) -> int:
    return int(utc(text).timestamp() * 1_000_000)


# SensorThings


OBSERVATIONS = [
    {
        "@iot.id": n,
        "phenomenonTime": f"2026-11-20T{n:02}:00:00Z"
        + (f"/2026-11-20T{n + 1:02}:00:00Z" if n % 2 else ""),
        "result": n / 2,
    }
    for n in range(10)
]


def frost(link: str, short: int = 0):
    """FROST: pages of `$top`, now and then shorter, with links of the given kind."""

    def answering(asked):
        query = asked.query
        assert asked.path == "/v1.1/Observations"
        since = query["$filter"].rpartition("phenomenonTime ge ")[2]
        assert datetime.fromisoformat(since).tzinfo
        rows = [one for one in OBSERVATIONS if one["phenomenonTime"][:19] >= since[:19]]
        skip = int(query.get("$skip", 0))
        end = skip + max(int(query["$top"]) - (short if skip else 0), 1)
        page = {"value": rows[skip:end]}
        if end < len(rows):
            again = f"$top={query['$top']}&$skip={end}&$filter={query['$filter']}"
            page["@iot.nextLink"] = link.format(host=asked.headers["host"]) + again
        return reply(page)

    return answering


def things(lake, server, path="/v1.1", **delivery):
    return contract_of(lake, "sensorthings_server", f"{server.url}{path}", **delivery)


def ids(found) -> list[int]:
    return [one["@iot.id"] for body in found.bodies for one in json.loads(body)["value"]]


@pytest.mark.parametrize(
    "link", ["/v1.1/Observations?", "Observations?", "?", "http://{host}/v1.1/Observations?"]
)
@pytest.mark.parametrize("short", [0, 1])
def test_observations_are_read_to_the_end(lake, link, short):
    with serving(frost(link, short)) as server:
        found = take(lake, sensorthings_server, things(lake, server, paging={"size": 3}))
        asked = server.asked[0].query
    assert ids(found) == list(range(10))
    assert asked["$orderby"] == "phenomenonTime asc,id asc"
    assert asked["$expand"] == "Datastream($expand=Thing,ObservedProperty)"
    assert asked["$filter"] == "phenomenonTime ge 1970-01-01T00:00:00.000Z"
    assert found.marks[0] == micros("2026-11-20 02:00"), "pages in order of time move the cursor"
    assert found.marks == sorted(found.marks)
    assert found.marks[-1] == micros("2026-11-20 09:00"), "an interval counts by its start"


def test_the_next_run_begins_before_the_cursor(lake):
    with serving(frost("?")) as server:
        window = {"overlapH": 2, "hours": 1, "start": "2026-11-01T00:00:00Z"}
        contract = things(lake, server, "/v1.1/Observations?$filter=result gt 1", window=window)
        found = take(lake, sensorthings_server, contract, cursor=micros("2026-11-20 09:00"))
        asked = server.asked[0].query["$filter"]
    assert asked == "(result gt 1) and phenomenonTime ge 2026-11-20T07:00:00.000Z"
    assert (ids(found), found.marks) == ([7, 8, 9], [None])


def test_pages_out_of_order_do_not_move_the_cursor(lake):
    pages = [OBSERVATIONS[:3], OBSERVATIONS[5:7], OBSERVATIONS[3:5], OBSERVATIONS[7:]]
    replies = [
        reply({"value": page} | ({"@iot.nextLink": f"?$skip={n}"} if n < 3 else {}))
        for n, page in enumerate(pages)
    ]
    with serving(in_turn(*replies)) as server:
        found = take(lake, sensorthings_server, things(lake, server))
    assert sorted(ids(found)) == list(range(10))
    times = [micros("2026-11-20 02:00"), micros("2026-11-20 06:00")]
    assert found.marks == [*times, None, None]


def test_two_lists_are_not_in_order_together(lake):
    """The first one's newest must not lead the cursor past what is to come of the second."""

    def answering(asked):
        number = int(asked.path[len("/v1.1/Datastreams(")])
        rows = OBSERVATIONS[5:] if number == 1 else OBSERVATIONS[:5]
        skip = int(asked.query.get("$skip", 0))
        link = {"@iot.nextLink": f"?$skip={skip + 2}"} if skip + 2 < len(rows) else {}
        return reply({"value": rows[skip : skip + 2]} | link)

    with serving(answering) as server:
        found = take(lake, sensorthings_server, things(lake, server, "/v1.1/Datastreams({1,2})"))
    assert sorted(ids(found)) == list(range(10))
    assert found.marks == [None] * 5 + [micros("2026-11-20 09:00")]


def test_lists_within_a_page_are_followed(lake):
    """An address that expands lists of its own: none is cut at the end of its first page."""

    def answering(asked):
        if asked.path == "/v1.1/Datastreams(7)/Observations":
            assert asked.query["$expand"] == "Datastream($expand=Thing,ObservedProperty)"
            return reply({"value": OBSERVATIONS[8:]})
        inner = {"Observations": OBSERVATIONS[7:8]}
        inner["Observations@iot.nextLink"] = "Datastreams(7)/Observations?$skip=1"
        return reply({"value": [OBSERVATIONS[0] | {"Datastream": inner}]})

    with serving(answering) as server:
        contract = things(
            lake, server, "/v1.1/Observations?$expand=Datastream($expand=Observations)"
        )
        found = take(lake, sensorthings_server, contract)
    assert ids(found) == [0, 8, 9]


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ([{"value": OBSERVATIONS[:1], "@iot.nextLink": "https://evil.example/"}], "another server"),
        ([{"value": OBSERVATIONS[:1], "@iot.nextLink": 7}], "is no address"),
        ([{"value": OBSERVATIONS[:1], "@iot.nextLink": "?$skip=1"}] * 2, "came twice"),
        ([{"message": "no"}], "without a list 'value'"),
        ([{"value": OBSERVATIONS[:1], "@iot.count": 2}], "2 records, but only 1 came"),
    ],
)
def test_observations_that_are_not_whole(lake, pages, said):
    with serving(in_turn(*map(reply, pages))) as server, pytest.raises(SourceUnavailable) as failed:
        take(lake, sensorthings_server, things(lake, server))
    assert said in str(failed.value)


@pytest.mark.parametrize("told", [10, 11])
def test_the_cursor_waits_until_all_that_was_told_of_has_come(lake, told):
    def counted(asked):
        page = json.loads(frost("?")(asked).body)
        return reply(page | {"@iot.count": told})

    found = Taken([], [], [], [], set())
    with serving(counted) as server:
        contract = things(lake, server, paging={"size": 3})
        if told == 10:
            take(lake, sensorthings_server, contract, into=found)
        else:
            with pytest.raises(SourceUnavailable, match="tells of 11 records, but only 10 came"):
                take(lake, sensorthings_server, contract, into=found)
    last = [micros("2026-11-20 09:00")]
    assert found.marks == ([None] * 3 + last if told == 10 else [None] * 2)


# NGSI-LD


def entities(count: int, hours: int) -> list[dict[str, object]]:
    """Entities with one value an hour; the last one has values in the first half only."""
    return [
        {
            "id": f"urn:ngsi-ld:T:{n}",
            "type": "T",
            "no2": [
                {"type": "Property", "value": n * 100 + hour,
                 "observedAt": f"2026-11-20T{hour:02}:00:00Z"}
                for hour in range(hours // 2 if n == count - 1 else hours)
            ],
        }
        for n in range(count)
    ]  # fmt: skip


def broker(known, *, most: int = 100, link: bool = False, count: bool = True, zone: str = "Z"):
    """A broker that answers with `limit` entities and `most` instants of each at a time.

    At the last instant of a partial answer only the first entity has its value.
    """

    def answering(asked):
        query = asked.query
        low, high = query["timeAt"], query["endTimeAt"]
        named = query["id"].split(",") if "id" in query else None
        matching = []
        for one in known:
            values = [
                v
                for v in one["no2"]
                if low[:19] < v["observedAt"][:19] < high[:19]
                or (low[20:24] != "000Z" and low[:19] == v["observedAt"][:19])
            ]
            if values and (named is None or one["id"] in named):
                matching.append(one | {"no2": values})
        offset, limit = int(query.get("offset", 0)), int(query["limit"])
        page = matching[offset : offset + limit]
        headers = {"Content_Type": "application/ld+json"}
        if count:
            headers["NGSILD_Results_Count"] = str(len(matching))
        if link and offset + limit < len(matching):
            rest = asked.target.replace(f"offset={offset}", f"offset={offset + limit}")
            headers["Link"] = f'<{rest}>; rel="next"; type="application/ld+json"'
        times = sorted({v["observedAt"] for one in page for v in one["no2"]})
        if len(times) <= most:
            return reply(page, **headers)
        end = times[most - 1]
        cut = [
            one
            | {
                "no2": [
                    v
                    for v in one["no2"]
                    if v["observedAt"] < end or (v["observedAt"] == end and one is page[0])
                ]
            }
            for one in page
        ]
        told = f"date-time {times[0][:19]}{zone}-{end[:19]}{zone}/*"
        return reply([one for one in cut if one["no2"]], 206, Content_Range=told, **headers)

    return answering  # fmt: skip


def ngsi(lake, server, path="/ngsi-ld/v1/temporal/entities?type=T", **delivery):
    return contract_of(lake, "ngsi_ld_server", f"{server.url}{path}", **delivery)


def values_of(found) -> set[int]:
    return {
        value["value"]
        for body in found.bodies
        for one in json.loads(body)
        for value in (one["no2"] if isinstance(one["no2"], list) else [one["no2"]])
    }


@pytest.mark.parametrize("most", [2, 3, 5, 100])
@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("way", [{"link": True}, {"count": False}, {"zone": ""}])
def test_all_entities_and_all_their_time_come(lake, most, size, way):
    known = entities(5, 10)
    with serving(broker(known, most=most, **way)) as server:
        found = take(lake, ngsi_ld_server, ngsi(lake, server, paging={"size": size}))
        assert server.asked[0].query["timerel"] == "between"
    assert values_of(found) == {v["value"] for one in known for v in one["no2"]}
    assert [m for m in found.marks if m] == [micros("2026-11-20 09:00")]
    assert found.marks[-1]


def test_the_tenant_and_what_else_is_asked_reach_the_broker(lake):
    headers = {"NGSILD-Tenant": "stockholm", "Link": '<https://c.example/c.jsonld>; rel="x"'}
    with serving(broker(entities(2, 3))) as server:
        contract = ngsi(
            lake,
            server,
            "/ngsi-ld/v1/temporal/entities?type=T&timeproperty=modifiedAt",
            options={"headers": headers},
            window={"overlapH": 1},
        )
        found = take(lake, ngsi_ld_server, contract, cursor=micros("2026-11-20 02:00"))
        (asked,) = server.asked
    assert asked.headers["ngsild-tenant"] == "stockholm"
    assert asked.headers["link"] == headers["Link"]
    assert asked.query["timeproperty"] == "modifiedAt"
    assert asked.query["timeAt"] == "2026-11-20T00:59:59.999Z", "so that 01:00 itself comes"
    assert values_of(found) == {1, 2}
    assert found.marks == [None], "nothing tells when it was modified"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("", "does not say how far"),
        ("bytes 0-7/8", "does not say how far"),
        ("date-time 2026-11-20T09:00:00Z-2026-11-20T01:00:00Z/3", "no further"),
        ("date-time 1969-01-01T00:00:00Z-1969-01-01T00:00:00Z/3", "no further"),
    ],
)
def test_a_partial_answer_that_does_not_lead_on(lake, told, said):
    answer = reply(entities(2, 2), 206, Content_Range=told)
    with serving(in_turn(answer)) as server, pytest.raises(SourceUnavailable) as failed:
        take(lake, ngsi_ld_server, ngsi(lake, server))
    assert said in str(failed.value)


@pytest.mark.parametrize("body", [{"title": "Bad Request Data."}, [1], "x"])
def test_what_is_no_list_of_entities(lake, body):
    with serving(in_turn(reply(body))) as server, pytest.raises(SourceUnavailable) as failed:
        take(lake, ngsi_ld_server, ngsi(lake, server))
    assert "without a list of entities" in str(failed.value)


# ThingsBoard


def telemetry(**keys: tuple[int, int]) -> dict[str, list[dict[str, object]]]:
    """Keys with so many values, so many minutes apart; every fourth at the instant before it."""
    start = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)
    return {
        key: [{"ts": start + 60_000 * step * (n - (n % 4 == 3)), "value": n} for n in range(count)]
        for key, (count, step) in keys.items()
    }


def board(known):
    def answering(asked):
        query = asked.query
        assert (query["orderBy"], query["agg"]) == ("ASC", "NONE")
        assert query["useStrictDataTypes"] == "true"
        low, high, limit = int(query["startTs"]), int(query["endTs"]), int(query["limit"])
        return reply(
            {
                key: rows
                for key in query["keys"].split(",")
                if (rows := [v for v in known[key] if low <= v["ts"] < high][:limit])
            }
        )

    return answering


@pytest.mark.parametrize("size", [3, 4, 7, 100])
def test_telemetry_is_read_to_the_end_of_every_key(lake, size):
    known = telemetry(temperature=(25, 1), humidity=(9, 7), silent=(0, 1))
    path = "/api/plugins/telemetry/DEVICE/{a,b}/values/timeseries?keys=temperature,humidity,silent"
    with serving(board(known)) as server:
        contract = contract_of(lake, "thingsboard", server.url + path, paging={"size": size})
        found = take(lake, thingsboard, contract)
        assert {asked.path.split("/")[5] for asked in server.asked} == {"a", "b"}
    told: dict[str, set[int]] = {}
    for body in found.bodies:
        for key, values in json.loads(body).items():
            told.setdefault(key, set()).update(value["value"] for value in values)
    assert told == {"temperature": set(range(25)), "humidity": set(range(9))}
    newest = micros("2026-11-20 00:56")
    assert [mark for mark in found.marks if mark] == [newest]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"t": [{"ts": 1, "value": 1}, {"ts": 1, "value": 2}]}, "one instant only"),
        ({"t": [{"value": 1}]}, "without 'ts'"),
        ({"status": 401}, "without telemetry"),
        ([], "without telemetry"),
    ],
)
def test_telemetry_that_is_not_whole(lake, body, said):
    with serving(in_turn(reply(body))) as server:
        contract = contract_of(lake, "thingsboard", server.url, paging={"size": 2})
        with pytest.raises(SourceUnavailable, match=said):
            take(lake, thingsboard, contract)
