"""What a plugin's objects can do: the seams of the house, every method async unless it only computes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from codetether.models.audit import AuditEntry
from codetether.models.completion import CompletionRequest, CompletionResponse, ModelRef, StreamChunk
from codetether.models.events import EventRecord, Why
from codetether.models.messages import Message
from codetether.models.providers import Availability, LocalModel, Provider, Secret
from codetether.models.record import JSON
from codetether.models.session import Compacted
from codetether.models.tools import (
    Answer,
    Completed,
    Confinement,
    Decision,
    PermissionRequest,
    Question,
    Resources,
    ToolCall,
    ToolDefinition,
    ToolResult,
)

if TYPE_CHECKING:
    from codetether.models.window import Window
    from codetether.plugin_contexts import SessionContext, ToolContext
    from codetether.specs import ModelDefaults


class Person(Protocol):
    """The one who can be asked: the CLI's prompt, an API callback, or nobody."""

    async def ask(self, question: Question, deadline: float) -> Answer | None:
        """The answer within `deadline` seconds; None means no answer, and counts as no."""


class Process(Protocol):
    """A running command with pipes."""

    pid: int

    def output(self) -> AsyncIterator[bytes]:
        """Standard output, with standard error in it unless that was started apart, in pieces as they come."""

    def errors(self) -> AsyncIterator[bytes]:
        """Standard error, where it was started apart; nothing else."""

    async def write(self, data: bytes) -> None:
        """To its standard input."""

    async def wait(self) -> int:
        """The exit code; negative for a signal."""

    async def kill(self) -> None:
        """Ends it and every process that it started."""


class Executor(Protocol):
    """Where commands run. Standard input is empty; a cancelled wait ends the whole tree of processes."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 120.0,
        on_output: Callable[[bytes], None] | None = None,
        limit: int = 16 * 1024 * 1024,
        merged: bool = False,
    ) -> Completed:
        """Runs to its end; output past `limit` bytes a stream is dropped from the middle.

        `merged`: standard error joins standard output, in the order in which they come.
        `on_output` gets standard output and error as they come. Raises ExecutorError when it cannot start.
        """

    async def start(
        self,
        argv: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        merged: bool = True,
    ) -> Process:
        """Starts it with pipes, for servers that speak over them; without `merged`, standard error by itself."""


@runtime_checkable
class ConfiningExecutor(Executor, Protocol):
    """An executor that confines what it runs, and has tried whether it does."""

    @property
    def confinement(self) -> Confinement:
        """What was seen when it was tried, before the session opened."""


class Credentials(Protocol):
    """All allowed credential sources, asked in order."""

    async def get(self, provider: str, names: Sequence[str] = ()) -> Secret | None:
        """The first secret found, None where no source has one; known to the redactor from then on.

        `names`: the variables that may hold its key.
        """


class Tool(Protocol):
    """One tool: a definition, what a call touches, and the call."""

    @property
    def definition(self) -> ToolDefinition:
        """The same object for the whole session."""

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """What this call touches. Only looks; raises nothing that is not an error of the call."""

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """Does it. Any exception becomes the result `Error: <what>`."""


class Toolset(Protocol):
    """Tools that come together; an async context manager is entered with the session."""

    async def tools(self) -> Sequence[Tool]:
        """The tools, asked for once a session."""


class ToolFilter(Protocol):
    """Decides which tools a session offers; all filters must keep a tool."""

    def keep(self, definition: ToolDefinition) -> bool:
        """Whether the tool is offered."""


class PromptSection(Protocol):
    """One section of the system prompt."""

    async def render(self) -> str | None:
        """Its text, None to be left out. Asked for at each prompt; stable text keeps prompt caches warm."""


class ResultReviewer(Protocol):
    """Looks at what tool calls did, for what the model should know at once."""

    async def review(self, call: ToolCall, resources: Resources, result: ToolResult) -> str | None:
        """What the model is told behind the result of a call that ran; None for nothing. In 30 seconds."""


class ToolCallScanner(Protocol):
    """Watches text as it streams, so that a screen never shows the markup of a described call."""

    def feed(self, text: str) -> str:
        """The text that can be shown by now."""

    def finish(self) -> str:
        """What is left to show."""


class ToolCallRouter(Protocol):
    """Turns described tool calls into structured ones."""

    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        """The response, rewritten or the very same object. Any exception keeps the original."""

    def scanner(self, offered: Sequence[ToolDefinition], native: bool) -> ToolCallScanner | None:
        """A scanner for one streamed response, or None; `native`: the model makes structured calls."""


class SpokenCalls(Protocol):
    """What a ToolCallRouter may also do: speak of tools to a model that makes no structured calls."""

    def explanation(self, offered: Sequence[ToolDefinition]) -> str:
        """What the prompt says of the tools and of how to call them; empty where they are to be offered as ever."""

    def spoken(self, message: Message) -> Message:
        """The message with calls and results as text; the very same object where it has none."""


class ContextPolicy(Protocol):
    """What of the history the model sees."""

    async def choose(self, history: Sequence[Message]) -> Sequence[Message]:
        """The messages to send. Objects that do not change are kept, so that rendering stays cheap."""


@runtime_checkable
class Compactor(ContextPolicy, Protocol):
    """A context policy that also makes the history shorter for good; every compaction is kept, and can be undone."""

    async def compact(self, window: Window, why: Why) -> Compacted | None:
        """What shall stand for the first messages from now on; None where nothing needs to.

        Asked before each request (`threshold`: costs next to nothing while there is room), when a provider refuses
        one as too long (`overflow`), and when the user wants it (`asked`). Calls stay with their results. Raises
        ContextFull where the history does not fit and cannot be made smaller.
        """


class PermissionPolicy(Protocol):
    """Judges calls. The strictest verdict of all policies counts; an exception counts as deny."""

    async def decide(self, request: PermissionRequest) -> Decision:
        """The decision."""


class CredentialSource(Protocol):
    """Where secrets come from."""

    async def get(self, provider: str, names: Sequence[str]) -> Secret | None:
        """The provider's secret, None where there is none. `names`: the vendor's usual variables.

        Raises CredentialError when it cannot tell (sealed, denied, unreachable).
        """

    async def list(self) -> Sequence[str]:
        """The providers that have a secret here, as far as the source can tell."""


@runtime_checkable
class CredentialStore(CredentialSource, Protocol):
    """A source of secrets that can be written too, by `codetether auth`."""

    async def usable(self) -> bool:
        """Whether this machine has anything to write to; what is locked or out of reach counts, as `put` will say."""

    async def put(self, provider: str, values: Mapping[str, JSON]) -> None:
        """Keeps the provider's values (`api_key`, `base_url`, …) in place of all that it had here.

        Returns when they are as durable as the store promises; raises CredentialError when they are not kept.
        """

    async def delete(self, provider: str) -> bool:
        """Forgets the provider's values; False where it had none. Raises CredentialError when they may be there yet."""


class AuditSink(Protocol):
    """A record of what was done. Entries come one at a time and in order."""

    def record(self, entry: AuditEntry) -> Awaitable[None] | None:
        """Returns when the entry is as durable as the sink promises; raises when it is not.

        An async method; or a plain one that returns None where it was done at once, or what is to be awaited.
        """


@runtime_checkable
class AnchoredAuditSink(AuditSink, Protocol):
    """An audit sink that can tell where its record stands, so that others keep that and its end cannot be cut."""

    async def anchor(self) -> Mapping[str, JSON] | None:
        """The head of the record, made durable in a place of its own; None where nothing was recorded since the last.

        Asked every 100 entries, every minute and at the end; each other sink and session gets it as `audit:anchor`.
        """


class EventSink(Protocol):
    """Somewhere events go; created for each session."""

    async def cursor(self) -> int:
        """The last journal sequence this sink holds for good: what follows is sent again. 0 at first."""

    def write(self, record: EventRecord) -> Awaitable[None] | None:
        """Takes one event. A durable sink that raises gets the same event again later.

        An async method; or a plain one that returns None where it was done at once, or what is to be awaited.
        """

    async def flush(self) -> None:
        """Makes durable what was taken; called at the end of each turn and when the session closes."""


class Selector(Protocol):
    """Chooses models."""

    async def select(self, wish: str | None, available: Sequence[Availability]) -> Sequence[ModelRef] | None:
        """The models to use, best first; None passes the question on to the next selector."""


class Connection(Protocol):
    """A session's line to a provider; an async context manager is entered and left with the session."""

    def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """The answer in chunks, with `Finished` among them; raises ProviderError. An async generator: close it."""


@runtime_checkable
class Wire(Protocol):
    """A wire format: makes connections to providers that speak it."""

    async def connect(self, provider: Provider) -> Connection:
        """A connection to the provider, with its own client."""


class Catalogue(Protocol):
    """What is known of models. It is asked on the event loop while a session opens: it reads what it needs, quickly."""

    @property
    def date(self) -> str:
        """The day of what it knows, `YYYY-MM-DD`, with a word on where it comes from if that helps."""

    def models(self, provider: str) -> Sequence[str]:
        """The ids of the models that the provider offers; empty where it does not know the provider."""

    def defaults(self, ref: ModelRef) -> ModelDefaults | None:
        """What it knows of the model, of those too that are not offered any more; None where it knows nothing."""

    async def refresh(self) -> str:
        """Fetches what is newer, and the date of that. Raises a CodetetherError, and then keeps what it has."""


class ModelStore(Protocol):
    """Model files that a provider keeps on this machine."""

    def list(self) -> Sequence[LocalModel]:
        """Those it knows, present or not."""

    async def pull(self, name: str | None, progress: Callable[[int, int | None], None]) -> LocalModel:
        """Fetches one (None: the default); `progress(bytes_done, bytes_in_all)`."""


class SlashCommand(Protocol):
    """A command that the user types in a conversation."""

    async def run(self, arguments: str) -> str | Message | None:
        """Does it. `arguments` is what stands after the name.

        A text that it returns is shown; a message is sent to the model as though the user had typed it.
        """
