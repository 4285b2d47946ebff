"""Tells whether a rule that denies or asks speaks of a command line: through wrappers, spellings and substitutions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import chain, islice, pairwise

from codetether.permissions.codes import ALIKE, CODE, given_to_options
from codetether.permissions.expressions import check_sed
from codetether.permissions.flags import asks_for
from codetether.permissions.git import subcommand
from codetether.permissions.options import NotHarmless, base, names
from codetether.permissions.patterns import STAR
from codetether.permissions.readers import READERS
from codetether.permissions.shell import Line, crude, read_line
from codetether.permissions.words import MOST_BYTES, UNKNOWN
from codetether.values import define

SHELLS = names("sh bash dash ash zsh ksh mksh fish rbash csh tcsh")
INTERPRETERS = frozenset(
    names(
        "python python2 python3 pypy pypy3 node nodejs deno bun ruby perl php lua luajit tclsh Rscript osascript pwsh"
    )
    | names("awk gawk mawk nawk")
)
WRAPPERS = names(
    "env sudo doas su runuser pkexec nohup setsid timeout nice ionice chrt taskset stdbuf unbuffer time xargs parallel"
    " watch command builtin exec busybox toybox eval source . trap coproc chroot unshare nsenter systemd-run strace"
    " ltrace gdb valgrind perf script flock at batch ssh entr firejail bwrap proxychains torsocks faketime caffeinate"
    " rlwrap expect npx bunx pnpx uvx pipx dlx xvfb-run dbus-run-session start-stop-daemon daemonize tmux screen"
)
"""Programs that run other programs: a rule for one of them says nothing about the other."""
_DATA = (frozenset(READERS) - SHELLS - INTERPRETERS - {"command"}) | names(
    "rm rmdir unlink shred cp mv mkdir touch chmod chown chgrp ln tee truncate jq yq base64 gzip gunzip zip unzip tar"
    " less more curl wget ping nslookup dig host kill cd export unset set shopt alias umask exit return read sleep wait"
    " test [ make pytest cargo go pip pip3 npm yarn pnpm docker podman kubectl helm terraform gh apt apt-get brew"
    " systemctl tox ruff mypy tsc eslint uv poetry bundle conda dotnet mvn gradle awk gawk mawk nawk man"
    " help whatis apropos info tldr"
)
"""Programs whose arguments are no commands, but for what is said below."""
_EVALUATING = names("test [ read printf export unset")
"""Builtins that run what is substituted within the name of a variable, even in quotes that hide it from the shell."""
_RUNNING = names("run exec x start dlx tool shell create debug attach compose")
_MANAGERS = names("npm yarn pnpm docker podman kubectl uv poetry bundle conda dotnet")
_QUIET = _DATA - INTERPRETERS - _MANAGERS - _EVALUATING - CODE.keys() - ALIKE.keys() - names("git find alias sed")
"""Programs of whose arguments none is ever looked into."""
_LOOKED_INTO = (_DATA - _QUIET - _MANAGERS) | names("git find")
_FED = SHELLS | INTERPRETERS | names("at batch parallel xargs ed ex vi vim nvim ftp gdb source .")
"""Programs that run what they are given on standard input."""
_STEERING = re.compile(
    r"(?:\w*_)?(?:(?:MAN)?PAGER|EDITOR|VISUAL|BROWSER|SHELL|COMMAND|SSH|ASKPASS|DIFF|HELPER|WRAPPER|EXEC|RSH|CMD)"
    r"|PS[0-4]|LESS(?:OPEN|CLOSE)"
)
"""Variables that programs take commands from."""
_SUBSTITUTED = re.compile(r"`([^`]*)`|\$\((.*)\)", re.DOTALL)
_MARKED = re.compile(r"(?m)^[ \t!:+|@-]+")
_VALUE = re.compile(r"=|(?i:exec|system|shell|ext:):+")
_GIT_RUNNING = names("bisect submodule rebase filter-branch difftool mergetool for-each-repo")
_GIT_OPTIONS = ("-u", "-O", "-x")
_ASSIGNS = re.compile(r"[A-Za-z_]\w*=")
_WORD = re.compile(r"[\w./:@%+,~-]*")
GIVES_CODE = re.compile(r"-[A-Za-z]*[ceEr]|--eval|-{1,2}[Cc]ommand|--print|-p")
DEPTH = 5
MOST = 2000
NEAR = 100
"""Words of a command among which another one may begin."""
_MARKS = frozenset("*?[")
NOBODY_KNOWS = (UNKNOWN, UNKNOWN)


@lru_cache(maxsize=1024)
def named_in(pattern: tuple[str, ...], command: str) -> bool | None:
    """Whether the words of a rule's pattern fit a command in the text; None where only running it can tell."""
    return speaks_of(tuple(word.replace(STAR, "[*]") for word in pattern), read_line(command))


def speaks_of(pattern: tuple[str, ...], line: Line) -> bool | None:
    """Whether a pattern of words fits a command in the line; None where only running it can tell."""
    unsure = False
    for words in candidates(line):
        fits = _fits(pattern, words)
        if fits:
            return True
        unsure = unsure or fits is None
    return None if unsure else False


@lru_cache(maxsize=256)
def candidates(line: Line) -> tuple[tuple[str, ...], ...]:
    """Every argv that the line may run, as far as that can be seen; the last of words that come later is UNKNOWN."""
    plain = not line.texts and not line.run and not line.assigned and not line.broken
    if plain and all(base(words[0]) in _QUIET for words in line.commands):
        return tuple(dict.fromkeys(line.commands))
    found = tuple(dict.fromkeys(islice(_Search().within_line(line, DEPTH), MOST)))
    return (*found, NOBODY_KNOWS) if line.broken or len(found) == MOST else found


def _takes_code(words: tuple[str, ...]) -> bool:
    """Whether it is, or wraps, a program that runs what it is given on standard input."""
    return base(words[0]) not in _DATA and any(base(word) in _FED for word in words[:8])


@define
class _Search:
    """A search for commands within commands; `left`: characters that may still be read."""

    left: int = 4 * MOST_BYTES

    def within_line(self, line: Line, depth: int) -> Iterator[tuple[str, ...]]:
        feeds = any(_takes_code(words) for words in line.commands)
        for text in line.run:
            yield from self._read(text, depth)
        for name, _, value in (assigned.partition("=") for assigned in line.assigned):
            yield from self._substituted(value, depth)
            if _STEERING.fullmatch(name):
                yield from (NOBODY_KNOWS,) if UNKNOWN in value else self._read(value, depth)
        for words in line.commands:
            yield from self._within(words, depth, feeds)
        programs = {base(words[0]) for words in line.commands} if line.texts else set()
        for text in line.texts if feeds or programs - _DATA - {"git"} or "make" in programs else ():
            yield from self._read(text, depth)
            yield from self._read(_MARKED.sub("", text), depth)
            yield from crude(text) if programs & INTERPRETERS else ()

    def _read(self, text: str, depth: int) -> Iterator[tuple[str, ...]]:
        if not depth or len(text) < 2:
            return
        self.left -= len(text)
        if self.left < 0:
            yield NOBODY_KNOWS
        else:
            yield from self.within_line(read_line(text.replace(UNKNOWN, "${_}")), depth - 1)

    def _within(self, words: tuple[str, ...], depth: int, feeds: bool) -> Iterator[tuple[str, ...]]:
        """The command, and what its arguments may run."""
        yield words
        program = base(words[0])
        if program == "git":
            yield from self._git(words, depth)
        elif program == "find":
            for at, word in enumerate(words):
                if word in ("-exec", "-execdir", "-ok", "-okdir"):
                    yield from self._found(words[at + 1 : at + NEAR], depth)
        elif program in INTERPRETERS:
            for word in words[1:]:
                yield from crude(word) if any(map(GIVES_CODE.fullmatch, words[1:])) or "awk" in program else ()
        elif program in ("echo", "printf") and feeds:
            for word in words[1:]:
                yield from self._read(word, depth)
            yield from self._read(" ".join(words[1:]), depth)
            yield from (NOBODY_KNOWS,) if any("\\" in word for word in words) else ()
        elif program in _MANAGERS:
            at = next((at for at, word in enumerate(words) if word in _RUNNING), len(words))
            yield from self._runs(words[at + 1 :], depth, sure=False)
        elif program == "alias":
            for word in words[1:]:
                yield from self._read(word.partition("=")[2], depth)
        elif program == "sed":
            yield from (found for word in words[1:] if not _is_harmless(word) for found in crude(word))
        elif program in _DATA:
            yield from self._told(words, depth)
        elif program != "command" or words[1:2] not in (("-v",), ("-V",)):
            yield from self._runs(words[1:], depth, sure=program in WRAPPERS)

    def _runs(self, words: tuple[str, ...], depth: int, *, sure: bool) -> Iterator[tuple[str, ...]]:
        """Any of the words may begin a command, and any may hold a whole line. `sure`: one of them does."""
        for at, word in enumerate(words[:NEAR]):
            rest = words[at : at + NEAR]
            program = not word.startswith("-") and not _ASSIGNS.match(word) and "://" not in word
            if program and (sure or UNKNOWN not in word):
                yield (*rest, UNKNOWN)
                if depth and (base(word) in _LOOKED_INTO or base(word) in INTERPRETERS):
                    yield from islice(self._within(rest, depth - 1, feeds=False), 1, None)
            if not _WORD.fullmatch(word):
                for text in dict.fromkeys((word, _MARKED.sub("", word), *_VALUE.split(word, maxsplit=1)[1:])):
                    yield from self._read(text, depth)
                yield from self._substituted(word, depth)
            if word[:1] == "-" and word[1:2] != "-":  # an option with its value attached
                yield from self._read(word[2:], depth)
        if len(words) > NEAR and sure:
            yield NOBODY_KNOWS
        elif len(words) > 1:
            yield from self._read(" ".join(words[:NEAR]), min(depth, 1))

    def _found(self, words: tuple[str, ...], depth: int) -> Iterator[tuple[str, ...]]:
        """What find runs: the first word is the program."""
        if words and depth:
            yield from self._within((*words, UNKNOWN), depth - 1, feeds=False)

    def _told(self, words: tuple[str, ...], depth: int) -> Iterator[tuple[str, ...]]:
        """What a program that takes data is told to run, by an option or in the name of a variable."""
        program = base(words[0])
        for text in given_to_options(words):
            yield from crude(text)
            yield from self._read(text, depth)
        for word in words[1:]:
            if program in _EVALUATING:
                yield from self._substituted(word, depth)
            elif (program == "make" and _ASSIGNS.match(word)) or "=exec=" in word or word.startswith("exec="):
                yield from self._read(word.rpartition("=")[2], depth)

    def _substituted(self, text: str, depth: int) -> Iterator[tuple[str, ...]]:
        if "$(" in text or "`" in text:
            for inner in chain(*_SUBSTITUTED.findall(text)):
                yield from self._read(inner, depth)

    def _git(self, words: tuple[str, ...], depth: int) -> Iterator[tuple[str, ...]]:
        at = subcommand(words)
        for before, word in pairwise(words[1:at]):
            if before == "-c":
                name, _, value = word.partition("=")
                if value.startswith("!"):
                    yield from self._read(value[1:], depth)
                elif name.startswith("alias."):
                    yield ("git", *value.split(), UNKNOWN)
                elif value:
                    yield from self._read(value, depth)
        for before, word in pairwise(words[at:]):
            if before in _GIT_OPTIONS or word.startswith(("!", "ext::")):
                yield from self._read(word.removeprefix("ext::").replace("%", "").lstrip("!"), depth)
            elif word.startswith(_GIT_OPTIONS):
                yield from self._read(word[2:], depth)
        for text in given_to_options(("git", *words[at:])):
            yield from self._read(text, depth)
        if at < len(words) and words[at] in _GIT_RUNNING:
            yield from self._runs(words[at + 1 :], depth, sure=False)


def _is_harmless(script: str) -> bool:
    try:
        check_sed(script)
    except NotHarmless:
        return False
    return True


def _fits(pattern: tuple[str, ...], words: tuple[str, ...]) -> bool | None:
    program, wanted = words[0], pattern[1:]
    if UNKNOWN in program:
        return None if len(words) > 1 or program != UNKNOWN else False
    if not _names(pattern[0], program):
        return None if _runs_unknown_code(words) else False
    if wanted[-1:] == ("*",):
        wanted = wanted[:-1]
    if not wanted:
        return True
    rest = words[1:]
    if base(program) == "git":
        at = subcommand(words)
        rest = words[at:]
    plain = [word for word in wanted if not word.startswith("-")]
    options = [word for word in wanted if word.startswith("-") and word != "-"]
    unsure = any(UNKNOWN in word for word in rest)
    if not _in_order(plain, rest, first=base(program) == "git"):
        return None if unsure else False
    named = (base(program), *plain)
    if not all(asks_for(option, named, rest[1:] if base(program) == "git" else rest) for option in options):
        return None if unsure else False
    return True


def _runs_unknown_code(words: tuple[str, ...]) -> bool:
    given = pairwise(words[1:]) if base(words[0]) in SHELLS | INTERPRETERS else ()
    return any(GIVES_CODE.fullmatch(option) and code == UNKNOWN for option, code in given)


def _names(pattern: str, program: str) -> bool:
    name, pattern = base(program), pattern.casefold()
    if name == pattern or (_MARKS.intersection(name) and fnmatchcase(pattern, name)):
        return True
    if not _MARKS.intersection(pattern):
        return program.casefold() == pattern
    return fnmatchcase(name, pattern) or fnmatchcase(program.casefold(), pattern)


def _in_order(plain: list[str], rest: tuple[str, ...], *, first: bool) -> bool:
    """Whether the words occur in that order; `first`: the first of them must stand first."""
    if plain and first and (not rest or not fnmatchcase(rest[0].casefold(), plain[0].casefold())):
        return False
    left = iter(rest)
    return all(any(fnmatchcase(word.casefold(), wanted.casefold()) for word in left) for wanted in plain)
