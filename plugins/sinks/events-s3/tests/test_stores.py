"""Stores that can do less: it is noticed and said, and still nothing is stored twice or overwritten."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from codetether_sink_events_s3.answers import meaning, told
from codetether_sink_events_s3.archive import S3Archive
from codetether_sink_events_s3.settings import EventsS3Settings

from .conftest import Keyless


@define
class OldStore:
    """A store of its own kind, in memory.

    Attributes:
        conditions, checksums: "kept", "ignored", or the status with which they are refused.
        writes: how often each key was written.
    """

    endpoint: str = ""
    conditions: str = "kept"
    checksums: str = "kept"
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(factory=dict)
    writes: list[str] = field(factory=list)
    asked: list[str] = field(factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: OldStore

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library names it
        """Nothing."""

    def _said(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refused(self, status: int, code: str, text: str) -> None:
        self._said(status, {}, f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode())

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        store, key = self.store, self.path.partition("?")[0]
        store.asked.append(f"PUT {key}")
        condition, checksum = self.headers.get("If-None-Match"), self.headers.get("x-amz-checksum-sha256")
        md5 = self.headers.get("Content-MD5")
        if checksum and store.checksums in ("400", "501"):
            code = "NotImplemented" if store.checksums == "501" else "InvalidArgument"
            self._refused(int(store.checksums), code, "x-amz-checksum-sha256 is not supported")
        elif condition and store.conditions in ("400", "501"):
            self._refused(int(store.conditions), "NotImplemented", "A header you provided is not implemented")
        elif condition and store.conditions == "kept" and key in store.objects:
            self._refused(412, "PreconditionFailed", "exists")
        elif md5 and base64.b64decode(md5) != hashlib.md5(body).digest():
            self._refused(400, "BadDigest", "no")
        else:
            kept = {"x-amz-checksum-sha256": checksum} if checksum and store.checksums == "kept" else {}
            store.objects[key] = body, kept
            store.writes.append(key)
            self._said(200, {"ETag": '"x"'})

    def do_HEAD(self) -> None:
        self.store.asked.append(f"HEAD {self.path}")
        found = self.store.objects.get(self.path.partition("?")[0])
        if found is None:
            self._said(404)
        else:
            self._said(200, {"Content-Length": str(len(found[0])), "ETag": '"x"', **found[1]})

    def do_GET(self) -> None:
        self.store.asked.append(f"GET {self.path}")
        self._said(200, {}, self.store.objects[self.path.partition("?")[0]][0])


@pytest.fixture
def store(machine: None) -> Iterator[OldStore]:
    made = OldStore()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": made}))
    made.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def sealed(spool: Path, count: int) -> dict[str, bytes]:
    """So many sealed files; what must be in the store."""
    (spool / "s1").mkdir(parents=True)
    made = {}
    for number in range(count):
        data = b"%d" % number * 100 + b"\n"
        name = f"20260102T030405Z-chat-events-{number * 101:020}-{number * 101 + 101:020}.jsonl"
        (spool / "s1" / name).write_bytes(data)
        made[f"/old/events/s1/{name}"] = data
    return made


async def archived(store: OldStore, spool: Path, said: list[str]) -> Any:
    settings = EventsS3Settings(bucket="old", endpoint=store.endpoint, access_key="a", secret_key="b")
    async with S3Archive(settings, Keyless(), said.append) as archive:
        return await archive.archive(spool, lambda progress: None)


WEAK_CONDITION = "knows no If-None-Match"
WEAK_CHECKSUM = "keeps no SHA-256"


@pytest.mark.parametrize(
    ("conditions", "checksums", "weaker"),
    [
        ("kept", "kept", []),
        ("ignored", "kept", [WEAK_CONDITION]),
        ("501", "kept", [WEAK_CONDITION]),
        ("400", "kept", [WEAK_CONDITION]),
        ("kept", "ignored", [WEAK_CHECKSUM]),
        ("kept", "501", [WEAK_CHECKSUM]),
        ("kept", "400", [WEAK_CHECKSUM]),
        ("ignored", "ignored", [WEAK_CONDITION, WEAK_CHECKSUM]),
        ("501", "501", [WEAK_CONDITION, WEAK_CHECKSUM]),
    ],
)
async def test_what_a_store_cannot_do_is_found_out_and_said(
    store: OldStore, tmp_path: Path, conditions: str, checksums: str, weaker: list[str]
) -> None:
    store.conditions, store.checksums = conditions, checksums
    expected = sealed(tmp_path, 3)
    said: list[str] = []
    report = await archived(store, tmp_path, said)
    assert (report.stored, report.waiting, report.problem) == (3, 0, "")
    assert {key: body for key, (body, _) in store.objects.items()} == expected
    assert [next(w for w in (WEAK_CONDITION, WEAK_CHECKSUM) if w in line) for line in said] == weaker
    # It is remembered; and without receipts what is there is found, and not written again.
    before = len(store.writes)
    assert (await archived(store, tmp_path, said)).stored == 0
    receipts = tmp_path / ".archive" / "receipts.jsonl"
    lines = [line for line in receipts.read_bytes().splitlines() if b'"conditional"' in line]
    receipts.write_bytes(b"".join(line + b"\n" for line in lines))
    assert (await archived(store, tmp_path, said)).waiting == 0
    assert len(store.writes) == before
    assert len(said) == len(weaker)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("conditions", "checksums"), [("kept", "ignored"), ("501", "501"), ("ignored", "kept")])
async def test_D12_other_bytes_are_kept_by_any_store(
    store: OldStore, tmp_path: Path, conditions: str, checksums: str, known: bool
) -> None:
    store.conditions, store.checksums = conditions, checksums
    first, second = sealed(tmp_path, 2)
    path = tmp_path / "s1" / second.rpartition("/")[2]
    data = path.read_bytes()
    path.unlink()
    said: list[str] = []
    if known:
        assert (await archived(store, tmp_path, said)).stored == 1
    else:
        (tmp_path / "s1" / first.rpartition("/")[2]).unlink()
    path.write_bytes(data)
    store.objects[second] = (b"y" * len(data), {})
    report = await archived(store, tmp_path, said)
    assert (report.stored, report.waiting) == (0, 1)
    assert store.objects[second][0] == b"y" * len(data)
    assert said[-1].startswith("ALARM: ")


def refusal(code: str, status: int, text: str = "") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject"
    )


@pytest.mark.parametrize(
    ("code", "status", "text", "expected"),
    [
        ("PreconditionFailed", 412, "", "present"),
        ("412", 412, "", "present"),
        ("ConditionalRequestConflict", 409, "", "conflict"),
        ("OperationAborted", 409, "", "conflict"),
        ("SlowDown", 503, "", "busy"),
        ("500", 500, "", "busy"),
        ("RequestTimeout", 400, "", "busy"),
        ("BadDigest", 400, "the checksum did not match", "busy"),
        ("NotImplemented", 501, "", "unsupported"),
        ("InvalidArgument", 400, "If-None-Match is not supported", "unsupported"),
        ("InvalidRequest", 400, "Bucket is missing Object Lock Configuration", "refused"),
        ("NoSuchBucket", 404, "", "refused"),
        ("404", 404, "", "absent"),
        ("AccessDenied", 403, "", "refused"),
        ("RequestTimeTooSkewed", 403, "", "refused"),
        ("InvalidBucketName", 400, "", "refused"),
    ],
)
def test_what_a_refusal_means(code: str, status: int, text: str, expected: str) -> None:
    assert meaning(refusal(code, status, text)) == expected


def test_a_refusal_is_told_without_the_stores_own_words() -> None:
    text = "The key AKIASECRET you provided does not exist"
    assert told(refusal("InvalidAccessKeyId", 403, text), "STORE", locked=False) == (
        "STORE refuses (InvalidAccessKeyId, status 403): the store does not know the access key: look at "
        "CODETETHER_S3_ACCESS_KEY"
    )
    assert "there is no such bucket" in told(refusal("NoSuchBucket", 404), "STORE", locked=False)
    assert "object lock" in told(refusal("InvalidRequest", 400), "STORE", locked=True)
