"""Which addresses of the network a request may reach.

A name is resolved here, every address it stands for is checked, and the connection is made to the
very address that was checked: a name server that answers differently the second time changes
nothing. TLS and the header Host still carry the name.

Source: OWASP, "Server-Side Request Forgery Prevention"; IANA special-purpose address registries
(RFC 6890); RFC 4291 sections 2.5.5 and 2.7, RFC 6052 for addresses that carry an IPv4 one.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpcore2

Resolve = Callable[[str, int], Sequence[str]]
"""From a name and a port to addresses."""

_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")


class Forbidden(Exception):
    """A name stands for an address that must not be reached; says which and why."""


def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver.

    Raises:
        OSError: The name stands for no address.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def objection(address: str, *, internal: bool) -> str | None:
    """Why an address must not be reached, in words; None when it may be.

    Args:
        address: An IP address.
        internal: Whether the city's own networks and this machine may be reached.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "it is no IP address"
    if ip.is_multicast or ip.is_unspecified or ip.is_link_local:
        return "no server has such an address"
    if isinstance(ip, ipaddress.IPv4Address):
        is_public = ip.is_global and not ip.is_reserved
    else:
        if ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip in _TRANSLATED:
            return "it hides an IPv4 address"
        is_public = ip.is_global and ip in _GLOBAL_V6
    return None if is_public or internal else "it is not public"


@dataclass(slots=True)
class Backend(httpcore2.NetworkBackend):
    """Opens connections, to checked addresses only and until a deadline only.

    Attributes:
        resolve: Looks names up.
        internal: Whether the city's own networks may be reached.
        deadline: Monotonic clock at which the request under way is given up.
    """

    resolve: Resolve
    internal: bool
    deadline: float = float("inf")
    _plain: httpcore2.NetworkBackend = field(default_factory=httpcore2.SyncBackend)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address of a name that answers.

        Raises:
            Forbidden: One of the addresses must not be reached; none was.
            httpcore2.ConnectError: The name is unknown, or no address answered.
        """
        try:
            addresses = self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the name cannot be resolved: {error}") from error
        for address in addresses:
            reason = objection(address, internal=self.internal)
            if reason:
                raise Forbidden(f"{host} is {address}: {reason}")
        last: Exception = httpcore2.ConnectError("the name stands for no address")
        for address in addresses:
            try:
                stream = self._plain.connect_tcp(
                    address, port, self.left(timeout), local_address, socket_options
                )
                return _Timed(stream, self)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
        raise last

    def left(self, timeout: float | None) -> float:
        """Seconds that may still be waited.

        Raises:
            httpcore2.ReadTimeout: None are left.
        """
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise httpcore2.ReadTimeout("the time for this request is over")
        return seconds if timeout is None else min(timeout, seconds)


@dataclass(slots=True)
class _Timed(httpcore2.NetworkStream):
    """A connection that does not outlast the request's time, however slowly bytes drip in."""

    stream: httpcore2.NetworkStream
    backend: Backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, self.backend.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, self.backend.left(timeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = self.backend.left(timeout)
        return _Timed(self.stream.start_tls(ssl_context, server_hostname, left), self.backend)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - whatever the stream tells
        return self.stream.get_extra_info(info)
