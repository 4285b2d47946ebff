"""Nothing heavy is imported before it is used, and nothing happens at import."""

from __future__ import annotations

import json
import subprocess
import sys

from .rooms import ROOT, core, plugins

HEAVY = {
    *("httpx", "boto3", "hvac", "rich", "prompt_toolkit", "sqlite3", "xllamacpp", "jsonschema_rs", "requests"),
    *("tree_sitter", "tree_sitter_bash"),
}
PLUGIN_MODULES = [
    module.name
    for folder, found in plugins().items()
    for module in found
    if folder.startswith("plugins/") and module.name.endswith(".plugin")
]
SOURCES = [str(path) for path in sorted(ROOT.glob("tests/plugins/strangers/*/src"))]

WATCHED = """
import sys
sys.path[:0] = {sources!r}
sys.dont_write_bytecode = True
VERSION = ["dist-info/METADATA"]  # libraries look there which version of themselves they are
seen = []
def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        writes = bool(flags & 3) if isinstance(flags, int) else False
        name = str(path)
        if writes or not name.endswith((".py", ".pyc", ".so", ".pth", ".zip", ".typed", *VERSION)):
            seen.append(f"open {{name}}")
    elif event.partition(".")[0] in ("socket", "subprocess", "shutil", "tempfile", "sqlite3"):
        seen.append(event)
    elif event in ("os.mkdir", "os.remove", "os.rename", "os.putenv", "os.unsetenv", "os.system", "os.fork"):
        seen.append(f"{{event}} {{arguments}}")
import asyncio, json, logging, ssl, threading, importlib, importlib.metadata, sqlite3, email, uuid
threads = threading.active_count()
sys.addaudithook(watch)
import {modules}
seen += [f"thread {{t.name}}" for t in threading.enumerate()[threads:]]
print(json.dumps([seen, sorted(sys.modules)]))
"""


def fresh(*modules: str) -> tuple[list[str], set[str]]:
    """A fresh process imports these: what it did meanwhile, and all that it has imported by then."""
    script = WATCHED.format(sources=SOURCES, modules=", ".join(modules))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen, imported = json.loads(done.stdout)
    return seen, set(imported)


def imported_by(*modules: str) -> dict[str, set[str]]:
    """What importing these one after the other brings: each with the modules that none before it has brought."""
    script = """
import importlib, json, sys
brought, known = {}, set()
for name in sys.argv[1:]:
    importlib.import_module(name)
    brought[name] = sorted(sys.modules.keys() - known)
    known.update(brought[name])
print(json.dumps(brought))
"""
    done = subprocess.run([sys.executable, "-c", script, *modules], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: set(brought) for name, brought in json.loads(done.stdout).items()}


def test_the_python_api_imports_nothing_heavy() -> None:
    assert imported_by("codetether.runtime")["codetether.runtime"].isdisjoint(
        {*HEAVY, "click", "importlib_metadata", "tomlkit"}
    )


def test_the_package_itself_imports_nothing_else() -> None:
    ours = {name for name in imported_by("codetether")["codetether"] if name.startswith("codetether")}
    assert ours == {"codetether", "codetether._version"}


def test_a_plugin_module_imports_nothing_heavy() -> None:
    heavy = {*HEAVY, "click", "codetether.runtime", "codetether.session.agent"}
    assert {name: brought & heavy for name, brought in imported_by(*PLUGIN_MODULES).items() if brought & heavy} == {}


def test_importing_every_module_does_nothing() -> None:
    names = [module.name for module in core() if module.name != "codetether.__main__"]
    names += [module.name for found in plugins().values() for module in found]
    seen, imported = fresh(*names)
    assert set(names) <= imported
    assert seen == []


def test_the_command_lines_entry_is_what_runs_as_a_module() -> None:
    page = (ROOT / "core" / "src" / "codetether" / "__main__.py").read_text()
    table = (ROOT / "core" / "pyproject.toml").read_text()
    assert "from codetether.cli import main" in page
    assert 'codetether = "codetether.cli:main"' in table
