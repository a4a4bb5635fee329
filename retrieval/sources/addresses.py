"""Requests to addresses that everybody may reach, whatever a name or a redirect leads to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx2 as httpx

from retrieval.errors import SourceError

Resolve = Callable[[str, int], Sequence[str]]
"""Gives the IP addresses that a host's name leads to."""

_NAT64 = ip_network("64:ff9b::/96")


def resolved(host: str, port: int) -> Sequence[str]:
    """What the system says that a name leads to."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether an IP address is of the internet, also where it wraps another one."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    within: list[IPv4Address | IPv6Address] = [parsed]
    if isinstance(parsed, IPv6Address):
        wrapped = [parsed.ipv4_mapped, parsed.sixtofour, *(parsed.teredo or ())]
        within += [inner for inner in wrapped if inner is not None]
        if parsed in _NAT64:
            within.append(IPv4Address(int(parsed) & 0xFFFFFFFF))
        if parsed.ipv4_mapped:
            within.remove(parsed)
    return all(inner.is_global and not inner.is_multicast for inner in within)


class CheckedTransport(httpx.BaseTransport):
    """Connects to the very address that was checked, so that a name cannot come to mean another.

    It goes through no proxy, which would look the name up by itself.
    """

    def __init__(
        self,
        *,
        allows_private: bool,
        resolve: Resolve = resolved,
        tls: httpx.BaseTransport | None = None,
    ) -> None:
        self._allows_private = allows_private
        self._resolve = resolve
        # A connection that is kept would be used for whatever other name has the same address.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._inner = tls or httpx.HTTPTransport(limits=limits, trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of the host that a request names.

        Raises:
            SourceError: If it leads to an address that may not be reached.
        """
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            addresses = self._resolve(host, port)
        except OSError as error:
            raise httpx.ConnectError(f"{host} is not known", request=request) from error
        if not self._allows_private and not all(map(is_public, addresses)):
            raise SourceError(
                f"{host} is in a private network; private = true in its table allows that"
            )
        if not addresses:
            raise httpx.ConnectError(f"{host} is not known", request=request)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=addresses[0])
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        self._inner.close()
