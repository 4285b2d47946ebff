"""The small records that hooks yield: a name, a `create` callable, a little data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from attrs import field

from codetether.formats.protocols import SessionFormat
from codetether.models.archive import EventArchive
from codetether.models.completion import ModelLimits, SamplingParams
from codetether.models.tools import Mode
from codetether.plugin_contexts import PluginContext, SessionContext
from codetether.protocols import (
    AuditSink,
    Catalogue,
    ContextPolicy,
    CredentialSource,
    EventSink,
    Executor,
    ModelStore,
    PermissionPolicy,
    PromptSection,
    ResultReviewer,
    Selector,
    SlashCommand,
    ToolCallRouter,
    ToolFilter,
    Toolset,
    Wire,
)
from codetether.values import frozen

T = TypeVar("T")
Made: TypeAlias = T | Awaitable[T] | AbstractAsyncContextManager[T]
"""What a `create` may return: the object, something to await for it, or an async context manager that yields it."""

LAST = 900
"""The place of what should be chosen only when nothing else is there."""


@frozen(kw_only=True)
class SettingsSpec:
    """The attrs class into which `[plugins.<plugin>]` is structured. One a plugin.

    `of_site`: only the user and the site decide these settings, never a repository's file, trusted or not.
    """

    cls: type[Any]
    of_site: bool = False


@frozen(kw_only=True)
class WireSpec:
    """A wire format, e.g. `openai-chat`; created once a process, when first needed."""

    name: str
    create: Callable[[PluginContext], Made[Wire]]


@frozen(kw_only=True)
class ProviderSpec:
    """A vendor, as data.

    Attributes:
        wire: the wire format that it speaks.
        env: the usual names of the variable that holds its key, first found counts.
        base_url_env: variables that move the base URL; the first that is set counts.
        base_url_form: makes the base URL of such a variable's name and value, where the value is not the URL itself;
            the provider then needs a base URL, of whichever origin.
        quirks: what the wire must know of this vendor.
        place: in the order of preference, smaller first; 500 for most, `LAST` for the embedded one.
        key_names: values of a secret of which one is enough to ask the vendor, e.g. `api_key`.
        keyless: it needs no credentials.
        sign_in: the command of `codetether auth` that signs in to it, where no key is typed, e.g. `copilot`.
        store: the model files that it keeps on this machine.
    """

    name: str
    wire: str
    base_url: str = ""
    default_model: str | None = None
    models: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    base_url_form: Callable[[str, str], str] | None = None
    aliases: tuple[str, ...] = ()
    quirks: Mapping[str, Any] = field(factory=dict)
    place: int = 500
    key_names: tuple[str, ...] = ("api_key",)
    keyless: bool = False
    sign_in: str = ""
    store: Callable[[PluginContext], ModelStore] | None = None
    description: str = ""


@frozen(kw_only=True)
class ModelDefaults:
    """Defaults for the models that `match` fits.

    Attributes:
        match: a glob over the lower-cased `provider/model`; the more literal characters, the later it is laid on.
        omit: sampling parameters that the model refuses, unless a more specific record gives them a value.
        fixed: sampling parameters of which it takes no other value than this: the user's settings do not move them.
        wire: the wire format for it, where the vendor offers the model on another one than the provider's.
        quirks: what the wire must know of this model, over the provider's quirks and under the user's options.
        prices: US dollars per million tokens, under `input`, `output`, `cache_read`, `cache_write`, `reasoning` (where
            it differs from `output`); `input>200000` is the price of requests with more input tokens than that.
        capabilities: e.g. `tool_call`, `structured_output`, `vision`, `attachment`, `reasoning`, `temperature`.
    """

    match: str
    sampling: SamplingParams = SamplingParams()
    limits: ModelLimits = ModelLimits()
    omit: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    wire: str | None = None
    quirks: Mapping[str, Any] = field(factory=dict)
    prices: Mapping[str, str] = field(factory=dict)
    capabilities: Mapping[str, bool] = field(factory=dict)


@frozen(kw_only=True)
class CatalogueSpec:
    """What is known of many models, looked up when it is needed; of several the first by (place, name) that knows."""

    name: str
    create: Callable[[PluginContext], Made[Catalogue]]
    place: int = 500


@frozen(kw_only=True)
class SelectorSpec:
    """Chooses models; asked by (place, name), the first answer counts."""

    name: str
    create: Callable[[PluginContext], Made[Selector]]
    place: int = 500


@frozen(kw_only=True)
class AgentSpec:
    """An agent: a prompt, the tools it may use, limits.

    Attributes:
        tools: globs over tool names; one that begins with `!` takes away what the others give. None for all.
        max_steps: responses a prompt; None for the session's own limit.
        max_seconds, max_tokens, max_cost: what a prompt may take, with its subagents; the cost in US dollars.
        mode: the mode it works in at most; None for the session's.
    """

    name: str
    description: str = ""
    prompt: str = ""
    tools: tuple[str, ...] | None = None
    max_steps: int | None = None
    max_seconds: float | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    mode: Mode | None = None
    model: str | None = None


@frozen(kw_only=True)
class ToolsetSpec:
    """Tools that come together, created for each session.

    Attributes:
        keys: the names under which the tools look for keys of their own, for `codetether auth login`.
    """

    name: str
    create: Callable[[SessionContext], Made[Toolset]]
    keys: tuple[str, ...] = ()


@frozen(kw_only=True)
class ToolFilterSpec:
    """Hides tools; all filters must keep a tool."""

    name: str
    create: Callable[[SessionContext], Made[ToolFilter]]


@frozen(kw_only=True)
class PromptSectionSpec:
    """A section of the system prompt, in the order of (place, name)."""

    name: str
    create: Callable[[SessionContext], Made[PromptSection]]
    place: int = 500


@frozen(kw_only=True)
class RouterSpec:
    """A tool-call router; a pipeline in the order of (place, name)."""

    name: str
    create: Callable[[SessionContext], Made[ToolCallRouter]]
    place: int = 500


@frozen(kw_only=True)
class ResultReviewerSpec:
    """Adds to the results of tool calls; asked in the order of (place, name). None for a session without need of it."""

    name: str
    create: Callable[[SessionContext], Made[ResultReviewer | None]]
    place: int = 500


@frozen(kw_only=True)
class ContextPolicySpec:
    """Chooses what of the history the model sees; a pipeline in the order of (place, name)."""

    name: str
    create: Callable[[SessionContext], Made[ContextPolicy]]
    place: int = 500


@frozen(kw_only=True)
class PolicySpec:
    """A permission policy; the strictest verdict of all counts."""

    name: str
    create: Callable[[SessionContext], Made[PermissionPolicy]]


@frozen(kw_only=True)
class ExecutorSpec:
    """Where commands run; the one named in `[session] executor`."""

    name: str
    create: Callable[[SessionContext], Made[Executor]]


@frozen(kw_only=True)
class CredentialSourceSpec:
    """Where secrets come from; asked in the order of (place, name)."""

    name: str
    create: Callable[[PluginContext], Made[CredentialSource]]
    place: int = 500


@frozen(kw_only=True)
class AuditSinkSpec:
    """A record of what was done. `required`: nothing starts when it cannot record the intent.

    `create` may give None: the settings leave it off.
    """

    name: str
    create: Callable[[PluginContext], Made[AuditSink | None]]
    required: bool = False


@frozen(kw_only=True)
class EventSinkSpec:
    """Somewhere events go.

    Attributes:
        create: may give None: the settings leave it off.
        delivery: `durable` replays from its cursor after a failure; `lossy` drops, counted and said.
        spool: the directory in which it leaves files that it will never touch again, `<session>/<file>`; None where
            it is off.
        archive: makes what stores such files, of every sink, somewhere else; created once a process, with its first
            session. It may give None: the settings leave it off.
    """

    name: str
    create: Callable[[SessionContext], Made[EventSink | None]]
    delivery: Literal["durable", "lossy"] = "lossy"
    spool: Callable[[PluginContext], Path | None] | None = None
    archive: Callable[[PluginContext], Made[EventArchive | None]] | None = None


@frozen(kw_only=True)
class SessionFormatSpec:
    """Another product's sessions.

    Attributes:
        name: begins the ids of its sessions here, `<name>_<id>`, and stands before their titles in listings.
        create: makes an object with `recognises` and `read`; where it has them too, `find` and `listed` show what
            is on this machine, and `write` lets sessions go back.
    """

    name: str
    create: Callable[[PluginContext], Made[SessionFormat]]


@frozen(kw_only=True)
class SlashCommandSpec:
    """A command of the conversation: `/name` in `codetether chat`.

    Attributes:
        takes: what stands after the name, e.g. `[FILE]`.
        help: what it does, in a few words.
    """

    name: str
    create: Callable[[SessionContext], Made[SlashCommand]]
    takes: str = ""
    help: str = ""
