"""How a source is asked over HTTP: the parts `http`, `paging` and `window` of its delivery."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from lakehouse.contracts.odcs import Frozen

_SECRET = re.compile(r"(?i)authori[sz]ation|token|api-?_?key|secret|passw|credential|cookie")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?")


class Http(Frozen):
    """Where requests may go, what they carry and when to give up.

    Attributes:
        internal: The server stands in the city's own network: private addresses and plain
            http are allowed.
        hosts: Hosts (`name` or `name:port`) that may be asked besides that of the server.
        headers: Headers of every request; a value `env:NAME` is read from the environment.
        query: The same for parameters of the address.
        days: For addresses with `{day}`: how many days back from today are asked for.
        timeout_s: Seconds for connecting, and for each silence.
        request_s: Seconds for one answer.
        total_s: Seconds that all requests of one run may take together.
        attempts: How often a request is tried in all.
        max_bytes: Most bytes of one answer, unpacked.
        pause_s: Seconds between two requests.
    """

    internal: bool = False
    hosts: tuple[str, ...] = ()
    headers: Mapping[str, str] = Field(default_factory=dict)
    query: Mapping[str, str] = Field(default_factory=dict)
    days: int = Field(default=0, ge=0, le=3660)
    timeout_s: float = Field(default=30.0, gt=0)
    request_s: float = Field(default=600.0, gt=0)
    total_s: float = Field(default=7200.0, gt=0)
    attempts: int = Field(default=4, ge=1, le=10)
    max_bytes: int = Field(default=256 << 20, ge=1)
    pause_s: float = Field(default=0.0, ge=0, le=60)

    @field_validator("hosts")
    @classmethod
    def _plain_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_HOST.fullmatch(host) for host in hosts):
            raise ValueError("expected names such as data.example.org or data.example.org:8443")
        return hosts

    @field_validator("headers", "query")
    @classmethod
    def _no_secrets(cls, pairs: Mapping[str, str]) -> Mapping[str, str]:
        for name, value in pairs.items():
            if _SECRET.search(name) and not value.startswith("env:"):
                raise PydanticCustomError(
                    "secret", "'{name}' stands here with its value", {"name": name}
                )
        return pairs


class Paging(Frozen):
    """How an API deals out what it has in pages.

    Attributes:
        by: What leads to the next page: nothing (there is one), an address in the body
            (`next_link`) or in the header Link (`link_header`), the number of records so far
            (`offset`), the number of the page (`page`) or a word in the body (`token`).
        next: Key of that address or word in the body, such as `links.next`.
        position: Parameter for offset, page or word.
        first: The first offset or page.
        size: Records asked for on a page; None leaves it to the API.
        size_parameter: Parameter for the size.
        total: Key of the number of records there are in all, if the API tells it.
        max_pages: Most pages of one list; more is taken for one without end.
    """

    by: Literal["nothing", "next_link", "link_header", "offset", "page", "token"] = "nothing"
    next: str = "next"
    position: str | None = None
    first: int = Field(default=0, ge=0)
    size: int | None = Field(default=None, ge=1)
    size_parameter: str = "limit"
    total: str | None = None
    max_pages: int = Field(default=10_000, ge=1)

    @model_validator(mode="after")
    def _has_position(self) -> Self:
        if self.by in ("offset", "page", "token") and self.position is None:
            raise ValueError(f"expected 'position', the parameter that carries the {self.by}")
        return self


class Window(Frozen):
    """Which time is asked for, when a source is asked for what came since the last run.

    Attributes:
        start_parameter: Parameter for the first instant; protocols of their own know it.
        end_parameter: Parameter for the instant before which it ends.
        format: How both are written.
        start: Where the very first run begins; 1970 when not given.
        hours: Longest window; a longer time is cut into several, each one a step of the cursor.
        overlap_h: Hours before the cursor that are read again, because data come late.
        settle_min: Minutes before now that are left for the next run.
        time: Key of a record's time, from which the cursor is taken instead of the window's end.
    """

    start_parameter: str | None = None
    end_parameter: str | None = None
    format: Literal["iso8601", "epoch_ms", "epoch_s"] = "iso8601"
    start: datetime | None = None
    hours: float | None = Field(default=None, gt=0)
    overlap_h: float = Field(default=72.0, ge=0)
    settle_min: float = Field(default=0.0, ge=0)
    time: str | None = None

    @field_validator("start")
    @classmethod
    def _in_utc(cls, start: datetime | None) -> datetime | None:
        if start is None or start.tzinfo is not None:
            return start
        return start.replace(tzinfo=UTC)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.hours is not None and self.start is None:
            raise ValueError("expected 'start' beside 'hours', or there are windows since 1970")
        return self
