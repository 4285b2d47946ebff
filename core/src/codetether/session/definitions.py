"""The definitions of tools as all sessions of a runtime have them: each is checked and compiled once."""

from __future__ import annotations

from codetether.arguments import Arguments
from codetether.models.tools import ToolDefinition
from codetether.plugins.contracts import check_definition


class Definitions:
    """Gives equal definitions of the same plugin as one object, so that what is made of it can be kept with it.

    Attributes:
        arguments: reads the arguments of calls by the schemas.
    """

    def __init__(self) -> None:
        self.arguments = Arguments()
        self._checked: dict[tuple[str, str], ToolDefinition] = {}

    def checked(self, plugin: str, definition: ToolDefinition) -> ToolDefinition:
        """The definition, the first of its equals. Raises PluginError for one that no model could be offered."""
        known = self._checked.get((plugin, definition.name))
        if known is not None and known == definition:
            return known
        check_definition(definition)
        self._checked[plugin, definition.name] = definition
        return definition
