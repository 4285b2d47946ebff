"""`codetether config`: the settings in force and where they come from, changing them, trusting a project's."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import click

from codetether.cli.plugin_tables import check_plugin_table
from codetether.cli.recorded import recorded
from codetether.cli.table import as_json, print_json
from codetether.cli.terminal import Screen
from codetether.errors import SettingsError, UsageError
from codetether.formats.unseen import spelled_out
from codetether.settings.file import SettingsFile, parse_settings, read_settings_file
from codetether.settings.settings import (
    MANAGED_FILE,
    SECRET_REMEDY,
    VARIABLES,
    Settings,
    check_settings_file,
    directories,
    load_settings,
    looks_secret,
    project_paths,
)
from codetether.settings.structure import key_of
from codetether.settings.trust import instruction_files, trust_file, trust_record, trusted_files

_KEY_LIKE = re.compile(r"(sk-|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|AKIA|AIza|hvs\.|gsk_|eyJ)[A-Za-z0-9_.-]{8,}")


_VARIABLES = "\b\nVariables:\n" + "\n".join(f"  {name:34}{'.'.join(keys)}" for name, keys in VARIABLES.items())


@click.group("config", epilog=_VARIABLES)
def config() -> None:
    """Show and change settings; trust a project's.

    Later ones win: defaults, your file, a trusted project's .codetether/config.toml, CODETETHER_* variables, flags.
    A managed file can only tighten, and decides above all.
    """


@config.command("show")
@click.option("--origin", is_flag=True, help="With the file and line, or the variable, of each.")
@as_json
def show(origin: bool, as_json: bool) -> int:
    """Show the settings in force here."""
    screen, settings = Screen(), load_settings(Path.cwd())
    for notice in settings.notices:
        screen.notice("", notice)
    rows = {".".join(map(_key, path)): (path, _shown(path, value)) for path, value in _in_force(settings)}
    if as_json:
        full = {name: {"value": v, "origin": str(settings.origin(p))} for name, (p, v) in rows.items()}
        print_json(screen, full if origin else {name: value for name, (_, value) in rows.items()})
        return 0
    for name, (path, value) in rows.items():
        line = f"{name} = {_toml(value)}"
        screen.line(f"{line}  # {settings.origin(path)}" if origin else line)
    return 0


@config.command("path")
@click.option("--project", is_flag=True, help="The project's file instead of yours.")
@as_json
def path(project: bool, as_json: bool) -> int:
    """Print where settings are read from."""
    screen, places = Screen(), directories()
    if as_json:
        files = {"user": [places.settings_file], "project": project_paths(Path.cwd()), "managed": [MANAGED_FILE]}
        listed = [
            {"layer": layer, "path": str(file), "exists": file.exists()}
            for layer, all_ in files.items()
            for file in all_
        ]
        print_json(screen, listed)
    else:
        screen.line(str(_project_file() if project else places.settings_file))
    return 0


@config.command("set")
@click.argument("key")
@click.argument("value")
@click.option("--project", is_flag=True, help="In the project's file instead of yours.")
def set_(key: str, value: str, project: bool) -> int:
    """Set KEY (a dotted path) to VALUE (TOML, or plain text); comments in the file stay."""
    path = _path(key)
    if looks_secret(path) or _KEY_LIKE.search(value):
        raise UsageError(f"{key} would put a secret into a settings file", remedy=SECRET_REMEDY)
    target = _project_file() if project else directories().settings_file
    before = read_settings_file(target)
    after = _changed(target, before.text if before else "", path, value)
    shown = _shown(path, _value(after.values, path))
    detail = {"key": ".".join(map(_key, path)), "value": shown, "file": str(target)}
    recorded("config", "config:set", detail, partial(_set, target, before, after, project))
    Screen().line(f"{target}: {key} = {_toml(_value(after.values, path))}")
    return 0


def keep_setting(path: tuple[str, ...], value: Any) -> Path:
    """Keeps a value, a table even, in the user's settings in place of what was there; None takes it out.

    For commands of plugins: recorded as `codetether config set` is. Returns the file. Raises SettingsError.
    """
    target = directories().settings_file
    before = read_settings_file(target)
    after = parse_settings(target, _edited(before.text if before else "", path, value).encode())
    check_settings_file(after)
    detail = {"key": ".".join(map(_key, path)), "file": str(target)}
    action = "config:unset" if value is None else "config:set"
    recorded("config", action, detail, partial(_set, target, before, after, False))
    return target


def _set(target: Path, before: SettingsFile | None, after: SettingsFile, project: bool) -> None:
    trusted = trusted_files(directories().state)
    _write(target, after, private=not project)
    if project and (before is None or trusted.get(str(target)) == before.sha256):
        _keep_trust({**trusted, str(target): after.sha256})


@config.command("trust")
@click.option("--list", "listing", is_flag=True, help="List the files that are trusted.")
@click.option("--revoke", is_flag=True, help="Trust this project's files no longer.")
@as_json
def trust(listing: bool, revoke: bool, as_json: bool) -> int:
    """Trust this project's settings, agents and skills as they are now; a changed file must be trusted again."""
    screen, state = Screen(), directories().state
    trusted = trusted_files(state)
    if listing:
        _list_trusted(screen, trusted, as_json)
        return 0
    paths = [str(place) for place in project_paths(Path.cwd())]
    around = (place.parents[1] for place in project_paths(Path.cwd()))
    instructions = {str(path): digest for path in instruction_files(around) if (digest := _digest(path))}
    if revoke:
        _revoke(screen, trusted, [*paths, *instructions])
        return 0
    files = [file for name in paths if (file := read_settings_file(Path(name)))]
    if not files and not instructions:
        raise UsageError(
            f"there is no project file to trust: {paths[-1]}", remedy="codetether config set --project makes one"
        )
    for file in files:
        check_settings_file(file)
    found = {**{str(file.path): file.sha256 for file in files}, **instructions}
    recorded("config", "config:trust", {"files": found}, partial(_keep_trust, {**trusted, **found}))
    for file in files:
        screen.line(f"trusted: {file.path}")
        for keys, value in _leaves(file.values):
            screen.line(f"  {'.'.join(map(_key, keys))} = {_toml(_shown(keys, value))}")
    for name in instructions:
        screen.line(f"trusted: {name}{_unseen(Path(name))}")
    return 0


def _revoke(screen: Screen, trusted: Mapping[str, str], here: Sequence[str]) -> None:
    gone = [name for name in here if name in trusted]
    kept = {name: digest for name, digest in trusted.items() if name not in gone}
    recorded("config", "config:untrust", {"files": gone}, partial(_keep_trust, kept))
    for name in gone:
        screen.line(f"no longer trusted: {name}")
    if not gone:
        screen.line("nothing here was trusted")


def _unseen(path: Path) -> str:
    """A word of warning about what a reader of the file did not see."""
    text = path.read_text("utf-8", "replace")
    return " (it holds characters that nobody sees)" if spelled_out(text) != text.replace("\r\n", "\n") else ""


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _list_trusted(screen: Screen, trusted: Mapping[str, str], as_json: bool) -> None:
    now = {name: _digest(Path(name)) for name in trusted}
    state = {
        name: "absent" if now[name] is None else "trusted" if now[name] == trusted[name] else "changed" for name in now
    }
    if as_json:
        print_json(screen, [{"path": name, "sha256": trusted[name], "state": state[name]} for name in trusted])
        return
    for name in trusted:
        screen.line(f"{state[name]}: {name}")
    if not trusted:
        screen.line("No trusted files")


def _project_file() -> Path:
    """The nearest project file that exists, else the one at the root of the repository."""
    paths = project_paths(Path.cwd())
    return next((path for path in reversed(paths) if path.exists()), paths[0])


def _path(key: str) -> tuple[str, ...]:
    try:
        values: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{key!r} is no dotted path", remedy="For example: session.max_steps") from error
    keys = []
    while isinstance(values, dict):
        (name, values), *_ = values.items()
        keys.append(name)
    return tuple(keys)


def _changed(target: Path, text: str, path: tuple[str, ...], value: str) -> SettingsFile:
    """The file with the value in it, if that is right: VALUE as TOML, else as plain text."""
    try:
        meant = [tomllib.loads(f"value = {value}")["value"], value]
    except tomllib.TOMLDecodeError:
        meant = [value]
    for number, one in enumerate(meant):
        try:
            made = parse_settings(target, _edited(text, path, one).encode())
            check_settings_file(made)
            check_plugin_table(made, path)
            return made
        except SettingsError as error:
            if number == len(meant) - 1:
                if error.path[: len(path)] != path:
                    raise
                # What is wrong with the new value does not stand in the file yet.
                raise UsageError(
                    error.message.removeprefix(f"{error.file}:{error.line}: "), remedy=error.remedy
                ) from None
    raise AssertionError("there is always a last one")


def _edited(text: str, path: tuple[str, ...], value: Any) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    table: Any = document
    for key in path[:-1]:
        if key not in table:
            table[key] = tomlkit.table(is_super_table=key != path[-2])
        table = table[key]
    if value is None:
        table.pop(path[-1], None)
    else:
        table[path[-1]] = value
    return tomlkit.dumps(document)


def _write(target: Path, file: SettingsFile, *, private: bool) -> None:
    from codetether.storage.durable import private_directory, replace

    real = Path(os.path.realpath(target))  # a link to a file kept elsewhere stays a link
    if private:
        private_directory(target.parent)
    elif target.parents[1].resolve() not in real.parents:
        raise UsageError(f"{target} leads out of the project, to {real}", remedy="Remove the link.")
    else:
        target.parent.mkdir(exist_ok=True)
    replace(real, file.text.encode(), mode=0o600 if private else 0o644)


def _keep_trust(files: Mapping[str, str]) -> None:
    from codetether.storage.durable import private_directory, replace

    state = private_directory(directories().state)
    replace(trust_file(state), trust_record(files))


def _in_force(settings: Settings) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every setting with a value: core's with their defaults, then the plugins' own tables."""
    yield from _record_leaves(settings.core, ())
    for name, section in settings.values.get("plugins", {}).items():
        if isinstance(section, Mapping):
            yield from _leaves(section, ("plugins", name))


def _record_leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if attrs.has(type(value)):
        for attribute in attrs.fields(type(value)):
            yield from _record_leaves(getattr(value, attribute.name), (*path, key_of(attribute)))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _record_leaves(inner, (*path, key))
    elif value is not None:
        yield path, list(value) if isinstance(value, tuple) else value


def _leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _shown(path: tuple[str, ...], value: Any) -> Any:
    return "[redacted]" if looks_secret(path) or (isinstance(value, str) and _KEY_LIKE.search(value)) else value


def _value(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    import tomlkit

    return str(tomlkit.item(value).as_string())
