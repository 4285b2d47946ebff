"""Tells what a command line is known to read, to write, to reach and to remove."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

from codetether.permissions.denials import candidates
from codetether.permissions.git import COMMANDS as READING
from codetether.permissions.git import read_git
from codetether.permissions.options import NotHarmless, base, names
from codetether.permissions.readers import READERS, Use, tells_of_itself
from codetether.permissions.shell import Line
from codetether.permissions.words import UNKNOWN
from codetether.values import frozen

_WRITERS = names(
    "rm rmdir unlink shred mv cp touch mkdir tee truncate chmod chown chgrp install mkfifo mknod sponge patch ln rsync"
)
_MAY_WRITE = _WRITERS | names("dd sed perl sort curl wget")
_MODE_FIRST = names("chmod chown chgrp")
_COPIES = names("cp install ln rsync")
_REMOVERS = names("rm rmdir shred unlink mv chmod chown chgrp find")
_ALL_UNKNOWN = re.compile(r"\0+(?:/+(?:\*|\.\*)*)*")
_URL = re.compile(
    r"(?<![a-z])[a-z][a-z0-9+.-]{0,20}://(?:[^/@\s]{0,200}@)?(\[[0-9a-fA-F:.]+\]|[^/:?#\s]+)(:\d+)?", re.IGNORECASE
)
_NETWORK = re.compile(r"/dev/(?:tcp|udp)/([^/]+)/(.*)")
MOST = 100


@frozen(kw_only=True)
class Effects:
    """What is known of a line: paths as spelled, hosts with their port where one is given.

    Attributes:
        whole: the directory, as spelled, that it would remove or change with all that is in it, and that nobody means:
            the root, a home, the workspace or what holds it; `?` where only running it can tell.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    whole: str = ""


@lru_cache(maxsize=256)
def effects(line: Line, directory: str) -> Effects:
    """What the line is known to do, at any depth. What it does beyond that nobody can tell."""
    found = candidates(line)
    reads, writes = [*line.reads], [*line.writes]
    hosts: list[str] = []
    for words in found:
        reads += _reads(words)
        if base(words[0]) in _MAY_WRITE:
            writes += _writes(words)
        hosts += _hosts(words)
    if places := places_of(found):
        reads, writes = [*reads, *_below(places, reads)], [*writes, *_below(places, writes)]
    hosts += [f"{m[1]}:{m[2]}" for path in (*reads, *writes) if (m := _NETWORK.fullmatch(path))]
    whole = next((name for words in found if (name := _whole(words, directory))), "")
    return Effects(reads=_known(reads), writes=_known(writes), hosts=tuple(dict.fromkeys(hosts)), whole=whole)


def places_of(found: Iterable[tuple[str, ...]]) -> list[str]:
    """Where `cd` leads, one after the other: what follows is relative to that, or still to where the line began."""
    places: list[str] = []
    for words in found:
        if base(words[0]) in ("cd", "pushd"):
            for word in _operands(words):
                if UNKNOWN not in word:
                    places += [word, *(os.path.join(place, word) for place in places[:MOST])]
    return places[:MOST]


def _below(places: list[str], paths: list[str]) -> list[str]:
    return [os.path.join(place, path) for place in places for path in paths if not path.startswith(("/", "~"))]


def _known(paths: list[str]) -> tuple[str, ...]:
    kept = dict.fromkeys(p for p in paths if p and p != "-" and UNKNOWN not in p and not _NETWORK.fullmatch(p))
    return tuple(kept)[:MOST]


def _reads(words: tuple[str, ...]) -> tuple[str, ...]:
    if UNKNOWN in words:
        words = tuple(word for word in words if word != UNKNOWN)
    try:
        use = read(words) if words else None
    except NotHarmless:
        if words[0] == "git" and not set(words[1:]) & READING.keys():
            return ()
        # Not harmless, but what stands there as a file is read all the same.
        return tuple(word for word in words[1:] if not word.startswith("-"))[:20]
    if use is not None:
        return use.reads
    if not words or base(words[0]) not in _COPIES:
        return ()
    operands = tuple(_operands(words))
    into = any(word.startswith(("-t", "--t")) for word in words)
    return operands if into else operands[:-1]


def told(words: tuple[str, ...]) -> bool:
    """Whether it is known which of the words are files that are read, and which are not."""
    try:
        return base(words[0]) in _WRITERS or read(words) is not None
    except NotHarmless:
        return False


@lru_cache(maxsize=256)
def read(words: tuple[str, ...]) -> Use | None:
    """What a program that only reads does with these words; None for any other program. Raises NotHarmless."""
    program = words[0]
    for place in ("/bin/", "/usr/bin/"):
        program = program.removeprefix(place)
    if program == "git":
        return read_git(words)
    if tells_of_itself((program, *words[1:])):
        return Use()
    reader = READERS.get(program)
    return reader(words) if reader else None


def _writes(words: tuple[str, ...]) -> Iterator[str]:
    program = base(words[0])
    if program == "dd":
        yield from (word[3:] for word in words if word.startswith("of="))
    if program in ("sed", "perl") and any(re.match(r"-[a-zA-Z]*i|--in-place", word) for word in words[1:]):
        yield from [word for word in words[1:] if not word.startswith("-")][1:]
    if program == "sort":
        yield from (b for a, b in pairwise(words) if a in ("-o", "--output"))
    if program in ("curl", "wget"):
        yield from (b for a, b in pairwise(words) if a in ("-o", "-O", "--output", "--output-document"))
    if program not in _WRITERS:
        return
    for before, word in pairwise((*words, "")):
        if before == "-t" or (before.startswith("--t") and "=" not in before):
            yield word
        elif before.startswith(("--t", "-t")):
            yield before.partition("=")[2] or before[2:]
    operands = list(_operands(words))
    yield from operands[-1:] if program in _COPIES else operands[1:] if program in _MODE_FIRST else operands


def _operands(words: tuple[str, ...]) -> Iterator[str]:
    """What is no option; the value of one counts too, since a path too many does no harm."""
    yield from (word for word in words[1:] if not word.startswith("-"))


def _hosts(words: tuple[str, ...]) -> Iterator[str]:
    for word in (word for word in words[1:] if "://" in word):
        for found in _URL.finditer(word):
            yield found[1] + (found[2] or "")


def _whole(words: tuple[str, ...], directory: str) -> str:
    program = base(words[0])
    if program not in _REMOVERS:
        return ""
    options = "".join(word for word in words[1:] if word.startswith("-"))
    if program in _MODE_FIRST and "R" not in options and "recursive" not in options:
        return ""
    if program == "find" and not any(word in ("-delete", "-exec", "-execdir", "-ok", "-okdir") for word in words):
        return ""
    if program == "rm" and not re.search(r"[rR]|--dir", options):
        return ""
    operands = _operands(words)
    if program == "find":
        operands = (word for word in list(_until_option(words)))
    for word in operands:
        if word == UNKNOWN and program != "rm":
            continue
        if word.startswith("~") and "/" not in word.rstrip("/"):
            return word
        if UNKNOWN in word:
            if _ALL_UNKNOWN.fullmatch(word):
                return "?"
            continue
        if _holds(word, directory):
            return word
    return ""


def _until_option(words: tuple[str, ...]) -> Iterator[str]:
    for word in words[1:]:
        if word.startswith(("-", "(", "!")):
            return
        if word != ".":
            yield word


def _holds(word: str, directory: str) -> bool:
    """Whether a path is the root, a directory right below it, a home, the workspace, or holds one of these."""
    path = re.sub(r"(?:/+(?:\*+|\.\*|\.\?\?\*|\{.*\}))+$", "", word) or "/"
    if path in ("*", ".*"):
        return path == ".*"
    inside_all = path != word
    real = os.path.realpath(os.path.join(directory, path))
    plain = os.path.normpath(os.path.join(directory, path))
    home = os.path.expanduser("~")
    for found in {real, plain}:
        if found.count("/") <= 1 or found in ("/private/etc", "/private/var", "/usr/local", "/usr/bin", "/usr/lib"):
            return True
        if re.fullmatch(r"/(?:home|Users|root|var|etc|usr|opt|System|Library)/[^/]+", found) and found != directory:
            return not found.startswith(directory + "/")
        if home == found or home.startswith(found + "/"):
            return True
        if directory.startswith(found + "/") or (directory == found and not inside_all):
            return True
    return False
