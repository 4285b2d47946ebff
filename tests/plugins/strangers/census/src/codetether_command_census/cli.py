"""The command `codetether census`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from codetether import Runtime


@click.command
@click.option("--here", is_flag=True, help="Only those of this directory.")
def census(here: bool) -> None:
    """Count the sessions."""
    click.echo(asyncio.run(_count(here)))


async def _count(here: bool) -> int:
    async with Runtime.open() as runtime:
        sessions = runtime.sessions
        return len(await (sessions.list_for_directory(Path.cwd()) if here else sessions.list()))
