"""Tells which files a command line runs, or is told by what to run: a yes that is kept holds only for these."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from hashlib import file_digest
from itertools import pairwise
from typing import Any

from attrs import field

from codetether.permissions.denials import GIVES_CODE, INTERPRETERS, SHELLS, WRAPPERS, candidates
from codetether.permissions.effects import places_of
from codetether.permissions.options import base, names
from codetether.permissions.places import inside
from codetether.permissions.readers import READERS
from codetether.permissions.shell import Line, read_line
from codetether.permissions.words import UNKNOWN
from codetether.values import define

_PASSIVE = (frozenset(READERS) - SHELLS - INTERPRETERS - names("command sed make gcc g++ clang sort rg")) | names(
    "git rm rmdir unlink shred cp mv mkdir touch chmod chown chgrp ln tee truncate jq yq base64 gzip gunzip unzip"
    " tar less more ping nslookup dig host kill cd pushd popd export unset set shopt alias umask exit return"
    " read sleep wait [ help whatis apropos"
)
"""Programs that take files for what they hold, and run none of them."""
_BUILD_FILES = (
    *("package.json", ".npmrc", "turbo.json", "nx.json", "deno.json", "deno.jsonc", "composer.json", "Gemfile"),
    *("GNUmakefile", "makefile", "Makefile", "justfile", "Justfile", ".justfile", "Taskfile.yml", "Taskfile.yaml"),
    *("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "tasks.py", "pytest.ini", "conftest.py"),
    *("Cargo.toml", "build.rs", "go.mod", "Rakefile", "CMakeLists.txt", "meson.build", "build.ninja", "SConstruct"),
    *("build.gradle", "build.gradle.kts", "settings.gradle", "pom.xml", "build.xml", ".pre-commit-config.yaml"),
    *("Dockerfile", "docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"),
)
"""What runners read to know what to run."""
_PROGRAMS = ("node_modules/.bin", ".venv/bin", "venv/bin")
"""Where runners look for programs before they look in PATH."""
_ENDINGS = ("", ".py", ".js", "/__main__.py", "/index.js")
_DEPTH = 3
_PLAIN = re.compile(r"[\w./@+-]+")
_PATTERN = re.compile(r"[*?{]|\[.|^~[^/]")
_OPERAND = re.compile(r"(?!-|\d|\w+=)")
_SEPARATORS = re.compile(r"[:\s]+")
MOST_LOOKS = 20_000
LARGEST = 64 * 1024 * 1024


class CannotTell(Exception):
    """Why it cannot be told what a command runs."""


def sources(lines: Iterable[Line], directory: str) -> tuple[str, ...]:
    """The files, absolute and resolved. Raises CannotTell."""
    search = _Search(workspace=directory)
    for line in lines:
        search.line(line, (directory,), _DEPTH)
    return tuple(sorted(search.found))


def digests(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Each path with the SHA-256 of what it holds, in hex. Raises CannotTell."""
    made = []
    for path in paths:
        try:
            if os.path.getsize(path) > LARGEST:
                raise CannotTell(f"{path} is too large to be watched")
            with open(path, "rb") as file:
                made.append((path, file_digest(file, "sha256").hexdigest()))
        except OSError as error:
            raise CannotTell(f"{path} cannot be read") from error
    return made


@define
class _Search:
    workspace: str
    found: set[str] = field(factory=set)
    _looks: int = MOST_LOOKS

    def line(self, line: Line, places: tuple[str, ...], depth: int) -> None:
        """All that one line runs from one of the places."""
        if line.broken:
            raise CannotTell("the line cannot be read")
        if any(_active(words) and any(UNKNOWN in word for word in words) for words in line.commands):
            raise CannotTell("only running it tells what it runs")
        found = candidates(line)
        if any(word.startswith("PATH=") for words in (line.assigned, *found) for word in words):
            raise CannotTell("it changes PATH, so that only running it tells which programs run")
        if any(_PATTERN.search(words[0]) for words in line.commands) or any(map(_runs_what_it_finds, found)):
            raise CannotTell("only running it tells which files it runs")
        places = tuple(dict.fromkeys(os.path.join(start, each) for start in places for each in ("", *places_of(found))))
        for words in line.commands:
            self._program(words[0])
        active = [words for words in found if line.assigned or _active(words)]
        given = (line.reads, *(_SEPARATORS.split(each) for each in line.assigned)) if active else ()
        spelled = dict.fromkeys(word for words in (*active, *given) for word in words if UNKNOWN not in word)
        runner = any(_is_runner(words) for words in active)
        for place in places:
            for word in spelled:
                self._named(word, place, runner=runner)
            if runner:
                self._built(place)
        if depth:
            self._scripts(frozenset(spelled), depth - 1)

    def _program(self, name: str) -> None:
        """A program that the workspace holds and PATH leads to."""
        path = None if "/" in name else shutil.which(name)
        if path and inside(os.path.realpath(path), self.workspace):
            self.found.add(os.path.realpath(path))

    def _named(self, word: str, place: str, *, runner: bool) -> None:
        """The files that a word may name; a directory is where a runner looks for its own."""
        plain = os.path.expanduser(word.partition("::")[0].lstrip("@"))
        for name in {plain, plain.rpartition("=")[2], plain[2:] if plain[:1] == "-" else plain}:
            if not name:
                continue
            if not _PLAIN.fullmatch(name):
                self._look(os.path.join(place, name))
                continue
            module = name if "/" in name else name.replace(".", "/")
            for spelled in {name, module}:
                for ending in _ENDINGS:
                    self._look(os.path.join(place, spelled + ending))
            for programs in _PROGRAMS if runner and "/" not in name else ():
                self._look(os.path.join(place, programs, name))
            if os.path.isdir(os.path.join(place, name)) and name != "/":
                self._built(os.path.join(place, name))

    def _built(self, place: str) -> None:
        """What runners read there, and above it up to the workspace."""
        at = os.path.realpath(place)
        while True:
            for name in _BUILD_FILES:
                self._look(os.path.join(at, name))
            if at == self.workspace or not inside(at, self.workspace):
                return
            at = os.path.dirname(at)

    def _scripts(self, words: frozenset[str], depth: int) -> None:
        """What the scripts of a package.json run: those that the words name, else all of them."""
        for path in [path for path in self.found if path.endswith("/package.json")]:
            scripts = _scripts_of(path)
            named = {n for n in scripts if {n, n.removeprefix("pre"), n.removeprefix("post")} & words} or scripts
            for text in {scripts[name] for name in named}:
                self.line(read_line(text), (os.path.dirname(path),), depth)

    def _look(self, path: str) -> None:
        self._looks -= 1
        if self._looks < 0:
            raise CannotTell("it names too many files")
        if "\0" not in path and os.path.isfile(path):
            self.found.add(os.path.realpath(path))


def _active(words: tuple[str, ...]) -> bool:
    return base(words[0]) not in _PASSIVE


def _runs_what_it_finds(words: tuple[str, ...]) -> bool:
    """Whether it runs files that a pattern stands for, or that another program or a file names."""
    program, rest = base(words[0]), words[1:]
    if program == "find":
        return any(option.startswith(("-exec", "-ok")) and "{}" in word for option, word in pairwise(rest))
    if program in ("xargs", "parallel") and any(base(word) in SHELLS | INTERPRETERS for word in rest):
        return True
    if program not in SHELLS | INTERPRETERS | WRAPPERS or any(map(GIVES_CODE.fullmatch, rest)) or "awk" in program:
        return False
    return _PATTERN.search(next(filter(_OPERAND.match, rest), "")) is not None


def _is_runner(words: tuple[str, ...]) -> bool:
    """Whether a program runs what files beside it say, and not only the script that it is given."""
    program = base(words[0])
    return program not in (SHELLS | INTERPRETERS) - {"bun", "deno"} or "-m" in words


def _scripts_of(path: str) -> dict[str, str]:
    try:
        with open(path, "rb") as file:
            found: Any = json.load(file)["scripts"]
        return {name: text for name, text in found.items() if isinstance(text, str)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
