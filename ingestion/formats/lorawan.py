"""LoRaWAN uplinks as network servers send them, one JSON document for each.

One uplink gives one row for each decoded key; nested keys are joined with a dot, items of lists
by their number. An uplink that no codec has decoded gives one row, the channel `data` with its
payload as delivered. What says how the uplink was received goes to `attributes`; its `uplink` is
the same however many gateways delivered it (ingestion/batches/uplinks.py).

Where a network server writes what stands in network_servers.py; all else is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.formats.network_servers import SERVERS, NetworkServer
from ingestion.reading import clocks, documents, json_atoms
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract
from lakehouse.contracts.delivery import TimeRule
from lakehouse.duck import literal
from lakehouse.errors import ContractError, Problem

# Maps and lists are read by from_json level by level: json_tree takes five times as long.
_MAP: Final = """from_json({0}::json, '"MAP(VARCHAR, JSON)"')"""
DEEPEST: Final = 50
"""Levels of nested keys that are followed; no codec writes as many."""


def reader(
    name: str,
) -> Callable[[duckdb.DuckDBPyConnection, Sequence[Member], SourceContract], Reading]:
    """The reader of the uplinks of a network server."""
    return partial(_read, SERVERS[name])


def _read(
    server: NetworkServer,
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    contract: SourceContract,
) -> Reading:
    documents.load_texts(connection, members, contract)
    rule = contract.delivery.time
    connection.execute(_told(server, _position(server, contract)))
    connection.execute(_timed(server, rule))
    # Clocks of network servers carry an offset; a zone is for the time that a device tells.
    clocks.resolve(connection, rule or TimeRule(columns=("time",), zone="UTC"), "timed", "dated")
    connection.execute(
        f"""
        create temp table uplinks as
        select _file, _row, device, t, readings, data, longitude, latitude,
            contains(decoded[2:], '{{') or contains(decoded[2:], '[') as has_parts,
            {_ATTRIBUTES} as attributes, {_RULE} as rule, {_reason(server)} as reason
        from (
            select *,
                {json_atoms.map_names_twice("found")} as is_twice,
                case when not is_twice then found end as readings
            from (select *, {_MAP.format(f"case when {_IS_OBJECT} then decoded end")} as found
                from dated)
        )
        """
    )
    return Reading("select _file, _row, _raw from lines", _OFFER)


def _position(server: NetworkServer, contract: SourceContract) -> tuple[str, str]:
    """SQL of longitude and latitude: the decoded keys of the contract, else the server's own.

    Never both: a place that somebody has typed in for the device is no fix it has made.

    Raises:
        ContractError: The contract says metres.
    """
    position = contract.delivery.position
    if position is None:
        return server.longitude, server.latitude
    if position.crs:
        raise ContractError(
            Problem(
                f"{contract.path}: customProperties.delivery.position",
                "trackers tell degrees, not metres",
                "Name the decoded keys of 'longitude' and 'latitude'.",
            )
        )
    east, north = position.columns
    return f"try_cast({_decoded(east)} as double)", f"try_cast({_decoded(north)} as double)"


def _told(server: NetworkServer, position: tuple[str, str]) -> str:
    """Statement that makes table `told`: what each document says."""
    longitude, latitude = position
    text = "_raw"
    if server.wrapper:
        wrapped = literal(f'^\\s*\\{{\\s*"{server.wrapper}"\\s*:')
        text = f"""case when regexp_matches(_raw, {wrapped})
            then (try_cast(_raw as json)->'$.{server.wrapper}')::varchar else _raw end"""
    needs = " ".join(f"when ({value}) is null then {literal(path)}" for path, value in server.needs)
    others = " ".join(
        f"when contains(_raw, {literal(other.mark)}) then {literal(other.title)}"
        for other in SERVERS.values()
        if other is not server
    )
    zero = "'0'" if server.omits_zero else "null"
    # Each text is parsed once: what is no JSON is known by what from_json makes of it.
    return f"""
        create temp table told as
        select _file, _row, {server.device} as device, {server.data} as data,
            {server.decoded} as decoded, case {needs} end as missing,
            case when missing is not null then case {others} end end as looks_like,
            [{", ".join(f"({clock.text})" for clock in server.clocks)}] as clock_texts,
            {longitude} as longitude, {latitude} as latitude,
            {server.simulated} as is_simulated, {server.deduplication} as deduplication_id,
            {server.session} as session,
            try_cast(coalesce({server.f_cnt}, {zero}) as bigint) as f_cnt,
            try_cast(coalesce({server.f_port}, {zero}) as bigint) as f_port,
            {server.data_rate} as data_rate, {server.gateways} as gateways,
            {server.rssi} as rssi, {server.snr} as snr,
            {documents.damage(_IS_NO_JSON)} as damage
        from (
            select *, try(from_json(read_as, {literal(server.shape)})) as event
            from (select *, {text} as read_as from lines)
        )"""


_IS_NO_JSON: Final = "case when event is null then try_cast(_raw as json) is null else false end"


def _timed(server: NetworkServer, rule: TimeRule | None) -> str:
    """Statement that makes view `timed`: `told` with the time text of the best clock there is."""
    fields = [
        (clock.name, f"clock_texts[{number}]", clock.form)
        for number, clock in enumerate(server.clocks, start=1)
    ]
    by_device = [(f"object.{key}", _decoded(key)) for key in (rule.columns if rule else ())]
    fields = [(name, text, rule.format) for name, text in by_device if rule] + fields
    parsed = {name: clocks.parse("time_text", form) for name, _, form in fields}

    def is_chosen(name: str) -> str:
        return f"time_source = {literal(name)}"

    walls = [(name, parsed[name].wall) for name, _ in by_device]
    return f"""
        create temp view timed as
        select *, null::varchar as channel,
            {_case([(is_chosen(name), one.instant) for name, one in parsed.items()])} as instant,
            {_case([(is_chosen(name), wall) for name, wall in walls])} as wall,
            null::timestamp as end_instant, null::timestamp as end_wall
        from (
            select *, {_case([(f"{text} is not null", literal(n)) for n, text, _ in fields])}
                    as time_source,
                coalesce({", ".join(text for _, text, _ in fields)}) as time_text
            from told
        )"""


def _case(whens: Sequence[tuple[str, str]]) -> str:
    told = " ".join(f"when {condition} then {value}" for condition, value in whens)
    return f"case {told} end" if whens else "null::timestamp"


def _decoded(key: str) -> str:
    """SQL of the text of a decoded key."""
    path = literal(f'$."{key}"')
    return f"((case when {_IS_OBJECT} then decoded end)::json->>{path})"


_IS_OBJECT: Final = "starts_with(decoded, '{')"
_IS_EMPTY: Final = "coalesce(decoded, 'null') in ('null', '{}')"

_UPLINK: Final = """case when deduplication_id <> '' then deduplication_id
    when f_cnt is not null
        then concat_ws('/', coalesce(session, ''), f_cnt, coalesce(f_port, 0)) end"""

_ATTRIBUTES: Final = f"""to_json({{'uplink': {_UPLINK}, 'deduplication_id': deduplication_id,
    'session': session, 'f_cnt': f_cnt, 'f_port': f_port, 'data_rate': data_rate,
    'gateways': gateways, 'rssi': rssi, 'snr': snr, 'time_source': time_source}})::varchar"""

_RULE: Final = f"""case
    when damage is not null then damage
    when missing is not null then 'format'
    when is_simulated then 'simulated'
    when time_rule is not null then time_rule
    when data is null and not ({_IS_OBJECT} and not {_IS_EMPTY}) then 'no_measurement'
    when not {_IS_EMPTY} and not {_IS_OBJECT} then 'layout'
    when is_twice then 'layout' end"""


def _reason(server: NetworkServer) -> str:
    """SQL of why a document cannot be taken, in words."""
    return f"""case rule
        when 'encoding' then 'bytes that are not utf-8'
        when 'format' then 'no {server.title} uplink: ' || missing || ' is missing'
            || coalesce(format(' (it looks like {{}})', looks_like), '')
        when 'simulated' then 'the uplink was typed in for a test'
        when 'time_missing' then 'the event has no time'
        when 'no_measurement' then 'the uplink carries neither decoded values nor a payload'
        when 'layout' then case
            when damage is not null then 'this is not a whole JSON document'
            when not {_IS_OBJECT} then 'the decoded payload is no JSON object'
            else 'the decoded payload names a key twice' end
        else time_problem end"""


_CHILDREN: Final = f"""case when starts_with(atom, '{{')
    then list_transform(map_entries({_MAP.format("atom")}),
        lambda entry: {{'key': entry.key, 'atom': coalesce(entry.value::varchar, 'null')}})
    else list_transform(from_json(atom::json, '["JSON"]'),
        lambda part, number: {{'key': (number - 1)::varchar,
            'atom': coalesce(part::varchar, 'null')}}) end"""
_CANNOT_OPEN: Final = f"""case
    when depth >= {DEEPEST} then 'is nested deeper than {DEEPEST} levels'
    when starts_with(atom, '{{') and {json_atoms.names_twice("atom")}
        then 'names a key twice' end"""


def _opened(which: str) -> str:
    """The query of the keys at the top of decoded payloads."""
    return f"""select * exclude (entry), entry.key as channel,
            coalesce(entry.value::varchar, 'null') as atom
        from (
            select _file, _row, device, t, longitude, latitude, attributes,
                unnest(map_entries(readings)) as entry
            from uplinks where rule is null and {which})"""


_OFFER: Final = f"""
with recursive nested as (
    select *, 1 as depth from ({_opened("has_parts")})
    union all
    select * exclude (channel, atom, depth, child), channel || '.' || child.key, child.atom,
        depth + 1
    from (
        select *, unnest({_CHILDREN}) as child from nested
        where {json_atoms.has_parts("atom")} and {_CANNOT_OPEN} is null
    )
),
leaves as (
    {_opened("not has_parts")}
    union all by name
    select * exclude (depth) from nested where not {json_atoms.has_parts("atom")}
    union all by name
    select _file, _row, device, t, longitude, latitude, attributes, 'data' as channel,
        to_json(data)::varchar as atom
    from uplinks where rule is null and coalesce(cardinality(readings), 0) = 0
)
select _file, _row, device, channel, t, {json_atoms.cell("atom")} as cell,
    {json_atoms.value("atom")} as value, {json_atoms.text("atom")} as text, t as result_time,
    longitude, latitude, attributes
from leaves
union all by name
select _file, _row, device, channel, t, 'bad' as quality, 'layout' as rule,
    format('{{}} {{}}', channel, problem) as reason
from (select *, {_CANNOT_OPEN} as problem from nested where {json_atoms.has_parts("atom")})
where problem is not null
union all by name
select _file, _row, device, t, 'bad' as quality, rule, reason
from uplinks where rule is not null
"""
