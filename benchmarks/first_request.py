"""What a command costs until its first request arrives at a server."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing

from benchmarks.children import Command, Cost, environment, reap

PATIENCE = 60.0
"""Seconds until the request must be there."""


def cost_to_first_request(command: Callable[[str], Command], scheme: str = "http") -> Cost:
    """Starts what `command` makes of a base URL, and ends it when it has sent its first request.

    With `https` that is the first message of the handshake: the handshake is the library's, not ours.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(PATIENCE)
        made = command(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v1")
        began = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *made.arguments],
            env=environment(made.variables),
            cwd=made.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            connection, _ = listener.accept()
            with closing(connection):
                connection.settimeout(PATIENCE)
                arrived = connection.recv(65536)
                while scheme == "http" and b"\r\n\r\n" not in arrived:
                    arrived += connection.recv(65536)
                reached = time.perf_counter()
        finally:
            child.kill()
            spent = reap(child, began)
    return Cost(cpu=spent.cpu, wall=reached - began, memory=spent.memory)
