"""Settings: defaults < user < trusted project < environment < overrides, under a managed file that only tightens."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
from attrs import field

from codetether.errors import SettingsError
from codetether.models.tools import Mode
from codetether.settings.core import (
    MODES,
    PATIENCE,
    AgentSettings,
    AuditSettings,
    CoreSettings,
    CredentialSettings,
    PluginSettings,
    ProviderSettings,
    SamplingSettings,
    SessionSettings,
    ToolSettings,
)
from codetether.settings.file import SettingsFile, read_settings_file
from codetether.settings.layers import MANAGED, PROJECT, Keys, Layer, Merged, Origin, of_a_repository, overlay, tighten
from codetether.settings.structure import Misfit, key_of, structure
from codetether.settings.trust import trusted_files
from codetether.values import frozen

T = TypeVar("T")

MANAGED_FILE = Path(
    "/Library/Application Support/codetether/managed.toml"
    if sys.platform == "darwin"
    else "/etc/codetether/managed.toml"
)
PROJECT_FILE = Path(".codetether", "config.toml")

VARIABLES: Mapping[str, Keys] = {
    "CODETETHER_DEFAULT_MODEL": ("model",),
    "CODETETHER_DEFAULT_PROVIDER": ("provider",),
    "CODETETHER_EXECUTOR": ("session", "executor"),
    "CODETETHER_MAX_STEPS": ("session", "max_steps"),
    "CODETETHER_MODE": ("session", "mode"),
    "CODETETHER_NO_PLUGINS": ("plugins", "not"),
    "CODETETHER_PLUGINS": ("plugins", "only"),
    "CODETETHER_TOOL_OUTPUT_MAX_BYTES": ("tools", "output_limit"),
}
"""The variables that settings are read from. An empty one counts as not set, but for CODETETHER_PLUGINS (none)."""


@frozen(kw_only=True)
class Directories:
    """Where files live; none of these is made before something is written."""

    config: Path
    data: Path
    state: Path
    cache: Path

    @property
    def settings_file(self) -> Path:
        """The user's settings."""
        return self.config / "config.toml"


@frozen(kw_only=True)
class Settings:
    """Settings as merged from all layers.

    Attributes:
        values: as plain data, TOML-shaped; defaults are not in it.
        notices: what of a project file was left out for want of trust, one line each.
        project_files: those found, from the outermost to the nearest, trusted or not.
    """

    directories: Directories
    core: CoreSettings
    notices: tuple[str, ...] = ()
    project_files: tuple[SettingsFile, ...] = ()
    _merged: Merged = field(alias="merged", repr=False)
    _managed: Layer | None = field(alias="managed", default=None, repr=False)
    _environment: Mapping[str, str] = field(alias="environment", factory=dict, repr=False)

    @property
    def values(self) -> Mapping[str, Any]:
        """All that any layer says, TOML-shaped."""
        return self._merged.values

    def origin(self, path: str | Keys) -> Origin:
        """Where a setting comes from, by its dotted path or keys; `permissions.deny.0` is the first such rule."""
        keys = tuple(path.split(".")) if isinstance(path, str) else path
        layer = self._merged.layer(keys)
        if layer is None:
            return Origin(layer="default")
        # The place of an item in the merged list is not its place in the file: the list's own line is said.
        named = keys[:-1] if keys[-1].isdigit() else keys
        return layer.origin(named)

    def plugin(self, name: str, cls: type[T]) -> T:
        """`[plugins.NAME]` as the plugin's class. Raises SettingsError for an unknown key or a wrong type.

        A field with `metadata={"env": "VARIABLE"}` takes the variable's value where it is set: above the files,
        below overrides and the managed file.
        """
        path = ("plugins", name)
        section = self._merged.get(path) or {}
        try:
            made = structure({**section, **self._from_environment(path, cls)}, cls, path)
        except Misfit as misfit:
            within = (self._merged.layers[keys] for keys in self._merged.layers if keys[:2] == path)
            layer = self._merged.layer(misfit.path) or next(within, _layer("default", {}))
            raise layer.error(misfit.path, misfit.why, _remedy(misfit.path)) from misfit
        return made

    def refuse_repository(self, name: str) -> None:
        """Raises SettingsError where a repository's file, trusted or not, says something in `[plugins.NAME]`."""
        for keys, layer in self._merged.layers.items():
            if keys[:2] == ("plugins", name) and layer.name == "project":
                raise layer.error(keys, "a repository does not decide this: only you and your site do", "Remove it.")

    def mode(self, wish: Mode | None = None) -> Mode:
        """The mode of a session. Raises SettingsError for a wish that is none, or that `session.max_mode` forbids."""
        if wish is not None and wish not in MODES:
            raise SettingsError(f"no mode {wish!r}; there are: {', '.join(MODES)}")
        most = self.core.session.max_mode
        mode = wish or self.core.session.mode
        if MODES.index(mode) <= MODES.index(most):
            return mode
        if wish is None:
            return most
        origin = self.origin("session.max_mode")
        raise SettingsError(
            f'mode "{wish}" is not allowed here, "{most}" is the loosest',
            file=origin.file,
            line=origin.line,
            path=("session", "max_mode"),
        )

    def max_steps(self, wish: int | None = None) -> int:
        """How many steps a prompt may take, the managed limit applied to the wish too. Raises SettingsError."""
        if wish is not None and (type(wish) is not int or wish < 1):  # callers without types too
            raise SettingsError(f"max_steps: {wish!r} is no whole number of 1 or more")
        steps = wish or self.core.session.max_steps
        limit = self._managed.values.get("session", {}).get("max_steps") if self._managed else None
        return min(steps, limit) if limit else steps

    def limit(self, name: str, wish: float | None = None) -> float | None:
        """A limit of `[limits]`, or the wish for it, the managed limit applied to both. Raises SettingsError."""
        if wish is not None and (type(wish) not in (int, float) or not wish > 0):  # callers without types too
            raise SettingsError(f"{name}: {wish!r} is no number above 0")
        most = getattr(self.core.limits, name) if wish is None else wish
        limit = self._managed.values.get("limits", {}).get(name) if self._managed else None
        return min((each for each in (most, limit) if each is not None), default=None)

    def max_repeats(self, steps: int | None = None) -> int:
        """After how many steps that repeat others a prompt ends; 0 for never. `steps`: how many were asked for."""
        said = self.core.limits.max_repeats
        if said is None:
            return PATIENCE if steps is None and self.origin("session.max_steps").layer == "default" else 0
        return said

    def _from_environment(self, path: Keys, cls: type[Any]) -> dict[str, Any]:
        found = {}
        for attribute in attrs.fields(cls):
            text = self._environment.get(attribute.metadata.get("env", ""))
            layer = self._merged.layers.get((*path, key_of(attribute)))
            if text and (layer is None or layer.name not in ("override", "managed")):
                attrs.resolve_types(cls)
                found[key_of(attribute)] = _read(text, attribute.type)
        return found


def directories(environment: Mapping[str, str] = os.environ) -> Directories:
    """The four directories: below CODETETHER_HOME, else where the platform keeps such files (XDG)."""
    try:
        return _directories(environment)
    except RuntimeError as error:  # no HOME, and no entry for this user either
        remedy = "Set CODETETHER_HOME to a directory for codetether."
        raise SettingsError("there is no home directory", remedy=remedy) from error


def _directories(environment: Mapping[str, str]) -> Directories:
    if home := environment.get("CODETETHER_HOME"):
        root = Path(home).expanduser().absolute()
        return Directories(config=root / "config", data=root / "data", state=root / "state", cache=root / "cache")
    from platformdirs import PlatformDirs

    found = PlatformDirs("codetether", appauthor=False)
    made = Directories(
        config=found.user_config_path,
        data=found.user_data_path,
        state=found.user_state_path,
        cache=found.user_cache_path,
    )
    if not made.config.is_absolute():
        raise SettingsError("there is no home directory", remedy="Set CODETETHER_HOME to a directory for codetether.")
    return made


def load_settings(
    directory: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] = os.environ,
    managed: Path = MANAGED_FILE,
) -> Settings:
    """Reads every layer for work in `directory`. Raises SettingsError with file, line and path.

    `overrides` are TOML-shaped: the API's `settings=` and flags. No layer but the managed file is above them.
    """
    places = directories(environment)
    merged, notices, found = Merged(), [], []
    if user := read_settings_file(places.settings_file):
        merged = overlay(merged, _checked(_layer("user", user.values, user)))
    trusted = trusted_files(places.state) if (paths := project_paths(directory)) else {}
    for path in paths:
        if (file := read_settings_file(path)) is None:
            continue
        found.append(file)
        if trusted.get(str(path)) == file.sha256:
            layer, ignored = of_a_repository(_checked(_layer("project", file.values, file)))
            notices += [f"{path}: ignored {_named(ignored)}: a repository does not decide this"] if ignored else []
            merged = overlay(merged, layer)
            continue
        layer = _understood(_layer("project", file.values, file))
        merged, ignored = tighten(merged, layer, PROJECT)
        notices += [_untrusted(path, ignored, changed=str(path) in trusted)] if ignored else []
    merged = overlay(merged, _checked(_environment(environment)))
    merged = overlay(merged, _checked(_layer("override", overrides or {})))
    top = _managed(managed)
    if top is not None:
        merged, _ = tighten(merged, top, MANAGED)
    return Settings(
        directories=places,
        core=_core(merged.values),
        notices=tuple(notices),
        project_files=tuple(found),
        merged=merged,
        managed=top,
        environment=environment,
    )


def check_settings_file(file: SettingsFile) -> None:
    """Raises SettingsError, with file and line, for what is wrong in a user's or a project's file."""
    _checked(_layer("user", file.values, file))


def project_paths(directory: Path) -> tuple[Path, ...]:
    """Where project files may stand: from the root of the git repository, if in one, down to the directory."""
    start = directory.resolve()
    within = [start, *start.parents]
    root = next((n for n, place in enumerate(within) if (place / ".git").exists()), 0)
    return tuple(place / PROJECT_FILE for place in reversed(within[: root + 1]))


def _layer(name: Any, values: Mapping[str, Any], file: SettingsFile | None = None) -> Layer:
    return Layer(name=name, values=values, file=file)


def _core(values: Mapping[str, Any]) -> CoreSettings:
    """Core's part: the plugins' own tables are theirs to check."""
    plugins = values.get("plugins")
    if isinstance(plugins, Mapping):
        known = {key_of(a) for a in attrs.fields(PluginSettings)}
        own = {k: v for k, v in plugins.items() if k in known or not isinstance(v, Mapping)}
        values = {**values, "plugins": own}
    return structure(values, CoreSettings)


def _understood(layer: Layer) -> Layer:
    """The layer, if all that core knows of it can be read."""
    try:
        _core(layer.values)
    except Misfit as misfit:
        raise layer.error(misfit.path, misfit.why, _remedy(misfit.path)) from misfit
    return layer


def _checked(layer: Layer) -> Layer:
    """The layer, if it is understood, and asks for nothing that a file may not give."""
    mode = _understood(layer).values.get("session", {}).get("mode")
    if mode == "unsafe" and layer.name != "override":
        raise layer.error(("session", "mode"), '"unsafe" is typed on every start, never kept', "Use --mode unsafe.")
    return layer


def _managed(path: Path) -> Layer | None:
    """The managed file. One that is empty or that others may write is refused: a lost rule must not open doors."""
    file = read_settings_file(path)
    if file is None:
        return None
    found = path.stat()
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        remedy = f"chown root {path} && chmod 644 {path}"
        raise SettingsError("the managed file may be changed by others than root", file=path, remedy=remedy)
    if not file.values:
        raise SettingsError("the managed file is empty", file=path, remedy="Restore it, or remove it.")
    layer = _checked(_layer("managed", file.values, file))
    _, loosening = tighten(Merged(), layer, MANAGED)
    if loosening:
        raise layer.error(loosening[0], "a managed file only tightens; this cannot stand in it")
    return layer


def _environment(environment: Mapping[str, str]) -> Layer:
    merged, variables = Merged(), {}
    for name, path in VARIABLES.items():
        text = environment.get(name)
        if text is None or (not text and name != "CODETETHER_PLUGINS"):
            continue
        variables[path] = name
        merged = merged.with_value(path, _variable(path, text), _layer("environment", {}))
    return Layer(name="environment", values=merged.values, variables=variables)


def _variable(path: Keys, text: str) -> Any:
    if path[0] == "plugins":
        return [word.strip() for word in text.split(",") if word.strip()]
    return int(text) if path[-1] in ("max_steps", "output_limit") and text.strip().isdecimal() else text.strip()


def _read(text: str, kind: Any) -> Any:
    """A variable's text as what the field takes: numbers and true/false as such, all else as text."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if bool in (kind, *getattr(kind, "__args__", ())) and text.lower() in words:
        return words[text.lower()]
    if int in (kind, *getattr(kind, "__args__", ())) and text.isdecimal():
        return int(text)
    if float in (kind, *getattr(kind, "__args__", ())) and text.replace(".", "", 1).isdecimal():
        return float(text)
    return text


def _untrusted(path: Path, ignored: tuple[Keys, ...], *, changed: bool) -> str:
    why = "changed since you trusted it" if changed else "is not trusted"
    return f"{path} {why}: ignored {_named(ignored)} (read it, then: codetether config trust)"


def _named(ignored: tuple[Keys, ...]) -> str:
    names = ", ".join(".".join(keys) for keys in ignored[:5])
    return names + (f" and {len(ignored) - 5} more" if len(ignored) > 5 else "")


def looks_secret(path: Keys) -> bool:
    """Whether a setting of this name would hold a secret."""
    words = path[-1].lower().replace("-", "_").split("_") if path else []
    if words[-1:] in (["env"], ["file"], ["path"], ["url"]):
        return False
    secret = ("token", "secret", "password", "passwd", "passphrase", "apikey", "authorization", "credential")
    return any(word in secret for word in words) or "api_key" in "_".join(words) or "private_key" in "_".join(words)


SECRET_REMEDY = "Keys never stand in settings: put it into a variable, and name that: [providers.NAME] api_key_env."


def _remedy(path: Keys) -> str:
    return SECRET_REMEDY if looks_secret(path) else ""


__all__ = [
    "MANAGED_FILE",
    "PROJECT_FILE",
    "SECRET_REMEDY",
    "VARIABLES",
    "AgentSettings",
    "AuditSettings",
    "CoreSettings",
    "CredentialSettings",
    "Directories",
    "Origin",
    "PluginSettings",
    "ProviderSettings",
    "SamplingSettings",
    "SessionSettings",
    "Settings",
    "ToolSettings",
    "check_settings_file",
    "directories",
    "load_settings",
    "looks_secret",
    "project_paths",
]
