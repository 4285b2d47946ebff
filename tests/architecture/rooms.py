"""The order of core's rooms, and the source of every distribution as a tree of imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "core" / "src" / "codetether"

FLOORS: dict[str, str] = {
    "words": "_version values errors models ids images",
    "wire": "readers wire formats",
    "seams": "plugin_contexts protocols specs hookspecs",
    "ground": "plugins settings storage record",
    "judgement": "credentials known_models catalog agent_files agents"
    " deferred_tool arguments docstrings schemas functions permissions",
    "loop": "session wiring runtime",
    "house": "builtin testing cli __main__",
}
"""The one place where the order of rooms stands: each imports only from rooms before it. A folder is one room."""
ROOMS = [room for rooms in FLOORS.values() for room in rooms.split()]


@frozen(kw_only=True)
class Import:
    """`from module import name`; the name is empty for `import module`."""

    module: str
    name: str
    line: int


@frozen(kw_only=True)
class Module:
    """A module of a distribution: its dotted name, its file, and the root of its package."""

    name: str
    path: Path

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.path)

    @property
    def nodes(self) -> Sequence[ast.AST]:
        """Every node of its tree."""
        return _walked(self.path)

    @property
    def room(self) -> str:
        """The room of core that it stands in; empty for the package itself."""
        return self.name.partition(".")[2].partition(".")[0]

    def imports(self, *, late: bool = True) -> Sequence[Import]:
        """What it imports, but for what is only for types; `late`: within functions too."""
        return _imported(self.path, late)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _walked(path: Path) -> Sequence[ast.AST]:
    return list(ast.walk(_parsed(path)))


@cache
def _imported(path: Path, late: bool) -> Sequence[Import]:
    return list(_imports(_parsed(path), late))


def _imports(node: ast.AST, late: bool) -> Iterator[Import]:
    inner: Iterable[ast.AST] = ast.iter_child_nodes(node)
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() if not late:
            return
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
            inner = otherwise
        case ast.Import(names=names):
            for alias in names:
                yield Import(module=alias.name, name="", line=node.lineno)
        case ast.ImportFrom(module=str() as module, names=names, level=0):
            for alias in names:
                yield Import(module=module, name=alias.name, line=node.lineno)
    for child in inner:
        yield from _imports(child, late)


def modules(source: Path) -> list[Module]:
    """The modules below a `src` directory; templates are text, not modules."""
    found = []
    for path in sorted(source.rglob("*.py")):
        words = path.relative_to(source).with_suffix("").parts
        if "templates" in words:
            continue
        found.append(Module(name=".".join(words[:-1] if words[-1] == "__init__" else words), path=path))
    return found


@cache
def core() -> Sequence[Module]:
    """Core's modules."""
    return modules(CORE.parent)


@cache
def plugins() -> Mapping[str, Sequence[Module]]:
    """The modules of the workspace's plugins and of strangers', by the folder of the distribution."""
    folders = [*ROOT.glob("plugins/*/*/src"), *ROOT.glob("tests/plugins/strangers/*/src")]
    return {str(source.parent.relative_to(ROOT)): modules(source) for source in sorted(folders)}
