"""Stories about the file of keys."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from codetether import CredentialError, CredentialStore, Runtime, Secret
from codetether.testing.sessions import ONLY
from codetether_credentials_file.store import KeyFile

KEY = "sk-file-0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "credentials.json"


@pytest.fixture
def written(path: Path) -> Path:
    """The file as a user may write it by hand."""
    path.parent.mkdir()
    path.write_text(f'{{"mine": {{"api_key": "{KEY}", "base_url": "https://mine.example/v1"}}}}\n')
    path.chmod(0o600)
    return path


async def test_what_is_put_is_there_until_it_is_deleted(path: Path) -> None:
    store = KeyFile(path)
    assert (await store.get("mine", ()), await store.list(), await store.delete("mine")) == (None, [], False)
    assert not path.parent.exists()  # looking makes nothing

    await store.put("other", {"api_key": "o"})
    await store.put("mine", {"api_key": "first"})
    await store.put("mine", {"api_key": KEY, "headers": {"x-team": "ü"}})

    assert await store.get("mine", ()) == Secret(
        values={"api_key": KEY, "headers": {"x-team": "ü"}}, source=f"file:{path}"
    )
    assert await store.list() == ["mine", "other"]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert (await store.delete("mine"), await store.get("mine", ())) == (True, None)
    assert (json.loads(path.read_text()), list(path.parent.iterdir())) == ({"other": {"api_key": "o"}}, [path])


async def test_a_file_written_by_hand_is_read(written: Path) -> None:
    secret = await KeyFile(written).get("mine", ())
    assert secret is not None
    assert secret.values == {"api_key": KEY, "base_url": "https://mine.example/v1"}
    assert KEY not in repr(secret)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
async def test_a_file_that_others_may_read_is_refused(written: Path, mode: int) -> None:
    written.chmod(mode)
    before = written.read_bytes()
    for question in (KeyFile(written).get("mine", ()), KeyFile(written).list(), KeyFile(written).put("x", {})):
        with pytest.raises(CredentialError) as caught:
            await question
        assert (caught.value.message, caught.value.remedy) == (f"others may read {written}", f"chmod 600 {written}")
    assert written.read_bytes() == before


async def test_a_link_and_what_is_no_file_are_refused(written: Path, tmp_path: Path) -> None:
    link, pipe, directory = tmp_path / "link.json", tmp_path / "pipe", tmp_path / "directory"
    link.symlink_to(written)
    os.mkfifo(pipe, 0o600)
    directory.mkdir(0o700)
    for place, read, put in (
        (link, f"{link} is a symbolic link", f"{link} is a symbolic link"),
        (pipe, f"{pipe} is no file", f"{pipe} is no file"),
        (directory, f"{directory} is no file", f"{directory} is no file"),
        (written / "x", f"{written / 'x'} cannot be read: Not a directory", f"cannot make {written}: Not a directory"),
    ):
        for question, why in (
            (KeyFile(place).get("mine", ()), read),
            (KeyFile(place).put("mine", {"api_key": "other"}), put),
        ):
            with pytest.raises(CredentialError) as caught:
                await question
            assert caught.value.message == why
    assert KEY in written.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_file_of_another_user_is_refused(written: Path) -> None:
    os.chown(written, 12345, -1)
    with pytest.raises(CredentialError, match="belongs to another user"):
        await KeyFile(written).get("mine", ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f'{{"a": {{}},\n"b": {KEY}}}', ":2: not JSON: Expecting value"),
        ("{", ":1: not JSON: Expecting property name enclosed in double quotes"),
        ("[1]", ":1: not an object of providers"),
        (f'{{"mine": "{KEY}"}}', ": mine: not an object of values"),
        ("[" * 100_000, ": not JSON in UTF-8"),
        (b'{"mine": "\xff"}', ": not JSON in UTF-8"),
        (" " * 2_000_000, " is larger than any file of keys"),
    ],
)
async def test_what_is_damaged_is_named_without_a_word_of_it_and_left(path: Path, text: str | bytes, why: str) -> None:
    path.parent.mkdir()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(CredentialError) as caught:
        await KeyFile(path).put("mine", {"api_key": "other"})
    assert caught.value.message == f"{path}{why}"
    assert KEY not in str(caught.value)
    assert path.read_bytes() == before


async def test_writers_at_once_lose_nothing(path: Path) -> None:
    async def put(writer: int) -> None:
        for number in range(5):
            await KeyFile(path).put(f"{writer}-{number}", {"api_key": "k"})

    await asyncio.gather(*map(put, range(4)))
    assert sorted(json.loads(path.read_text())) == [f"{writer}-{n}" for writer in range(4) for n in range(5)]


async def test_it_is_asked_last_and_lies_beside_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODETETHER_HOME", str(tmp_path))
    elsewhere = {**ONLY, "plugins": {**ONLY["plugins"], "file": {"path": str(tmp_path / "keys.json")}}}
    stores: list[CredentialStore] = []
    for settings in (ONLY, elsewhere):
        async with Runtime.open({**settings, "plugins": {**settings["plugins"], "only": ["file"]}}) as runtime:
            assert list(runtime.credentials.sources) == ["env", "file"]
            stores.append(runtime.credentials.stores()["file"])
    assert [await store.usable() for store in stores] == [True, True]
    assert [getattr(store, "path", None) for store in stores] == [
        tmp_path / "config" / "credentials.json",
        tmp_path / "keys.json",
    ]
