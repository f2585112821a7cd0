"""Who asks: an address, as far as it can be told."""

from __future__ import annotations

import ipaddress

from starlette.requests import Request


def client_of(request: Request, *, behind_proxy: bool) -> str:
    """The address of a client; those of one IPv6 network of 64 bits are one client.

    Args:
        request: The request.
        behind_proxy: Whether the last address in ``X-Forwarded-For`` counts, which the proxy has put there; without a
            proxy, anybody could write it.
    """
    address = request.client.host if request.client else ""
    if behind_proxy:
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        address = forwarded.rsplit(",", 1)[-1].strip() or address
    try:
        known = ipaddress.ip_address(address[:100])
    except ValueError:
        return "unknown"
    if known.version == 6 and known.ipv4_mapped is None:
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known if known.version == 4 else known.ipv4_mapped)
