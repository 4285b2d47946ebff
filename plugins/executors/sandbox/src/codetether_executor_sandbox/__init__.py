"""Commands confined by bubblewrap or Landlock, for codetether."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codetether_executor_sandbox.executor import SandboxExecutor

__all__ = ["sandbox"]


async def sandbox(workspace: Path, **settings: Any) -> SandboxExecutor:
    """An executor for a workspace, tried; the settings are those of `[plugins.sandbox]`.

    Raises ExecutorError where a required property is missing.
    """
    from codetether_executor_sandbox.choice import Choice
    from codetether_executor_sandbox.environment import values_of_keys
    from codetether_executor_sandbox.settings import SandboxSettings

    made = SandboxSettings(**settings)
    return await Choice(workspace=workspace.resolve(), settings=made, keys=values_of_keys(())).executor()
