"""Sessions as trees of JSON files: the oldest tree, one a project, and the one that followed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from attrs import frozen
from codetether import Fields, SourceDamaged, SourceFile, Unreadable

from codetether_format_opencode.held import Held

_JSON = (".json",)


@frozen
class Tree:
    """A directory `storage`; in the oldest layout `session` holds `info`, `message` and `part`."""

    storage: Path

    @property
    def oldest(self) -> bool:
        return (self.storage / "session" / "info").is_dir()

    @property
    def there(self) -> bool:
        """Whether there are sessions in it."""
        return next(iter(self.infos()), None) is not None

    def infos(self) -> list[Path]:
        """The file of each session."""
        below = self.storage / "session"
        try:
            found = (below / "info").glob("*.json") if self.oldest else below.glob("*/*.json")
            return sorted(found)
        except OSError:
            return []

    def message_files(self, session: str) -> list[Path]:
        """The files of a session's messages, in order."""
        place = self.storage / "session" / "message" if self.oldest else self.storage / "message"
        return SourceFile.below(place / session, _JSON)

    def held(self, info: Path) -> tuple[Held, list[Unreadable]]:
        """One session, with the files of it that cannot be read. Raises SourceDamaged where its own file is one."""
        about = Fields(SourceFile(info).json())
        if not isinstance(about.raw, dict):
            raise SourceDamaged(info, "it holds no object")
        made = Held(id=info.stem, info=about, directory=self._worktree(info))
        problems: list[Unreadable] = []
        for path in self.message_files(info.stem):
            message = self._object(path, problems)
            if message is None:
                made.lost.append("messages that cannot be read")
                continue
            parts = []
            for part in self._part_files(info.stem, path.stem):
                held = self._object(part, problems)
                if held is None:
                    made.lost.append("parts of messages that cannot be read")
                else:
                    parts.append(held)
            made.messages.append((message, parts))
        made.todos = self._todos(info.stem)
        return made, problems

    def _part_files(self, session: str, message: str) -> list[Path]:
        if self.oldest:
            return SourceFile.below(self.storage / "session" / "part" / session / message, _JSON)
        return SourceFile.below(self.storage / "part" / message, _JSON)

    def _object(self, path: Path, problems: list[Unreadable]) -> Fields | None:
        try:
            value = SourceFile(path).json()
            if isinstance(value, dict):
                return Fields({"id": path.stem, **value})
            problems.append(Unreadable(source=str(path), why="it holds no object"))
        except SourceDamaged as error:
            problems.append(Unreadable(source=error.source, why=error.why))
        return None

    def _todos(self, session: str) -> int:
        path = self.storage / "todo" / f"{session}.json"
        try:
            return len(Fields({"todo": SourceFile(path).json()}).list("todo")) if path.exists() else 0
        except (SourceDamaged, OSError):
            return 0

    def _worktree(self, info: Path) -> str:
        """Where the project is, for sessions that do not tell."""
        path = self.storage / "project" / f"{info.parent.name}.json"
        try:
            return Fields(SourceFile(path).json()).text("worktree") if path.exists() else ""
        except (SourceDamaged, OSError):
            return ""


def tree_of(info: Path) -> Tree | None:
    """The tree that a session's own file stands in; None where it stands in none."""
    if not info.name.endswith(".json") or len(info.parents) < 3 or info.parents[1].name != "session":
        return None
    return Tree(info.parents[2])


def trees_below(directory: Path) -> Iterator[Tree]:
    """The trees of a data directory, of a project's, or of `storage` itself; the newer layout first."""
    places = [directory, directory / "storage"]
    with suppress(OSError):
        places += sorted((directory / "project").glob("*/storage"))
    yield from (tree for place in places if (place / "session").is_dir() and (tree := Tree(place)).there)
