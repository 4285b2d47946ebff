"""Imports go one way; every module is small, and says in one sentence what it is for."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import codetether
import pytest

from .rooms import CORE, ROOMS, ROOT, Import, Module, core, plugins

PAGE: Any = codetether
HOME: dict[str, str] = {name: f"codetether.{room}" for name, room in PAGE._HOME.items()}
EVERY = [*core(), *(module for found in plugins().values() for module in found)]


def target(made: Import, known: set[str]) -> str:
    """The module that an import leads to."""
    if made.module == "codetether" and made.name in HOME:
        return HOME[made.name]
    whole = f"{made.module}.{made.name}"
    return whole if whole in known else made.module


def test_every_module_has_its_room_in_the_order() -> None:
    there = {module.room for module in core()} - {"", "__init__"}
    assert Counter(ROOMS) == Counter(there)


def test_a_room_imports_only_from_rooms_before_it() -> None:
    known = {module.name for module in core()}
    wrong = []
    for module in core():
        if not module.room:
            continue
        for made in module.imports():
            leads = target(made, known)
            room = leads.partition(".")[2].partition(".")[0]
            if leads in known and room and ROOMS.index(room) > ROOMS.index(module.room):
                wrong.append(f"{module.path.relative_to(ROOT)}:{made.line} {module.room} imports {leads}")
    assert wrong == []


@pytest.mark.parametrize("folder", ["core", *plugins()])
def test_no_modules_import_each_other_in_a_circle(folder: str) -> None:
    found = core() if folder == "core" else plugins()[folder]
    known = {module.name for module in found}
    graph = {
        module.name: {leads for made in module.imports(late=False) if (leads := target(made, known)) in known}
        for module in found
    }
    packages = {name for name in known if any(other.startswith(f"{name}.") for other in known)}
    # A package's own page may name what is in it, and what is in it may stand on the package.
    TopologicalSorter({name: leads - packages - {name} for name, leads in graph.items()}).prepare()


def test_only_the_package_itself_is_imported_by_its_page() -> None:
    page = next(module for module in core() if module.path == CORE / "__init__.py")
    assert {made.module for made in page.imports() if made.module.startswith("codetether")} == {"codetether._version"}


def test_a_module_is_small() -> None:
    lengths = {module.name: len(module.path.read_text().splitlines()) for module in EVERY}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_a_module_says_in_a_sentence_what_it_is_for() -> None:
    assert [module.name for module in EVERY if not says_what_it_is_for(module)] == []


def says_what_it_is_for(module: Module) -> bool:
    sentence = (ast.get_docstring(module.tree) or "").partition("\n\n")[0]
    whole = re.match(r"[A-Za-z`]", sentence) and sentence.endswith((".", ".)", "?"))
    short = "\n" not in sentence or len(sentence) < 400
    return bool(module.path.read_text().startswith('"""') and whole and short)


def test_names_are_words_of_the_field() -> None:
    vague = re.compile(r"(Manager|Base|Util|Utils|Abstract|Helper|Handler|Impl)(?![a-z])")
    named = [(module.name, module.name.title()) for module in EVERY]
    named += [(module.name, node.name) for module in EVERY for node in module.nodes if isinstance(node, ast.ClassDef)]
    assert [(module, name) for module, name in named if vague.search(name)] == []


@pytest.mark.parametrize("folder", plugins())
def test_a_plugin_imports_only_public_names_and_of_others_only_wires_that_it_declares(folder: str) -> None:
    ours = {name for found in plugins().values() for module in found if "." not in (name := module.name)}
    own = {module.name for module in plugins()[folder] if "." not in module.name}
    allowed = own | wires_below(folder)
    wrong = []
    for module in plugins()[folder]:
        for node in module.nodes:  # also what is only for types: a stranger's checker must find it
            if isinstance(node, ast.Import):
                pairs = [(alias.name, "") for alias in node.names if alias.name != "codetether"]
            elif isinstance(node, ast.ImportFrom):
                pairs = [(node.module or "", alias.name) for alias in node.names]
            else:
                continue
            for imported, name in pairs:
                package = imported.partition(".")[0]
                kit = imported.startswith("codetether.testing")  # public by its name
                private = package == "codetether" and not kit and (imported != "codetether" or name not in public())
                if private or (package in ours and package not in allowed):
                    wrong.append(f"{module.path.relative_to(ROOT)}:{node.lineno} {imported} {name}")
    assert wrong == []


def wires_below(folder: str) -> set[str]:
    """The libraries, and for a provider the packages of other providers, on which it declares that it builds."""
    table = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())
    declared = [re.split(r"[^a-z-]", text, maxsplit=1)[0] for text in table["project"]["dependencies"]]
    wires = ("codetether-provider-",) if "/providers/" in folder else ()
    below = ("codetether-http", "codetether-llama", *wires)
    return {name.replace("-", "_") for name in declared if name.startswith(below)}


@cache
def public() -> set[str]:
    return {*HOME, "__version__"}


@pytest.mark.parametrize("folder", plugins())
def test_a_plugin_uses_only_public_names_of_codetether(folder: str) -> None:
    wrong = [
        f"{module.path.relative_to(ROOT)}:{node.lineno} codetether.{node.attr}"
        for module in plugins()[folder]
        for node in module.nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "codetether"
        and node.attr not in public()
    ]
    assert wrong == []
