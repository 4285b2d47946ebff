"""Slash commands: what the user tells the program instead of the model."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING

from attrs import evolve
from click import HelpFormatter

from codetether.cli.app import say_error
from codetether.cli.completion import usable_models
from codetether.cli.table import print_table
from codetether.cli.terminal import Screen, one_line, visible
from codetether.errors import CodetetherError, UsageError
from codetether.models.messages import Message
from codetether.models.record import JSON
from codetether.plugins.boundary import BROKEN, asked, reason_of
from codetether.plugins.life import created
from codetether.plugins.loaded import Provided
from codetether.settings.core import MODES
from codetether.settings.structure import did_you_mean
from codetether.specs import SlashCommandSpec
from codetether.values import frozen

if TYPE_CHECKING:
    from codetether.cli.chat.conversation import Wishes
    from codetether.models.session import SessionSummary
    from codetether.runtime import Runtime
    from codetether.session.running import RunningSession


@frozen
class Leave:
    """The user leaves."""


@frozen(kw_only=True)
class Reopen:
    """The session is to be opened again, with these wishes."""

    wishes: Wishes


@frozen(kw_only=True)
class Send:
    """The model is to be sent this message, as though the user had typed it."""

    message: Message


Next = Leave | Reopen | Send | None
Run = Callable[[str], Awaitable[Next]]


@frozen(kw_only=True)
class Slash:
    """A command: what it takes, what it does in a few words, and its function."""

    run: Run
    help: str
    takes: str = ""


_COMMAND = re.compile(r"/[\w-]*(?: .*)?")


def is_command(text: str) -> bool:
    """Whether a prompt is meant for the program: `/name` and what it takes, not a path, a comment or several lines."""
    return _COMMAND.fullmatch(text) is not None


_CHANGING = frozenset(("model", "agent", "mode", "title", "compact"))
"""Core's commands that stand in the audit trail when they change something; a plugin's own always do."""


class SlashCommands:
    """The commands of an open session."""

    def __init__(self, runtime: Runtime, session: RunningSession, screen: Screen, wishes: Wishes) -> None:
        self._runtime = runtime
        self._session = session
        self._screen = screen
        self._wishes = wishes
        self._own: Mapping[str, Slash] = {
            "help": Slash(run=self._help, help="list the commands"),
            "model": Slash(run=self._model, takes="[MODEL]", help="show the models, or change to one"),
            "agent": Slash(run=self._agent, takes="[NAME]", help="show the agents, or change to one"),
            "mode": Slash(run=self._mode, takes="[MODE]", help="show what is allowed without asking, or change it"),
            "tools": Slash(run=self._tools, takes="[WORD]", help="list the tools that the model is offered"),
            "sessions": Slash(run=self._sessions, takes="[ID]", help="list the sessions here, or go on with one"),
            "new": Slash(run=self._new, help="begin a new session"),
            "title": Slash(run=self._title, takes="[TEXT]", help="show the session's title, or change it"),
            "compact": Slash(run=self._compact, takes="[undo]", help="shorten what the model sees; undo takes it back"),
            "cost": Slash(run=self._cost, help="tokens and cost of this session"),
            "exit": Slash(run=self._exit, help="leave (also Ctrl-D)"),
            "quit": Slash(run=self._exit, help="leave"),
        }
        self.table: Mapping[str, Slash] = {**self._own, **self._of_plugins(), **self._own}

    async def run(self, line: str) -> Next:
        """Runs a line that is a command; an unknown command names the nearest one."""
        name, _, rest = line[1:].partition(" ")
        argument = rest.strip()
        command = self.table.get(name)
        if command is None:
            self._screen.say(f"no command /{name}{did_you_mean(name, list(self.table))} (/help lists them)")
            return None
        try:
            if argument and not command.takes and name in self._own:
                raise UsageError(f"/{name} takes nothing: not {argument!r}")
            if name in _CHANGING and argument:
                async with self._audited(name, value=argument):
                    return await command.run(argument)
            return await command.run(argument)
        except CodetetherError as error:
            say_error(self._screen, error)
            return None

    async def words(self) -> Mapping[str, Sequence[str]]:
        """What each command can be completed with."""
        sessions = await self._sessions_here()
        known: Mapping[str, Sequence[str]] = {
            "model": list(dict.fromkeys(await usable_models(self._runtime))),
            "agent": sorted(self._runtime.agents()),
            "mode": list(MODES),
            "sessions": [s.id for s in sessions],
        }
        return {name: known.get(name, []) for name in self.table}

    async def _help(self, _: str) -> None:
        formatter = HelpFormatter(width=self._screen.columns)
        formatter.write_dl([(f"/{name} {slash.takes}".strip(), slash.help) for name, slash in self.table.items()])
        formatter.write_text("Enter sends · Alt-Enter new line · @file attaches · Ctrl-C stops the answer")
        self._screen.write(visible(formatter.getvalue()))

    async def _model(self, wish: str) -> Next:
        if wish:
            return Reopen(wishes=evolve(self._wishes, model=wish))
        now = str(self._session.model)
        providers = [provider for provider in await self._runtime.providers() if provider.available]
        names = [f"{p.name}/{model}" for p in providers for model in p.models or filter(None, (p.default_model,))]
        for name in dict.fromkeys((now, *names)):
            self._screen.line(f"{'*' if name == now else ' '} {name}")
        return None

    async def _agent(self, wish: str) -> Next:
        if wish:
            self._runtime.agent(wish)
            return Reopen(wishes=evolve(self._wishes, agent=wish))
        for name, agent in sorted(self._runtime.agents().items()):
            self._screen.line(f"{'*' if name == self._session.session.agent else ' '} {name}  {agent.description}")
        return None

    async def _mode(self, wish: str) -> Next:
        if not wish:
            now = self._session.agent.dispatch.context.mode  # planning may restrict the session's own
            self._screen.line(" ".join(f"*{m}" if m == now else m for m in MODES))
            return None
        chosen = next((mode for mode in MODES if mode == wish), None)
        if chosen is None:
            raise UsageError(f"no mode {wish!r}{did_you_mean(wish, MODES)}")
        mode = self._runtime.settings.mode(chosen)
        self._session.shared.restrict(None)
        return Reopen(wishes=evolve(self._wishes, mode=mode))

    async def _tools(self, word: str) -> None:
        tools = self._session.agent.tools
        rows = [(tool.name, ",".join(tool.effects), tool.description.split(". ")[0]) for tool in tools]
        rows = [row for row in rows if word in row[0] or word in row[1]]
        if not rows:
            raise UsageError(
                f"no tool has {word!r} in its name or effects" if word else "the model is offered no tools"
            )
        print_table(self._screen, ("NAME", "EFFECTS", "DESCRIPTION"), rows)

    async def _sessions(self, wish: str) -> Next:
        if wish:
            return Reopen(wishes=evolve(self._wishes, session_id=wish, model=None, agent=None))
        rows = [
            (
                f"{'*' if summary.id == self._session.id else ' '} {summary.id}",
                summary.updated_at.astimezone().strftime("%Y-%m-%d %H:%M"),
                one_line(summary.title or "(no title)", 60),
            )
            for summary in await self._sessions_here()
        ]
        print_table(self._screen, ("  ID", "UPDATED", "TITLE"), rows)
        return None

    async def _sessions_here(self) -> Sequence[SessionSummary]:
        here = self._session.shared.directory
        return await self._runtime.sessions.list_for_directory(here, limit=20, subagents=False)

    async def _new(self, _: str) -> Next:
        return Reopen(wishes=evolve(self._wishes, session_id=None))

    async def _title(self, text: str) -> None:
        if text:
            await self._session.set_title(text)
        self._screen.line(self._session.session.title or "(no title)")

    async def _compact(self, what: str) -> None:
        if what not in ("", "undo"):
            raise UsageError(f"/compact takes nothing, or undo: not {what!r}")
        done = await (self._session.undo_compaction() if what else self._session.compact())
        nothing = "there is no compaction to undo" if what else "there is nothing to shorten"
        self._screen.line(done.text if done else nothing)

    async def _cost(self, _: str) -> None:
        usage = self._session.session.usage
        cost = f"${usage.cost}" if usage.cost is not None else "no price is known for this model"
        self._screen.line(f"{usage.input_tokens:,} tokens in ({usage.cache_read_tokens:,} from the cache)")
        self._screen.line(f"{usage.output_tokens:,} out ({usage.reasoning_tokens:,} of them reasoning); {cost}")

    async def _exit(self, _: str) -> Next:
        return Leave()

    def _of_plugins(self) -> Mapping[str, Slash]:
        """The commands that plugins add; each is created when it is first typed."""
        return {
            provided.record.name: Slash(
                run=self._typed(provided), takes=provided.record.takes, help=provided.record.help
            )
            for provided in self._runtime.plugins.collect(SlashCommandSpec)
        }

    def _typed(self, provided: Provided[SlashCommandSpec]) -> Run:
        name = provided.record.name

        async def run(arguments: str) -> Next:
            ctx = self._runtime.contexts.session(provided.plugin, self._session.shared)
            async with self._audited(name) as told:
                try:
                    async with AsyncExitStack() as stack:
                        command = await created(stack, provided.record, ctx)
                        said = await asked(command.run, arguments)
                except UsageError:  # a refusal, in words meant for the user
                    raise
                except BROKEN as error:  # a plugin's command must not end the conversation: it is named and said
                    told["error"] = reason_of(error)
                    self._screen.say(f"/{name} ({provided.plugin}) failed: {reason_of(error)}")
                    return None
            if isinstance(said, Message):
                return Send(message=said)
            if said:
                self._screen.line(said)
            return None

        return run

    def _audited(self, name: str, **detail: str) -> AbstractAsyncContextManager[dict[str, JSON]]:
        """What such a command does is the user's own doing: between its intent and its outcome in the audit trail."""
        session = self._session.session
        return self._runtime.audit.around(
            "session", f"slash:{name}", session_id=session.id, turn=session.turn, detail=detail
        )
