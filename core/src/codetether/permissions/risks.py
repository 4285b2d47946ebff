"""Knows what a rule for a whole program did not mean: options that run code, and programs that run programs."""

from __future__ import annotations

import re

from codetether.permissions.codes import ALIKE, option_of
from codetether.permissions.denials import INTERPRETERS, SHELLS, WRAPPERS
from codetether.permissions.git import COMMANDS as GIT_READING
from codetether.permissions.git import subcommand
from codetether.permissions.options import base, names

_PYTHONS = names("python python2 python3 pypy pypy3")
_RUNS_CODE = re.compile(r" -[A-Za-z]*m ?(?:timeit|code|pdb|asyncio|idlelib|IPython)(?: |$)")
_NEED_SCRIPT = _PYTHONS | names("node nodejs ruby perl php lua luajit")
_EDITORS = names("vim vi nvim view ex ed emacs nano pico less more most man gvim rvim vimdiff")
_AWK = re.compile(r"system|getline|[|>@]|ENVIRON|extension")
_DATABASES = re.compile(
    r"\\|PROGRAM|^\s*\.(?!(?:tables|schema|indexes|databases|headers|mode|dump)\b)"
    r"|load_extension|writefile|readfile|edit\(|^-init|^\s*(?:system|pager|tee|source)\b",
    re.IGNORECASE,
)
"""What makes the clients of databases run programs, or read and write files of their own."""
_ASKS = re.compile(r"-[A-Za-z]*[cef].*|--(?:command|execute|file)\b.*", re.DOTALL)
_PACKAGES = names("exec x dlx config explore set create init edit")
_GIT_PROGRAMS = names("instaweb daemon gui citool hook maintenance credential shell for-each-repo")
_SETS_CODE = re.compile(
    r"(?i)(alias\..*|core\.(fsmonitor|sshcommand|pager|editor|hookspath|askpass|gitproxy|attributesfile)|include.*|"
    r".*\.(textconv|command|clean|smudge|process|program|helper|cmd|driver|external)|sequence\.editor|pager\..*|"
    r"init\.templatedir)"
)


def risk(words: tuple[str, ...], named: int) -> str:
    """What a command does that a rule naming its first `named` words literally did not mean; empty for nothing.

    An option that the rule itself names is meant.
    """
    program, meant = base(words[0]), words[:named]
    if program in SHELLS:
        return f"{program} runs whatever it is told"
    if program in WRAPPERS:
        return _wrapped(words, named)
    if program in ("awk", "gawk", "mawk", "nawk"):
        return _awk(words)
    if program == "git" and (why := _git(words, named)):
        return why
    if program in _EDITORS and any(word.startswith(("+", "!")) for word in words[1:]):
        return f"{program} runs commands given to it"
    if program in ("ed", "ex"):
        return f"{program} runs commands given to it"
    if program in ("psql", "mysql", "mariadb", "sqlite3") and (why := _database(program, words[1:])):
        return why
    if ALIKE.get(program, program) == "npm" and (command := _first(words)) in _PACKAGES - set(meant):
        return f"{program} {command} runs programs of packages, or says which to run"
    if program in _PYTHONS and _RUNS_CODE.search(" ".join(words)):
        return f"{program} with a module that runs what it is told"
    if program == "make" and any(re.match(r"[A-Za-z_.]+[:+?]?=", word) for word in words[1:]):
        return "make with a variable of its own"
    if (
        program in _NEED_SCRIPT
        and program not in meant[1:]
        and not any(not w.startswith(("-", "/dev/")) for w in words[1:])
    ):
        if words[1:] in (("--version",), ("-V",), ("-v",), ("--help",), ("-h",)):
            return ""
        return f"{program} without a script"
    option = option_of(words, besides=meant)
    return f"{program} with {option}" if option else ""


def _first(words: tuple[str, ...]) -> str:
    return next((word for word in words[1:] if not word.startswith("-")), "")


def _wrapped(words: tuple[str, ...], named: int) -> str:
    """Another program's wrapper: the rule must name that program too."""
    inner = next(
        (at for at, word in enumerate(words[1:], 1) if not word.startswith("-") and "=" not in word), len(words)
    )
    while inner < len(words) and re.fullmatch(r"[0-9.]+[smhd]?", words[inner]):
        inner += 1
    if inner >= named or any(word in SHELLS | INTERPRETERS | WRAPPERS for word in map(base, words[inner:named])):
        return f"{base(words[0])} runs another program"
    return ""


def _awk(words: tuple[str, ...]) -> str:
    for word in words[1:]:
        if word.startswith("-") and not re.fullmatch(r"-F.*|-v.*|--", word):
            return f"{base(words[0])} with {word}"
        if _AWK.search(word):
            return f"{base(words[0])} with a script that may run programs or write"
    return ""


def _database(program: str, words: tuple[str, ...]) -> str:
    """Its clients run programs where they are told to, and read what to do from their input where nothing is said."""
    if any(_DATABASES.search(word) for word in words):
        return f"{program} runs commands given to it"
    said = len([w for w in words if w[:1] != "-"]) > 1 if program == "sqlite3" else any(map(_ASKS.fullmatch, words))
    return "" if said else f"{program} reads what to do from its input"


def _git(words: tuple[str, ...], named: int) -> str:
    at = subcommand(words)
    command, rest = (words[at] if at < len(words) else ""), words[at + 1 :]
    if any(
        word.startswith("ext::") or (word.startswith("-u") and command in ("clone", "fetch", "ls-remote"))
        for word in rest
    ):
        return f"git {command} with a helper program"
    if command == "archive" and any(word.startswith("-o") for word in rest):
        return "git archive writing a file"
    if command == "grep" and any(word.startswith("-O") for word in rest):
        return "git grep with a pager"
    if command == "rebase" and any(re.match(r"-[a-zA-Z]*x", word) for word in rest):
        return "git rebase running commands"
    if command in ("bisect", "submodule") and any(word in ("run", "foreach") for word in rest) and at + 2 > named:
        return f"git {command} running commands"
    if command in ("difftool", "filter-branch", "mergetool") or (command in _GIT_PROGRAMS and at >= named):
        return f"git {command} runs programs"
    if command == "config" and any(_SETS_CODE.fullmatch(word.partition("=")[0]) for word in rest):
        return "git config naming a program"
    if command == "format-patch" and any(word.startswith("-o") for word in rest):
        return "git format-patch writing elsewhere"
    if at > 1 and command in GIT_READING and any(word == "-C" for word in words[1:at]):
        return ""
    if any(word.startswith(("-c", "--config-env", "--exec-path=", "--git-dir", "--work-tree")) for word in words[1:at]):
        return "git with settings of its own"
    return ""
