"""Every hook is documented under its exact name, and used by somebody; the public names are one list."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
import typing
from typing import Any

import codetether
import pytest
from codetether import hookspecs, specs
from codetether.plugins.contracts import METHODS, YIELDS
from codetether.session import makers

from .rooms import CORE, ROOT, plugins

PAGE: Any = codetether
HOOKS = {name: made for name, made in vars(hookspecs).items() if name.startswith("codetether_")}


def test_what_a_hook_yields_is_what_its_specification_says() -> None:
    said = {name: typing.get_args(typing.get_type_hints(hook)["return"])[0] for name, hook in HOOKS.items()}
    assert said == YIELDS


def test_every_record_that_creates_says_what_it_creates() -> None:
    creating = {kind for kind in YIELDS.values() if "create" in kind.__annotations__}
    assert set(METHODS) == creating
    for kind, methods in METHODS.items():
        seam = re.search(r"\], Made\[(\w+)", kind.__annotations__["create"])
        assert seam, kind
        protocol = getattr(codetether, seam[1])
        assert [m for m in methods if not inspect.isfunction(getattr(protocol, m, None))] == []


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_says_when_it_is_asked_and_what_becomes_of_a_failure(hook: str) -> None:
    text = inspect.getdoc(HOOKS[hook]) or ""
    first, _, rest = text.partition("\n\n")
    assert first.startswith("Asked ")
    assert first.endswith(".")
    assert re.search(r"\b(fail\w*|error)\b", rest), "what does a failure do?"
    assert not inspect.signature(HOOKS[hook]).parameters


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_its_section_in_the_reference(hook: str) -> None:
    page = (ROOT / "docs" / "reference" / "hooks.md").read_text()
    assert re.search(rf"^#+ `?{hook}`?$", page, re.MULTILINE), "run `make docs`"


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_used_by_a_stranger(hook: str) -> None:
    users = [
        module.name
        for folder, found in plugins().items()
        if folder.startswith("tests/")
        for module in found
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef) and node.name == hook
    ]
    assert len(users) >= 1


def test_every_field_of_a_record_is_said_in_its_docstring_or_by_its_name() -> None:
    plain = {"name", "create", "place", "description", "prompt", "help", "models", "default_model", "base_url"}
    plain |= {"model", "max_steps", "sampling", "limits", "capabilities", "aliases", "cls", "required"}
    for kind in YIELDS.values():
        text = inspect.getdoc(kind) or ""
        assert text, kind
        unsaid = [f for f in kind.__annotations__ if f not in plain and not re.search(rf"\b{f}\b", text)]
        assert unsaid == [], kind


def test_the_tools_that_keep_their_names_are_those_of_the_workspace() -> None:
    tables = [tomllib.loads(path.read_text()) for path in ROOT.glob("plugins/tools/*/pyproject.toml")]
    assert {"codetether-core", *(table["project"]["name"] for table in tables)} == makers.OURS


def stub() -> dict[str, set[str]]:
    """The names that type checkers see, by the module that they come from; a star stands for all of a module's own."""
    found: dict[str, set[str]] = {}
    for node in ast.parse((CORE / "__init__.pyi").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {alias.name for alias in node.names}
            room = node.module.removeprefix("codetether.")
            found.setdefault(room, set()).update(own(room) if names == {"*"} else names)
    return found


def own(room: str) -> set[str]:
    """The public names that a module itself defines."""
    found = set()
    for node in ast.parse((CORE / f"{room.replace('.', '/')}.py").read_text()).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return {name for name in found if not name.startswith("_")}


def test_type_checkers_see_every_public_name_where_it_is() -> None:
    rooms = {room: set(names.split()) for room, names in PAGE._ROOMS.items()}
    seen = stub()
    assert seen.pop("_version") == {"__version__"}
    assert set(seen) == set(rooms)
    assert {room: sorted(names - seen[room]) for room, names in rooms.items() if names - seen[room]} == {}


def test_every_public_name_can_be_had() -> None:
    assert set(dir(codetether)) == {*PAGE._HOME, "__version__"}
    for name in dir(codetether):
        assert getattr(codetether, name) is not None
    with pytest.raises(AttributeError, match="module 'codetether' has no attribute 'nothing'"):
        PAGE.nothing  # noqa: B018


def test_records_and_seams_are_all_public() -> None:
    kinds = {kind.__name__ for kind in YIELDS.values()}
    assert kinds | {"hookimpl"} <= set(PAGE._HOME)
    assert all(getattr(codetether, name) is getattr(specs, name) for name in kinds)
