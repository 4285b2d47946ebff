"""Checks a plugin's own table of a settings file against the settings that the plugin declares."""

from __future__ import annotations

from pathlib import Path

import attrs

from codetether.settings.core import PluginSettings
from codetether.settings.file import SettingsFile
from codetether.settings.layers import Layer
from codetether.settings.settings import load_settings
from codetether.settings.structure import Misfit, key_of, structure


def check_plugin_table(file: SettingsFile, path: tuple[str, ...]) -> None:
    """Raises SettingsError where the plugin does not take what stands at `plugins.NAME.KEY…`.

    Of a plugin that is not there, or may not be loaded, nothing is known.
    """
    if path[:1] != ("plugins",) or len(path) < 3 or path[1] in {key_of(a) for a in attrs.fields(PluginSettings)}:
        return
    from codetether.plugins.discovery import installed
    from codetether.plugins.entry_points import normalised
    from codetether.plugins.loaded import LoadedPlugins
    from codetether.runtime import builtin_plugins
    from codetether.specs import SettingsSpec

    table, chosen = ("plugins", path[1]), load_settings(Path.cwd()).core.plugins
    loaded = LoadedPlugins()
    try:
        named = [c for c in (*builtin_plugins(), *installed()) if normalised(c.name) == normalised(path[1])]
        loaded.load(named, attrs.evolve(chosen, block=(*chosen.block, *chosen.not_)))
        for provided in loaded.collect(SettingsSpec):
            structure(file.values["plugins"][path[1]], provided.record.cls, table)
    except Misfit as misfit:
        if misfit.path[: len(path)] == path:  # what else is wrong with the table was so before
            raise Layer(name="user", values=file.values, file=file).error(misfit.path, misfit.why) from misfit
    finally:
        loaded.close()
