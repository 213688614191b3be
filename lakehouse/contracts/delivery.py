"""How a source is delivered: the part of its contract that fetching and reading obey.

Nothing about a file is sniffed: what is not written here has the default of the standard.
"""

from __future__ import annotations

import codecs
import re
from datetime import UTC, datetime
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from lakehouse import places
from lakehouse.contracts.fetching import Http, Paging, Window
from lakehouse.contracts.odcs import Frozen

Fold = Literal["refuse", "earlier", "later", "sequence"]


def known_zone(zone: str) -> str:
    """Check that a time zone exists.

    Raises:
        ValueError: It does not.
    """
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError("expected an IANA zone such as Europe/Stockholm") from None
    return zone


class CsvDialect(Frozen):
    """How a delimited text file is written; nothing is sniffed.

    Source: RFC 4180 for the defaults; real files differ in every one of these.
    """

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str | None = Field(default='"', min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8"
    header_row: int = Field(default=1, ge=1)
    """Line that names the columns, counted from 1; lines above it are left alone."""
    null_markers: tuple[str, ...] = ("",)
    extra_columns: Literal["ignore"] | None = None
    """`ignore` leaves columns alone that the contract does not name, because they are no data
    (SMHI writes prose there); otherwise `delivery.drift` decides."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise ValueError("expected an encoding Python knows, such as iso-8859-1") from None
        return encoding


class RowClock(Frozen):
    """A clock for files without one: the first row's start and the step between rows."""

    start: str
    step_s: int = Field(gt=0)


class TimeRule(Frozen):
    """Which columns say when, in which format and zone.

    Attributes:
        columns: Columns that together hold the time, joined by one space.
        end_columns: The same for the end of the interval.
        result_columns: The same for when the source made, published or last changed the value;
            it decides which of two revisions is the newer. None where it cannot be read.
        split: Separator when one column holds "start - end".
        sequence: Clock for files that carry no time.
        format: strptime format, or `iso8601`, `epoch_ms`, `epoch_s`.
        zone: IANA zone of local times; `UTC` when they are UTC.
        fold: What an ambiguous local time means when clocks go back. `sequence` takes the
            first occurrence of a channel as the earlier one, `refuse` quarantines.
        interval_s: Length of the interval in seconds when only its start is given.
    """

    columns: tuple[str, ...] = ()
    end_columns: tuple[str, ...] = ()
    result_columns: tuple[str, ...] = ()
    split: str | None = None
    sequence: RowClock | None = None
    format: str = "iso8601"
    zone: str
    fold: Fold = "refuse"
    interval_s: int | None = Field(default=None, gt=0)

    @field_validator("zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        return known_zone(zone)

    @model_validator(mode="after")
    def _one_clock(self) -> Self:
        if bool(self.columns) == bool(self.sequence):
            raise ValueError("expected either 'columns' or 'sequence'")
        if self.result_columns and self.zone != "UTC":
            raise ValueError("expected zone UTC beside 'resultColumns'")
        return self


class DeviceRule(Frozen):
    """Which device a row belongs to: a column, a pattern on the file name, or always the same.

    A pattern has one group, the device, or the named groups `device` and `channel`.
    """

    column: str | None = None
    file: str | None = None
    constant: str | None = None
    path: str | None = None
    """Pattern on a tag path: `(?P<device>.*)/(?P<channel>[^/]+)`."""

    @field_validator("file", "path")
    @classmethod
    def _pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise ValueError(f"expected a regular expression ({error})") from None
            if groups < 1:
                raise ValueError("expected a pattern with a group around the device")
        return pattern

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [self.column, self.file, self.constant, self.path]
        if sum(way is not None for way in given) != 1:
            raise ValueError("expected exactly one of 'column', 'file', 'constant' and 'path'")
        return self


class QualityRule(Frozen):
    """Which column carries the source's own quality code, and what its codes mean.

    A code that is not listed counts as `uncertain`; an empty one as `good`.
    """

    column: str
    good: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()


class NarrowRows(Frozen):
    """Rows that carry one measurement each: which column names the channel, which has the value.

    Attributes:
        channel: Column that names the channel.
        value: Column with its value.
        unit: Column with the unit the value is delivered in, if there is one.
    """

    channel: str
    value: str
    unit: str | None = None


class PositionRule(Frozen):
    """Columns that carry the position: degrees in WGS 84, or metres in `crs`."""

    longitude: str | None = None
    latitude: str | None = None
    easting: str | None = None
    northing: str | None = None
    crs: str | None = None

    @property
    def columns(self) -> tuple[str, str]:
        """The column that counts to the east, and that to the north."""
        return self.easting or self.longitude or "", self.northing or self.latitude or ""

    @field_validator("crs")
    @classmethod
    def _known(cls, code: str | None) -> str | None:
        return code and places.require_crs(code)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        degrees = [name is not None for name in (self.longitude, self.latitude)]
        metres = [name is not None for name in (self.easting, self.northing, self.crs)]
        if not ((all(degrees) and not any(metres)) or (all(metres) and not any(degrees))):
            raise ValueError("expected longitude and latitude, or easting, northing and crs")
        return self


class SensorThingsNames(Frozen):
    """What of a SensorThings model becomes device and channel."""

    device: Literal["thing", "datastream"] = "thing"
    """`thing`: its name, else its id, else as `datastream`: the Datastream's id, else its name."""
    channel: Literal["observed_property", "datastream"] = "observed_property"
    """Whose name it is; where the delivery tells none the channel is called `result`."""


class LineProtocol(Frozen):
    """How line protocol is written and named."""

    precision: Literal["ns", "us", "ms", "s"] = "ns"
    """Unit of its times since 1970."""
    channel: Literal["field", "measurement_field"] = "field"
    """What a channel is called: `field`, or `measurement.field`."""


class Pull(Frozen):
    """How gently a pulled source is asked, and for what.

    Attributes:
        tags: SQL LIKE pattern of the tags that are this source's; case does not matter.
        table: Table or view, `schema.table`, for the protocols that are not told by it.
        cursor: Column that grows with every insert: a number or the time of the insert; without
            it the time of the rows.
        start: Where a first pull begins, ISO 8601 in UTC; without it at the oldest row.
        page_rows: Rows of one page, the unit that is landed and committed.
        overlap_h: Hours that are read again, because store-and-forward writes late.
        overlap_rows: The same where the cursor is a number that counts rows.
        pause_s: Seconds of rest between two pages.
        off_peak: Hours in which the source may be asked, such as `22:00-05:00`.
        zone: IANA zone that `off_peak` is written in.
        timeout_s: Seconds for connecting and for one statement.
        attempts: How often a failed page is tried in all.
    """

    tags: str = "%"
    table: str | None = None
    cursor: str | None = None
    start: datetime | None = None
    page_rows: int = Field(default=200_000, ge=1)
    overlap_h: float = Field(default=72.0, ge=0)
    overlap_rows: int = Field(default=10_000, ge=0)
    pause_s: float = Field(default=0.0, ge=0)
    off_peak: str | None = Field(
        default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"
    )
    zone: str = "Europe/Stockholm"
    timeout_s: float = Field(default=30.0, gt=0)
    attempts: int = Field(default=3, ge=1, le=10)

    @field_validator("zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        return known_zone(zone)

    @field_validator("start")
    @classmethod
    def _in_utc(cls, start: datetime | None) -> datetime | None:
        return start if start is None or start.tzinfo else start.replace(tzinfo=UTC)


class CompletenessRule(Frozen):
    """How a delivery is found out that was cut where nobody can see it.

    Attributes:
        trailer: Pattern of the last line of a delimited file, which is no record; its group is
            the number of records.
        name: Pattern within the delivery's name; its group is the number of records.
        least_share: Share of the records usual for the source below which a delivery is short.
        short: What becomes of a short delivery: it lands and is reported, or is refused.
    """

    trailer: str | None = None
    name: str | None = None
    least_share: float = Field(default=0.5, ge=0, le=1)
    short: Literal["report", "refuse"] = "report"

    @field_validator("trailer", "name")
    @classmethod
    def _one_group(cls, pattern: str | None) -> str | None:
        try:
            groups = 1 if pattern is None else re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"expected a regular expression ({error})") from None
        if groups != 1:
            raise ValueError("expected a pattern with one group around the number")
        return pattern


class Remote(Frozen):
    """How files are fetched from another machine.

    Attributes:
        host_key: Fingerprint of the server's key, `SHA256:…`, or `env:NAME`.
        key_file: Path of the private key to log in with, or `env:NAME`; without it the
            password of the address.
        settle_s: Seconds that a file must have kept its size and time to be taken.
    """

    host_key: str | None = None
    key_file: str | None = None
    settle_s: float = Field(default=5.0, ge=0)


class Delivery(Frozen):
    """How bytes are fetched (`protocol`) and read (`format`)."""

    protocol: str
    format: str
    framing: Literal["lines", "document"] = "lines"
    """JSON formats: one document a line, or one document a file."""
    records: str | None = None
    """Path to the records in a document, for the formats that read by path; or a sheet's name."""
    narrow: NarrowRows | None = None
    """For rows of one measurement each; without it every channel has a column of its own."""
    csv: CsvDialect = CsvDialect()
    line_protocol: LineProtocol = LineProtocol()
    time: TimeRule | None = None
    device: DeviceRule | None = None
    quality: QualityRule | None = None
    position: PositionRule | None = None
    sensorthings: SensorThingsNames = SensorThingsNames()
    pull: Pull = Pull()
    remote: Remote = Remote()
    http: Http = Http()
    paging: Paging = Paging()
    window: Window = Window()
    complete: CompletenessRule = CompletenessRule()
    max_broken: float | None = Field(default=None, ge=0, le=1)
    """Largest share of a delivery's rows that may be broken, `5%` or 0.05; above it the delivery
    is refused whole. Without it broken rows are quarantined, however many they are."""
    drift: Literal["evolve", "quarantine", "freeze"] = "evolve"
    """What becomes of columns and channels that the contract does not name. `evolve` lands them in
    bronze and reports them, `quarantine` holds their rows back, `freeze` refuses the delivery. A
    column that is missing always refuses it."""

    @field_validator("max_broken", mode="before")
    @classmethod
    def _share(cls, share: object) -> object:
        """Take `5%` for 0.05. A bare 5 could mean either, so it is no share."""
        if isinstance(share, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?) ?%", share)):
            return float(found[1]) / 100
        if isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1:
            return float(share)
        raise ValueError("expected a share such as 5% or 0.05")
