"""`codetether completion`: the script that lets a shell complete commands, options, models and sessions."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from codetether.runtime import Runtime

VARIABLE = "_CODETETHER_COMPLETE"
"""Set by the shell's script when it asks for words."""
SHELLS = ("bash", "zsh", "fish")
WHERE = {
    "bash": 'eval "$(codetether completion bash)"                       # in ~/.bashrc',
    "zsh": 'eval "$(codetether completion zsh)"                        # in ~/.zshrc',
    "fish": "codetether completion fish > ~/.config/fish/completions/codetether.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def completion(shell: str | None) -> int:
    """Print the completion script for a SHELL (bash, zsh or fish); the one you use by default."""
    from click.shell_completion import get_completion_class

    from codetether.cli.app import codetether

    name = shell or os.path.basename(os.environ.get("SHELL", ""))  # noqa: PTH119 - a name, not a path
    if name not in SHELLS:
        lines = "\n  ".join(WHERE.values())
        raise click.UsageError(f"name a shell: {', '.join(SHELLS)}\n  {lines}")
    found = get_completion_class(name)
    assert found is not None
    sys.stdout.write(found(codetether, {}, "codetether", VARIABLE).source() + "\n")
    if sys.stdout.isatty():
        sys.stderr.write(f"# to keep it: {WHERE[name]}\n")
    return 0


def complete(instruction: str) -> int:
    """Answers a shell that asks for words; quiet about everything else."""
    from click.shell_completion import shell_complete

    from codetether.cli.app import codetether

    return shell_complete(codetether, {}, "codetether", VARIABLE, instruction)


def session_ids(context: click.Context, parameter: click.Parameter, begun: str) -> list[object]:
    """Ids of the latest sessions, with their titles."""
    import asyncio

    from click.shell_completion import CompletionItem

    from codetether.cli.sessions import stored

    async def listed() -> list[object]:
        async with stored() as store:
            found = await store.list(limit=50)
        return [CompletionItem(s.id, help=s.title or "") for s in found if s.id.startswith(begun)]

    return asyncio.run(listed())


Words = Callable[[click.Context, click.Parameter, str], list[str]]


def _of_runtime(names: Callable[[Runtime], Awaitable[Iterable[str]]]) -> Words:
    """Completes with names that only an opened runtime knows."""

    def words(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        import asyncio
        from pathlib import Path

        from codetether.runtime import Runtime

        async def listed() -> list[str]:
            async with Runtime.open(directory=Path.cwd(), on_notice=lambda source, text: None) as runtime:
                return [name for name in dict.fromkeys(await names(runtime)) if name.startswith(begun)]

        return asyncio.run(listed())

    return words


async def usable_models(runtime: Runtime) -> list[str]:
    """As `provider/model`: of each provider that can be used its default, the configured ones, the catalogue's."""
    return [
        f"{p.name}/{model}"
        for p in await runtime.providers()
        if p.available
        for model in (*filter(None, (p.default_model,)), *p.models, *runtime.catalog.models.names(p.name))
    ]


async def _agents(runtime: Runtime) -> Iterable[str]:
    return sorted(runtime.agents())


async def _providers(runtime: Runtime) -> Iterable[str]:
    return [provider.name for provider in await runtime.providers()]


model_names = _of_runtime(usable_models)
agent_names = _of_runtime(_agents)
provider_names = _of_runtime(_providers)


def plugin_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The plugins that are installed."""
    from codetether.plugins.discovery import installed

    return sorted({found.name for found in installed() if found.name.startswith(begun)})
