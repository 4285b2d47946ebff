"""The power fails: what was announced is on the disk. Without fsync it is not, which shows that the test can tell."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import define, field
from codetether import CodetetherError, MessageAdded, ToolCompleted, ToolIntent, key_bytes
from codetether.storage.disk import Disk
from codetether.storage.store import Store
from codetether.storage.streams import stream_files, stream_lines, stream_sessions
from codetether_sink_audit_jsonl.files import lines_of
from codetether_sink_audit_jsonl.verify import verify

PROOF = bool(os.environ.get("CODETETHER_PROOF"))
FAILURES, CONTROLS = (50, 10) if PROOF else (2, 1)
PROGRAM = Path(__file__).with_name("lives.py")
SIZE = 48 << 20


def _command(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """The file system in an image, mounted; writes reach the image when the kernel likes, or fsync says so."""
    place.mkdir(exist_ok=True)
    _command("mount", "-o", "loop,commit=300,noatime", str(image), str(place))
    try:
        yield place
    finally:
        for _ in range(50):
            if subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)


def blank(image: Path) -> None:
    """An empty file system."""
    with image.open("wb") as file:
        file.truncate(SIZE)
    _command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))


@pytest.fixture(scope="module", autouse=True)
def power(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips, and says why, where no image can be mounted."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("power loss is simulated on Linux, by root, with mkfs.ext4")
    place = tmp_path_factory.mktemp("power")
    try:
        blank(place / "image")
        with mounted(place / "image", place / "disk"):
            pass
    except OSError as error:
        pytest.skip(f"no image can be mounted here: {error}")


@define
class Told:
    """What was announced to somebody who does not lose power."""

    session: str = ""
    done: list[int] = field(factory=list)
    effects: list[str] = field(factory=list)

    def hear(self, text: str) -> None:
        whole = text.rpartition("\n")[0].splitlines()  # the last line may be torn
        for word, _, rest in (line.partition(" ") for line in whole):
            match word:
                case "session":
                    self.session = rest
                case "done":
                    self.done.append(int(rest))
                case "effect":
                    self.effects.append(rest)


def lose_power(image: Path, place: Path, told: Told, seconds: float, *, forgetful: bool = False) -> Path:
    """A session works on a disk that loses power after so many seconds; the disk as it is then."""
    first = (told.done[-1] if told.done else 0) + 1000
    after = place / "after"
    with mounted(image, place / "disk") as disk:
        arguments = [str(disk), str(first), told.session, "forgetful" if forgetful else "careful"]
        with subprocess.Popen(
            [sys.executable, str(PROGRAM), *arguments], stdout=subprocess.PIPE, text=True, bufsize=1, cwd=place
        ) as process:
            assert process.stdout is not None
            begun = process.stdout.readline() + process.stdout.readline()
            time.sleep(seconds)
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.02)
            _command("cp", "--sparse=always", str(image), str(after))
            process.kill()
            told.hear(begun + process.stdout.read())
    after.rename(image)
    return image


async def losses(disk: Path, told: Told) -> list[str]:
    """What was announced and is not on the disk, or is there damaged."""
    io = Disk()
    try:
        async with Store(disk / "home" / "data", io) as store:
            items = [item async for item in store.records(told.session)]
    except CodetetherError as error:
        return [f"the session cannot be read: {error.message}"]
    finally:
        await io.close()
    entries = [item.entry for item in items]
    texts = {e.message.text for e in entries if isinstance(e, MessageAdded)}
    intents = {e.call_id for e in entries if isinstance(e, ToolIntent)}
    results = {e.result.tool_call_id for e in entries if isinstance(e, ToolCompleted)}
    lost = [f"the effect {m} has no intent" for m in told.effects if f"c{m[1:]}" not in intents]
    for number in told.done:
        wanted = {f"prompt {number}", f"thinking of {number}", f"answer {number}"}
        lost += [f"lost: {text}" for text in wanted - texts]
        lost += [f"lost: the result of c{number}"] if f"c{number}" not in results else []
    return lost + _audit_losses(disk, told) + _stream_losses(disk, told)


def _audit_losses(disk: Path, told: Told) -> list[str]:
    state, key = disk / "home/state/plugins/audit-jsonl", disk / "home/config/audit.key"
    log = state / "audit.jsonl"
    try:
        found = verify(log, [key_bytes(key.read_bytes(), str(key))], state / "audit.anchors")
        entries = [json.loads(line) for line in lines_of(log)]
    except (OSError, ValueError, CodetetherError) as error:
        return [f"the audit log cannot be read: {error}"]
    intents = {e["call_id"] for e in entries if (e["action"], e["outcome"]) == ("tool:mark", "intent")}
    lost = [f"the audit log has no intent of {m}" for m in told.effects if f"c{m[1:]}" not in intents]
    return lost if found.bad is None else [f"the audit log is bad: {found.bad}", *lost]


def _stream_losses(disk: Path, told: Told) -> list[str]:
    spool = disk / "events"
    if stream_sessions(spool) != [told.session]:
        return ["the stream is gone"]
    place, lost, texts = 0, [], set()
    for file in stream_files(spool, told.session):
        size = file.path.stat().st_size
        if file.first != place or (file.sealed and size != file.size):
            lost.append(f"{file.path.name} is not what it says: {size} bytes, after byte {place}")
        place = file.end
    for _, line in stream_lines(spool, told.session):
        try:
            texts.add(json.loads(line).get("content"))
        except ValueError:
            lost.append(f"a damaged line: {line[:40]!r}")
    return lost + [f"not in the stream: answer {n}" for n in told.done if f"answer {n}" not in texts]


async def test_what_was_announced_survives_the_loss_of_power(tmp_path: Path) -> None:
    chance = random.Random(os.environ.get("CODETETHER_SEED", "power"))
    told = Told()
    image = tmp_path / "image"
    blank(image)
    for _ in range(FAILURES):
        lose_power(image, tmp_path, told, chance.uniform(0.0, 0.6))
        with mounted(image, tmp_path / "disk") as disk:
            assert await losses(disk, told) == []
    assert told.done, "no turn was done before the power went: nothing was tried"


async def test_without_fsync_it_is_lost(tmp_path: Path) -> None:
    chance = random.Random(os.environ.get("CODETETHER_SEED", "control"))
    lossy = 0
    for _ in range(CONTROLS):
        told = Told()
        blank(tmp_path / "image")
        lose_power(tmp_path / "image", tmp_path, told, chance.uniform(0.3, 0.6), forgetful=True)
        assert told.done
        with mounted(tmp_path / "image", tmp_path / "disk") as disk:
            lossy += bool(await losses(disk, told))
    assert lossy == CONTROLS, "a run without fsync lost nothing: this test cannot tell"
