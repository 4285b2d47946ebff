"""Which addresses on the network belong to the public, and which to this machine, its neighbours or its cloud."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA_NAMES = frozenset(("metadata", "metadata.google.internal", "metadata.goog", "instance-data"))
"""Names under which clouds tell a machine its keys."""


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(word) for word in text.split())


_METADATA = _networks(
    "169.254.0.0/16 100.100.100.200/32 192.0.0.192/32 168.63.129.16/32 fe80::/10 fd00:ec2::/32 fd20:ce::/32"
)
"""Link-local, and where clouds tell a machine its keys outside of that."""
_PRIVATE = _networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24"
    " 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    " ::/3 2001::/23 2001:db8::/32 3fff::/20 4000::/2 8000::/1"
)
"""What no public server has, by the registries of special addresses, whatever this Python knows of them: of IPv6 all
but 2000::/3."""
_PACKED = _networks("64:ff9b::/96 ::ffff:0:0:0/96")
"""Addresses that stand for the IPv4 address in their last four bytes, and for nothing else."""
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def is_metadata(address: Address) -> bool:
    """Whether a cloud tells keys there, or only this link leads there: nobody may ever be sent there."""
    return any(_within(each, _METADATA) for each in _meanings(address))


def is_public(address: Address) -> bool:
    """Whether anybody may reach it, in each way in which it can be understood."""
    return all(each.is_global and not _within(each, _PRIVATE) for each in _meanings(address)) and not is_metadata(
        address
    )


def parse(text: str) -> Address:
    """An address, without the interface that may stand behind it. Raises ValueError."""
    return ip_address(text.partition("%")[0])


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _meanings(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 address that is packed into it, if any; a mapped one is only that."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    number = int(address)
    if _within(address, _PACKED):
        yield IPv4Address(number & 0xFFFF_FFFF)
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (number >> 32) & 0xFFFF_FFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFF_FFFF)
