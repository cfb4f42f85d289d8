"""Where a task's HTTP call may go: hosts by the plane's list, and addresses that lead out of the worker."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address

USUAL_PORTS: Final = {"http": 80, "https": 443}

# Lambda's runtime API listens on the loopback address, and the metadata services of EC2 and ECS on link-local
# ones and on fd00:ec2::/32. Sources: Amazon EC2 user guide, "Instance metadata"; IANA's special addresses.
_FORBIDDEN: Final = tuple(
    (ip_network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "this machine itself"),
        ("127.0.0.0/8", "this machine itself"),
        ("169.254.0.0/16", "link-local, as the metadata service is"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/96", "this machine itself, or reserved"),
        ("64:ff9b:1::/48", "translated to one that can't be checked"),
        ("fd00:ec2::/32", "a service of EC2's own, as the metadata service is"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
# Of IPv6, with the address of IPv4 in its last 32 bits: NAT64 (RFC 6052), and SIIT (RFC 2765).
_ENDS_WITH_IPV4: Final = (ip_network("64:ff9b::/96"), ip_network("::ffff:0:0:0/96"))
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)  # what precedes one of IPv4, in whichever network (RFC 5214)


@dataclass(frozen=True)
class AllowedHosts:
    """The hosts that tasks may call: `host`, or `*.domain` for all below it.

    A port other than 80 and 443 is part of the item, as in `host:8443`.
    """

    items: tuple[str, ...] = ()

    def allow(self, host: str, port: int) -> bool:
        """Whether a task may call that port of a host."""
        return any(_covers(item.lower(), host.lower(), port) for item in self.items)

    def __str__(self) -> str:
        return ", ".join(self.items) or "there is none"


def _covers(item: str, host: str, port: int) -> bool:
    name, colon, only = item.rpartition(":")
    if not colon or not only.isdecimal():
        name, only = item, ""
    if (port != int(only)) if only else port not in USUAL_PORTS.values():
        return False
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def forbidden(address: str) -> str | None:
    """Why no task may call an address, whoever's name it has; None if one may, or for a name."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    for meant in _meant(known):
        for network, kind in _FORBIDDEN:
            if meant in network:
                return kind
    return None


def _meant(address: Address) -> Iterator[Address]:
    """An address, and the one of IPv4 that it may stand for."""
    yield address
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            yield address.ipv4_mapped
        if address.sixtofour:
            yield address.sixtofour
        if address.teredo:
            yield from address.teredo
        ending = int(address) & 0xFFFF_FFFF
        is_isatap = int(address) >> 32 & 0xFFFF_FFFF in _ISATAP
        if is_isatap or any(address in network for network in _ENDS_WITH_IPV4):
            yield IPv4Address(ending)
