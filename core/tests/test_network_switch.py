"""The switch that forbids real requests."""

from __future__ import annotations

import socket

import pytest
from codetether.testing.network import NetworkForbidden, no_network


def test_switches_may_overlap_in_any_order() -> None:
    first, second = no_network("first"), no_network("second")
    before = socket.getaddrinfo
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    with pytest.raises(NetworkForbidden, match="second tried to reach"):
        socket.getaddrinfo("host.invalid", 1)
    second.__exit__(None, None, None)
    assert socket.getaddrinfo is before
