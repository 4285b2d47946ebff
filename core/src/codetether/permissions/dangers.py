"""Knows what must be looked at each time: what cannot be taken back, runs later, holds secrets, or cannot be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from codetether.permissions.denials import INTERPRETERS, SHELLS, candidates, speaks_of
from codetether.permissions.effects import Effects
from codetether.permissions.options import base, names
from codetether.permissions.places import below, persistent, secret_name
from codetether.permissions.shell import Line
from codetether.permissions.words import UNKNOWN, unprintable

_DESTRUCTIVE = tuple(
    (*words.split(), "*")
    for words in (
        *("rm", "unlink", "shred", "dd", "mkfs*", "wipefs", "fdisk", "parted", "find -delete", "dropdb"),
        *("chmod -R", "chown -R", "chgrp -R", "sudo", "su", "doas", "pkexec", "chroot", "crontab"),
        *("shutdown", "reboot", "halt", "poweroff", "killall", "pkill"),
        *("git push --force", "git push --delete", "git reset --hard", "git clean", "git restore", "git filter-branch"),
        *("git checkout --force", "git checkout .", "git checkout --", "git switch --force", "git branch -D"),
        *("git tag -d", "git stash drop", "git stash clear", "git update-ref -d", "git reflog expire"),
        *("docker run --privileged", "docker system prune", "docker volume rm", "podman system prune"),
        *("kubectl delete", "terraform destroy", "terraform apply", "helm uninstall", "gh repo delete"),
        *("npm publish", "yarn publish", "pnpm publish", "cargo publish", "uv publish", "poetry publish"),
        "twine upload",
    )
)
"""Patterns of commands as rules that deny have them: seen through wrappers, spellings, and options in other words."""
MOST_NAMED = 10
"""Beyond so many of them it is a pattern that fits whatever is there."""
_SHOWS_ITSELF = names("--version -V -v --help -h")
_GIVEN = ("-c", "-e", "-E", "-p", "-m", "--eval", "--print", "--command")


def dangers(text: str, line: Line, known: Effects, directory: str) -> Iterator[str]:
    """Why a command line must be looked at each time."""
    if strange := unprintable(text):
        yield f"it holds {strange}"
    if line.broken:
        yield "it cannot be read as a command line"
    if known.whole:
        yield "it changes a directory with all that is in it"
    destroys = [" ".join(pattern[:-1]) for pattern in _DESTRUCTIVE if speaks_of(pattern, line)]
    any_program = len(destroys) > MOST_NAMED
    for command in destroys[:0] if any_program else destroys:
        yield f"{command} cannot be taken back, or needs rights of its own"
    if any_program or any(UNKNOWN in words[0] and len(words) > 1 for words in candidates(line)):
        yield "only running it tells which program runs"
    if any(_reads_code(words) for words in candidates(line)) and not line.texts:
        yield "it runs what another program tells it"
    yield from guarded(known.reads, known.writes, directory)


def guarded(reads: Iterable[str], writes: Iterable[str], directory: str) -> Iterator[str]:
    """What is said of files that hold secrets, and of those that make programs run later."""
    for path in reads:
        if name := secret_name(below(path, directory)):
            yield f"{name} often holds secrets"
    for path in writes:
        if name := persistent(below(path, directory)):
            yield f"{name} runs or steers programs later"


def _reads_code(words: tuple[str, ...]) -> bool:
    """Whether it is a shell or an interpreter that is given nothing to run, so that it reads that from its input."""
    rest = [word for word in words[1:] if word != UNKNOWN]
    if base(words[0]) not in SHELLS | INTERPRETERS or set(rest) & _SHOWS_ITSELF:
        return False
    return all(word.startswith("-") and not word.startswith(_GIVEN) for word in rest)
