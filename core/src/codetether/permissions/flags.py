"""Tells whether options ask for the same thing in other words: bundles, abbreviations, synonyms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_FORCE = frozenset({"-f", "--force"})
_DELETE = frozenset({"-d", "--delete"})
_RECURSIVE = frozenset({"-r", "-R", "--recursive"})

SYNONYMS: Mapping[tuple[str, ...], tuple[frozenset[str], ...]] = {
    ("git", "push"): (
        _FORCE | {"--force-with-lease", "--force-if-includes", "--mirror", "+"},
        _DELETE | {"--mirror", "--prune", ":"},
        frozenset({"--tags", "--follow-tags"}),
        frozenset({"--set-upstream", "-u"}),
        frozenset({"--no-verify"}),
    ),
    ("git", "commit"): (
        frozenset({"--no-verify", "-n"}),
        frozenset({"--all", "-a"}),
        frozenset({"--message", "-m"}),
        frozenset({"--amend"}),
    ),
    ("git", "branch"): (_DELETE | {"-D"}, _FORCE | {"-D", "-M", "-C"}, frozenset({"-D", "-f", "--force"})),
    ("git", "tag"): (_DELETE, _FORCE),
    ("git", "clean"): (_FORCE, frozenset({"-d"}), frozenset({"-x", "-X"})),
    ("git", "checkout"): (_FORCE, frozenset({"-b", "-B"})),
    ("git", "switch"): (_FORCE | {"--discard-changes"}, frozenset({"-c", "-C", "--create", "--force-create"})),
    ("git", "add"): (_FORCE, frozenset({"-A", "--all", "--no-ignore-removal"}), frozenset({"-u", "--update"})),
    ("git", "reset"): (frozenset({"--hard"}),),
    ("git", "rebase"): (
        _FORCE | {"--force-rebase", "--no-ff"},
        frozenset({"-i", "--interactive"}),
        frozenset({"-x", "--exec"}),
    ),
    ("git", "pull"): (_FORCE, frozenset({"-r", "--rebase"})),
    ("git", "fetch"): (_FORCE | {"+"}, frozenset({"-p", "--prune"})),
    ("git", "rm"): (_FORCE, frozenset({"-r"}), frozenset({"--cached"})),
    ("git", "stash"): (frozenset({"-u", "--include-untracked", "-a", "--all"}),),
    ("git", "merge"): (frozenset({"--no-verify"}), frozenset({"-s", "--strategy"})),
    ("rm",): (_RECURSIVE, _FORCE),
    ("cp",): (_RECURSIVE | {"-a", "--archive"}, _FORCE),
    ("mv",): (_FORCE,),
    ("ln",): (_FORCE, frozenset({"-s", "--symbolic"})),
    ("chmod",): (frozenset({"-R", "--recursive"}),),
    ("chown",): (frozenset({"-R", "--recursive"}),),
    ("sed",): (frozenset({"-i", "--in-place"}),),
    ("curl",): (
        frozenset({"-k", "--insecure"}),
        frozenset({"-X", "--request"}),
        frozenset({"-d", "--data", "--data-raw", "--data-binary", "--data-urlencode", "--json"}),
        frozenset({"-F", "--form", "--form-string"}),
        frozenset({"-T", "--upload-file"}),
        frozenset({"-o", "--output", "-O", "--remote-name", "--remote-name-all"}),
        frozenset({"-L", "--location", "--location-trusted"}),
    ),
    ("docker", "run"): (
        frozenset({"-v", "--volume", "--mount"}),
        frozenset({"--privileged"}),
        frozenset({"--network", "--net"}),
    ),
    ("kubectl",): (
        frozenset({"-f", "--filename"}),
        frozenset({"-n", "--namespace"}),
        frozenset({"-A", "--all-namespaces"}),
    ),
}
"""Program, or program and command -> options that ask for the same. `+` and `:` are marks of a refspec."""


def known(program: Sequence[str]) -> bool:
    """Whether the synonyms of a program's options are known; else short and long ones go by their first letter."""
    return tuple(program[:2]) in SYNONYMS or tuple(program[:1]) in SYNONYMS


def asks_for(option: str, program: Sequence[str], words: Sequence[str]) -> bool:
    """Whether the words ask for what the option asks for; for each letter of a bundle (`-rf`) one of them has to."""
    if _asks_for(option, program, words):
        return True
    letters = option[1:]
    bundle = len(letters) > 1 and letters.isalpha()
    return bundle and all(_asks_for(f"-{letter}", program, words) for letter in letters)


def _asks_for(option: str, program: Sequence[str], words: Sequence[str]) -> bool:
    groups = SYNONYMS.get(tuple(program[:2])) or SYNONYMS.get(tuple(program[:1]))
    meant = {option.partition("=")[0]}
    for group in groups or ():
        if option in group or any(name.startswith("--") and _abbreviates(option, name) for name in group):
            meant |= group
    return any(_same(one, word, guess=groups is None) for one in meant for word in words)


def _same(option: str, word: str, *, guess: bool) -> bool:
    if option in ("+", ":"):
        return word.startswith(option)
    if not word.startswith("-") or word in ("-", "--"):
        return False
    name = word.partition("=")[0]
    if name == option or name.lstrip("-") == option.lstrip("-"):
        return True
    if option.startswith("--") and name.startswith("--"):
        return _abbreviates(name, option) or name.startswith(option)
    if not option.startswith("--") and not name.startswith("--"):
        letters = option[1:]
        return letters.isalpha() and (all(letter in word[1:] for letter in letters))
    if not guess:
        return False
    short, long = (option, name) if name.startswith("--") else (name, option)
    return long[2:3].casefold() in {letter.casefold() for letter in short[1:]}


def _abbreviates(short: str, long: str) -> bool:
    return short.startswith("--") and len(short) > 2 and long.startswith(short)
