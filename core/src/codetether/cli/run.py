"""`codetether run`: one prompt, its answer, an exit code."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from codetether.cli import started
from codetether.cli.app import EXIT, debugging
from codetether.cli.session_options import sandbox_settings, session_options
from codetether.cli.terminal import Screen
from codetether.models.messages import MessagePart
from codetether.models.tools import Effect, Mode
from codetether.settings.structure import did_you_mean
from codetether.values import frozen

if TYPE_CHECKING:
    from codetether.cli.interrupts import Interrupts
    from codetether.cli.machine_output import JsonOutput
    from codetether.cli.outcome import Outcome
    from codetether.cli.text_output import TextOutput


@frozen(kw_only=True)
class Wish:
    """What the user asked for on the command line."""

    text: str
    parts: tuple[MessagePart, ...]
    resume: bool
    session: str | None
    model: str | None
    agent: str | None
    mode: Mode | None
    allow: tuple[str, ...]
    sandbox: str | None
    max_steps: int | None
    max_seconds: float | None
    max_tokens: int | None
    max_cost: float | None
    strict: bool
    schema: Mapping[str, Any] | None


@click.command("run")
@click.argument("prompt", nargs=-1)
@session_options
@click.option(
    "-f", "--file", "files", multiple=True, type=click.Path(path_type=Path), help="Attach a file; repeatable."
)
@click.option("--format", "form", type=click.Choice(["text", "json", "stream-json"]), default="text", show_default=True)
@click.option(
    "--schema", metavar="FILE", help="Answer with JSON that fits this JSON schema: a file, or the schema itself."
)
@click.option("--strict-plugins", "strict", is_flag=True, help="A plugin that breaks a promise is an error.")
def run(prompt: tuple[str, ...], files: tuple[Path, ...], form: str, schema: str | None, **wishes: Any) -> int:
    """Give the agent a PROMPT and show its answer.

    What is piped in is added to the prompt; with no PROMPT, or with -, it is the prompt.
    """
    if wishes["resume"] and wishes["session"]:
        raise click.UsageError("--continue and --session exclude each other")
    if wishes["model"] is not None and not wishes["model"].strip():
        raise click.UsageError("--model is empty: name a model, a provider, or provider/model")
    from codetether.cli.interrupts import launch
    from codetether.cli.prompt_input import attached, json_schema, whole_prompt

    if wishes["session"]:
        from codetether.storage.store import check_session_id

        check_session_id(wishes["session"])
    _check_rules(wishes["allow"])
    screen = Screen()
    parts, wanted = attached(files), json_schema(schema)
    wish = Wish(text=whole_prompt(prompt, screen), parts=parts, schema=wanted, **wishes)
    return launch(lambda interrupts: _run(wish, _output(form, screen, formed=wanted is not None), interrupts))


def _output(form: str, screen: Screen, *, formed: bool) -> TextOutput | JsonOutput:
    if form == "text":
        from codetether.cli.text_output import FormedOutput, TextOutput

        return FormedOutput(screen) if formed else TextOutput(screen)
    from codetether.cli.machine_output import JsonOutput, StreamOutput

    return StreamOutput(screen) if form == "stream-json" else JsonOutput(screen)


async def _run(wish: Wish, output: TextOutput | JsonOutput, interrupts: Interrupts) -> int:
    from codetether.cli.outcome import Outcome

    outcome = Outcome()
    try:
        await _converse(wish, output, outcome, interrupts)
    except asyncio.CancelledError:  # a signal: the outcome says so, as the exit code does
        outcome.interrupt()
    except (BrokenPipeError, click.ClickException):
        raise
    except Exception as error:  # every failure becomes the outcome, so that --format json holds in all cases
        if debugging():
            raise
        outcome.fail(error)
    output.end(outcome)
    return EXIT[outcome.status]


async def _converse(wish: Wish, output: TextOutput | JsonOutput, outcome: Outcome, interrupts: Interrupts) -> None:
    from codetether.cli.foreign import session_to_go_on_with
    from codetether.runtime import Runtime

    directory = Path.cwd()
    opened = Runtime.open(
        sandbox_settings(wish.sandbox),
        directory=directory,
        person=_person(output),
        strict=wish.strict,
        on_notice=output.notice,
    )
    async with opened as runtime:
        session_id = await session_to_go_on_with(runtime, wish.session, directory, output.notice, resume=wish.resume)
        async with runtime.session(
            session_id,
            model=wish.model,
            directory=directory if wish.resume else None,
            agent=wish.agent,
            mode=wish.mode,
            allow=wish.allow,
            max_steps=wish.max_steps,
            max_seconds=wish.max_seconds,
            max_tokens=wish.max_tokens,
            max_cost=wish.max_cost,
        ) as session:
            outcome.session_id, outcome.model = session.id, session.model
            output.begin(session.session)
            if session.shared.directory != directory:
                output.notice("", f"this session works in {session.shared.directory}")
            for line in _idle_allowances(wish.allow, [tool.name for tool in session.agent.tools]):
                output.notice("", line)
            interrupts.polite = session.cancel
            started()
            async with aclosing(session.stream(wish.text, wish.parts, schema=wish.schema)) as events:  # type: ignore[type-var]
                async for event in events:
                    outcome.take(event)
                    output.show(event)


def _check_rules(allow: Sequence[str]) -> None:
    """UsageError for what is no rule at all, before anything is done under it."""
    from codetether.errors import SettingsError
    from codetether.permissions.rules import Rules

    try:
        Rules.parse({"allow": list(allow)})
    except SettingsError as error:
        index = int(error.path[-1])
        raise click.UsageError(f"--allow {allow[index]!r}: is no rule\n  {error.remedy}") from error


def _idle_allowances(allow: Sequence[str], tools: Sequence[str]) -> Iterator[str]:
    """What of `--allow` can never apply: most likely a slip, which would otherwise show only as a denial."""
    known = list(dict.fromkeys((*get_args(Effect), "secret", *tools)))
    for word in allow:
        name = word.partition("(")[0].strip()
        if not fnmatch.filter(known, name):
            yield f"--allow {word}: there is no such tool or effect{did_you_mean(name, known)}"


def _person(output: TextOutput | JsonOutput) -> Any:
    from codetether.cli.text_output import TextOutput

    if not isinstance(output, TextOutput):
        return None
    from codetether.cli.person import TerminalPerson

    return TerminalPerson(output.screen, output.pause) if TerminalPerson.present() else None
