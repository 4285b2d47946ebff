"""How the conformance kit tries this plugin: with a syslog server of its own that writes what it gets to a file."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from codetether import JSON
from codetether.testing.trials import Trials


def _address(directory: Path) -> Path:
    return directory / "log.sock"


def _listen(directory: Path) -> None:
    """Keeps each message as a line of a file, as long as this process lives; a child uses its parent's server."""
    if _address(directory).exists():
        return
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(_address(directory)))
    threading.Thread(target=_keep, args=(server, directory / "syslog"), daemon=True).start()


def _keep(server: socket.socket, file: Path) -> None:
    while True:
        message = server.recv(1 << 20)
        with file.open("ab") as kept:
            kept.write(message + b"\n")


def _settings(directory: Path) -> Mapping[str, JSON]:
    return {"address": str(_address(directory))}


def _kept(directory: Path) -> Sequence[str]:
    time.sleep(0.1)  # what the socket has taken is written a moment later
    file = directory / "syslog"
    return file.read_text().splitlines() if file.exists() else []


TRIALS = Trials(settings=_settings, prepare=_listen, kept=_kept)
