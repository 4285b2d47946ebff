"""The hooks. All are plain functions that yield records; none is called while a model answers.

A plugin is a module with functions marked `@codetether.hookimpl` and named like these. A hook that raises,
even half way through, contributes nothing to that hook: the plugin, the hook and the reason are listed in
`codetether plugins` and said once on stderr. A hook may take 10 seconds.

A record's `create(ctx)` is called on a thread of its own and may take 10 seconds as well, so that one that hangs
costs nobody else anything. What needs the event loop belongs into an `async def create`, or into the `__aenter__` of
what it makes; what is made is closed by its `__aexit__`, in reverse. A method of an object may take 120 seconds (it
may ask a model), a prompt section 10, one secret 30, a sink 10, a tool what its definition says.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from codetether import specs

PROJECT = "codetether"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def codetether_settings() -> Iterable[specs.SettingsSpec]:
    """Asked first, when the settings are read: the class of `[plugins.<plugin>]`.

    One a plugin. An unknown key or a wrong type in the file is an error with file, line and path. A failure
    drops the plugin.
    """
    raise NotImplementedError


@hookspec
def codetether_wires() -> Iterable[specs.WireSpec]:
    """Asked when the runtime opens: wire formats by name.

    Two of the same name are an error that names both plugins, raised when the wire is chosen. `create` is called
    when the first provider that speaks the wire is connected, once a process.
    """
    raise NotImplementedError


@hookspec
def codetether_providers() -> Iterable[specs.ProviderSpec]:
    """Asked when the runtime opens: vendors by name.

    `[providers.NAME]` in the settings adds to or changes them; an unknown NAME with a `base_url` speaks `openai-chat`.
    Two of the same name are an error that names both plugins, raised when the provider is chosen.
    """
    raise NotImplementedError


@hookspec
def codetether_model_defaults() -> Iterable[specs.ModelDefaults]:
    """Asked when the runtime opens: sampling, limits and prices of models.

    All that match are laid over each other, the most specific last. A failure drops the plugin's own.
    """
    raise NotImplementedError


@hookspec
def codetether_catalogues() -> Iterable[specs.CatalogueSpec]:
    """Asked when the runtime opens: what is known of many models, looked up only for the model in question.

    It is laid over what holds for all models and under what `codetether_model_defaults` says of this one. Asked in the
    order of (place, name); the first that knows the model counts. One that fails counts as knowing nothing, said.
    """
    raise NotImplementedError


@hookspec
def codetether_selectors() -> Iterable[specs.SelectorSpec]:
    """Asked when the runtime opens: who chooses the model of a prompt.

    Selectors are asked by (place, name); the first answer counts. One that fails passes to the next, said.
    """
    raise NotImplementedError


@hookspec
def codetether_agents() -> Iterable[specs.AgentSpec]:
    """Asked when the runtime opens: agents by name.

    Of two with the same name the one of the user's settings counts, else it is an error when chosen.
    """
    raise NotImplementedError


@hookspec
def codetether_tools() -> Iterable[specs.ToolsetSpec]:
    """Asked when the runtime opens; `create` for each session: tools.

    A tool whose name is taken becomes `<plugin>__<name>`, said; core's and our own keep theirs. A toolset that
    fails is absent, said.
    """
    raise NotImplementedError


@hookspec
def codetether_tool_filters() -> Iterable[specs.ToolFilterSpec]:
    """Asked when the runtime opens; `create` for each session: which tools are offered.

    All filters must keep a tool. One that fails hides the tool.
    """
    raise NotImplementedError


@hookspec
def codetether_prompt_sections() -> Iterable[specs.PromptSectionSpec]:
    """Asked when the runtime opens; `create` for each session: sections of the system prompt.

    Joined by blank lines in the order of (place, name). One that fails is left out, said.
    """
    raise NotImplementedError


@hookspec
def codetether_tool_call_routers() -> Iterable[specs.RouterSpec]:
    """Asked when the runtime opens; `create` for each session: routers of described tool calls.

    A pipeline in the order of (place, name), between the assembled response and the extraction of its calls.
    One that fails leaves the response as it was.
    """
    raise NotImplementedError


@hookspec
def codetether_result_reviewers() -> Iterable[specs.ResultReviewerSpec]:
    """Asked when the runtime opens; `create` for each session: what is added to the results of tool calls.

    All are asked in the order of (place, name), after each call that ran. One that fails adds nothing, said.
    """
    raise NotImplementedError


@hookspec
def codetether_context_policies() -> Iterable[specs.ContextPolicySpec]:
    """Asked when the runtime opens; `create` for each session: what of the history the model sees.

    A pipeline in the order of (place, name). One that fails leaves the history as it was, said. One that has a method
    `compact` (see `Compactor`) is asked before each request whether something shorter shall stand for the history's
    beginning; the first that says so counts, and what it gives is kept in the journal.
    """
    raise NotImplementedError


@hookspec
def codetether_permission_policies() -> Iterable[specs.PolicySpec]:
    """Asked when the runtime opens; `create` for each session: who judges tool calls.

    DENY beats ASK beats ALLOW. One that fails counts as DENY.
    """
    raise NotImplementedError


@hookspec
def codetether_executors() -> Iterable[specs.ExecutorSpec]:
    """Asked when the runtime opens; `create` for each session: where commands run.

    The one that `[session] executor` names. When it fails, the session does not open.
    """
    raise NotImplementedError


@hookspec
def codetether_credential_sources() -> Iterable[specs.CredentialSourceSpec]:
    """Asked when the runtime opens: where secrets come from.

    Asked in the order of (place, name), the first that has the secret counts. One that fails is passed over; when
    nobody has it, the error lists who was asked and what they said.
    """
    raise NotImplementedError


@hookspec
def codetether_audit_sinks() -> Iterable[specs.AuditSinkSpec]:
    """Asked when the runtime opens: who records what is done.

    All get every entry. When a required one fails, the effect does not start; another's failure is said.
    """
    raise NotImplementedError


@hookspec
def codetether_event_sinks() -> Iterable[specs.EventSinkSpec]:
    """Asked when the runtime opens; `create` for each session: where events go.

    All get every event but chunks. A durable one that failed is sent everything after its cursor; a lossy one
    loses events, counted and said.
    """
    raise NotImplementedError


@hookspec
def codetether_session_formats() -> Iterable[specs.SessionFormatSpec]:
    """Asked when sessions are imported or exported: other products' files.

    The format that recognises the source reads it, of several the first by name; `--from NAME` asks for one. A session
    comes in whole or not at all: what fails in one leaves the others alone.
    """
    raise NotImplementedError


@hookspec
def codetether_slash_commands() -> Iterable[specs.SlashCommandSpec]:
    """Asked when a conversation opens: commands that the user types, `/name`.

    Core's own keep their names; of two plugins' the first by (plugin, name) counts, said. A failure drops the plugin's.
    """
    raise NotImplementedError
