"""Where each LoRaWAN network server writes what an uplink tells.

Sources: ChirpStack v4 "Events" and v3 "Event types" (proto3 JSON: zero, false and empty fields
are left out); The Things Stack v3 "Data formats"; LORIOT "Uplink Data Message" and "Gateway
Information"; Actility ThingPark "DevEUI_uplink".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class ClockField:
    """A field that may tell when the uplink was received.

    Attributes:
        name: Its path, as `time_source` shall name it.
        text: SQL of its text.
        form: How it is written, as `clocks.parse` takes it.
    """

    name: str
    text: str
    form: str = "iso8601"


@dataclass(frozen=True, slots=True)
class NetworkServer:
    """What an uplink looks like, as SQL over `event`, the document read by `shape`.

    Attributes:
        title: What people call the network server.
        mark: Text that only its documents hold.
        shape: Structure for `from_json`.
        needs: Fields without which a document is no uplink of it: path and SQL.
        device: EUI of the device.
        data: Payload as delivered.
        clocks: What may tell the time, the best first.
        decoded: JSON object that a codec made of the payload.
        wrapper: Key that the document may stand under.
        deduplication: Its own identity of an uplink, however many gateways received it.
        session: Key or address of the session; the frame counter runs within it.
        f_cnt: Frame counter.
        f_port: Port.
        omits_zero: Whether a number that is missing is 0.
        data_rate: Data rate.
        gateways: Number of gateways.
        rssi: Best signal strength, dBm.
        snr: Best signal to noise ratio, dB.
        longitude: Position of the device, degrees.
        latitude: The same.
        simulated: Whether the uplink was typed in for a test.
    """

    title: str
    mark: str
    shape: str
    needs: tuple[tuple[str, str], ...]
    device: str
    data: str
    clocks: tuple[ClockField, ...]
    decoded: str = "null::varchar"
    wrapper: str | None = None
    deduplication: str = "null::varchar"
    session: str = "null::varchar"
    f_cnt: str = "null::varchar"
    f_port: str = "null::varchar"
    omits_zero: bool = False
    data_rate: str = "null::varchar"
    gateways: str = "null::bigint"
    rssi: str = "null::double"
    snr: str = "null::double"
    longitude: str = "null::double"
    latitude: str = "null::double"
    simulated: str = "false"


def _best(gateways: str, field: str) -> str:
    return f"list_max(list_transform({gateways}, lambda gateway: gateway.{field}))"


def _first(gateways: str, field: str) -> str:
    # As texts `05Z` stands after `05.9Z`, but `05+00:00` before `05.9+00:00`.
    text = f"replace(nullif(gateway.{field}, ''), 'Z', '+00:00')"
    return f"list_min(list_transform({gateways}, lambda gateway: {text}))"


CHIRPSTACK_V4: Final = NetworkServer(
    title="ChirpStack v4",
    mark='"deviceInfo"',
    shape="""{"deduplicationId": "VARCHAR", "time": "VARCHAR", "devAddr": "VARCHAR",
        "deviceInfo": {"devEui": "VARCHAR"}, "fCnt": "VARCHAR", "fPort": "VARCHAR",
        "dr": "VARCHAR", "data": "VARCHAR", "object": "JSON",
        "rxInfo": [{"rssi": "DOUBLE", "snr": "DOUBLE"}]}""",
    needs=(
        ("deviceInfo", "event.deviceInfo"),
        ("deviceInfo.devEui", "event.deviceInfo.devEui"),
    ),
    device="event.deviceInfo.devEui",
    data="event.data",
    clocks=(ClockField("time", "event.time"),),
    decoded="event.object::varchar",
    deduplication="event.deduplicationId",
    session="event.devAddr",
    f_cnt="event.fCnt",
    f_port="event.fPort",
    omits_zero=True,
    data_rate="coalesce(try_cast(event.dr as bigint), 0)",
    gateways="len(event.rxInfo)",
    rssi=_best("event.rxInfo", "rssi"),
    snr=_best("event.rxInfo", "snr"),
)

_V3_EUI: Final = """case when regexp_full_match(event.devEUI, '[0-9A-Fa-f]{16}')
    then lower(event.devEUI)
    when regexp_full_match(event.devEUI, '[0-9A-Za-z+/]{11}=')
    then lower(hex(from_base64(event.devEUI))) end"""

CHIRPSTACK_V3: Final = NetworkServer(
    title="ChirpStack v3",
    mark='"devEUI"',
    shape="""{"applicationID": "VARCHAR", "devEUI": "VARCHAR", "devAddr": "VARCHAR",
        "fCnt": "VARCHAR", "fPort": "VARCHAR", "dr": "VARCHAR", "data": "VARCHAR",
        "objectJSON": "VARCHAR", "object": "JSON", "publishedAt": "VARCHAR",
        "rxInfo": [{"time": "VARCHAR", "rssi": "DOUBLE", "loRaSNR": "DOUBLE"}]}""",
    needs=(("applicationID", "event.applicationID"), ("devEUI", _V3_EUI)),
    device=_V3_EUI,
    data="event.data",
    clocks=(
        ClockField("rxInfo.time", _first("event.rxInfo", "time")),
        ClockField("publishedAt", "event.publishedAt"),
    ),
    decoded="""coalesce((try_cast(event.objectJSON as json)->'$')::varchar,
        case when event.objectJSON <> '' then 'no JSON' end, event.object::varchar)""",
    session="event.devAddr",
    f_cnt="event.fCnt",
    f_port="event.fPort",
    omits_zero=True,
    data_rate="coalesce(try_cast(event.dr as bigint), 0)",
    gateways="len(event.rxInfo)",
    rssi=_best("event.rxInfo", "rssi"),
    snr=_best("event.rxInfo", "loRaSNR"),
)

_MESSAGE: Final = "event.uplink_message"

THINGS_STACK_V3: Final = NetworkServer(
    title="The Things Stack v3",
    mark='"end_device_ids"',
    wrapper="result",
    shape="""{"end_device_ids": {"dev_eui": "VARCHAR", "dev_addr": "VARCHAR"},
        "received_at": "VARCHAR", "simulated": "BOOLEAN",
        "uplink_message": {"session_key_id": "VARCHAR", "f_cnt": "VARCHAR", "f_port": "VARCHAR",
            "frm_payload": "VARCHAR", "decoded_payload": "JSON", "received_at": "VARCHAR",
            "rx_metadata": [{"gps_time": "VARCHAR", "rssi": "DOUBLE", "snr": "DOUBLE"}],
            "settings": {"time": "VARCHAR", "data_rate": {"lora":
                {"bandwidth": "BIGINT", "spreading_factor": "BIGINT"}}},
            "locations": {"user": {"latitude": "DOUBLE", "longitude": "DOUBLE"}}}}""",
    needs=(
        ("end_device_ids", "event.end_device_ids"),
        ("end_device_ids.dev_eui", "event.end_device_ids.dev_eui"),
        ("uplink_message", "event.uplink_message"),
    ),
    device="event.end_device_ids.dev_eui",
    data=f"{_MESSAGE}.frm_payload",
    clocks=(
        ClockField("rx_metadata.gps_time", _first(f"{_MESSAGE}.rx_metadata", "gps_time")),
        ClockField("settings.time", f"{_MESSAGE}.settings.time"),
        ClockField("uplink_message.received_at", f"{_MESSAGE}.received_at"),
        ClockField("received_at", "event.received_at"),
    ),
    decoded=f"{_MESSAGE}.decoded_payload::varchar",
    session=f"coalesce({_MESSAGE}.session_key_id, event.end_device_ids.dev_addr)",
    f_cnt=f"{_MESSAGE}.f_cnt",
    f_port=f"{_MESSAGE}.f_port",
    omits_zero=True,
    data_rate=f"""'SF' || {_MESSAGE}.settings.data_rate.lora.spreading_factor
        || 'BW' || {_MESSAGE}.settings.data_rate.lora.bandwidth // 1000""",
    gateways=f"len({_MESSAGE}.rx_metadata)",
    rssi=_best(f"{_MESSAGE}.rx_metadata", "rssi"),
    snr=_best(f"{_MESSAGE}.rx_metadata", "snr"),
    longitude=f"{_MESSAGE}.locations.user.longitude",
    latitude=f"{_MESSAGE}.locations.user.latitude",
    simulated="coalesce(event.simulated, false)",
)

LORIOT: Final = NetworkServer(
    title="LORIOT",
    mark='"cmd"',
    shape="""{"cmd": "VARCHAR", "EUI": "VARCHAR", "ts": "VARCHAR", "fcnt": "VARCHAR",
        "port": "VARCHAR", "dr": "VARCHAR", "devaddr": "VARCHAR", "data": "VARCHAR",
        "rssi": "DOUBLE", "snr": "DOUBLE",
        "gws": [{"rssi": "DOUBLE", "snr": "DOUBLE", "time": "VARCHAR"}]}""",
    needs=(
        ("cmd 'rx' or 'gw'", "case when event.cmd in ('rx', 'gw') then event.cmd end"),
        ("EUI", "event.EUI"),
    ),
    device="event.EUI",
    data="event.data",
    clocks=(
        ClockField("gws.time", _first("event.gws", "time")),
        ClockField("ts", "event.ts", "epoch_ms"),
    ),
    session="event.devaddr",
    f_cnt="event.fcnt",
    f_port="event.port",
    data_rate="event.dr",
    gateways="len(event.gws)",
    rssi=f"coalesce({_best('event.gws', 'rssi')}, event.rssi)",
    snr=f"coalesce({_best('event.gws', 'snr')}, event.snr)",
)

THINGPARK: Final = NetworkServer(
    title="ThingPark",
    mark='"DevEUI_uplink"',
    shape="""{"DevEUI_uplink": {"Time": "VARCHAR", "DevEUI": "VARCHAR", "DevAddr": "VARCHAR",
        "FPort": "VARCHAR", "FCntUp": "VARCHAR", "payload_hex": "VARCHAR", "payload": "JSON",
        "SpFact": "VARCHAR", "DevLrrCnt": "BIGINT", "LrrRSSI": "DOUBLE", "LrrSNR": "DOUBLE",
        "DevLON": "DOUBLE", "DevLAT": "DOUBLE"}}""",
    needs=(
        ("DevEUI_uplink", "event.DevEUI_uplink"),
        ("DevEUI_uplink.DevEUI", "event.DevEUI_uplink.DevEUI"),
    ),
    device="event.DevEUI_uplink.DevEUI",
    data="event.DevEUI_uplink.payload_hex",
    clocks=(ClockField("Time", "event.DevEUI_uplink.Time"),),
    decoded="event.DevEUI_uplink.payload::varchar",
    session="event.DevEUI_uplink.DevAddr",
    f_cnt="event.DevEUI_uplink.FCntUp",
    f_port="event.DevEUI_uplink.FPort",
    data_rate="'SF' || event.DevEUI_uplink.SpFact",
    gateways="event.DevEUI_uplink.DevLrrCnt",
    rssi="event.DevEUI_uplink.LrrRSSI",
    snr="event.DevEUI_uplink.LrrSNR",
    longitude="event.DevEUI_uplink.DevLON",
    latitude="event.DevEUI_uplink.DevLAT",
)

SERVERS: Final[Mapping[str, NetworkServer]] = MappingProxyType(
    {
        "chirpstack_v4": CHIRPSTACK_V4,
        "chirpstack_v3": CHIRPSTACK_V3,
        "things_stack_v3": THINGS_STACK_V3,
        "loriot": LORIOT,
        "thingpark": THINGPARK,
    }
)
