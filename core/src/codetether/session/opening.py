"""Opening a session: every object that it needs, made of what the plugins' hooks yielded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from codetether._version import __version__
from codetether.errors import NoProviderAvailable, StorageError, UnknownModel, UsageError
from codetether.models.audit import AuditEntry, AuditOutcome
from codetether.models.events import AuditAnchor
from codetether.models.record import JSON
from codetether.models.session import Announced, MetadataChanged, Remembered, SessionStarted
from codetether.models.tools import Mode
from codetether.plugin_contexts import SessionContext
from codetether.record.sinks import EventFeed
from codetether.session.agent import Agent
from codetether.session.approving import Approver
from codetether.session.asking import Asking
from codetether.session.broker import Broker
from codetether.session.chain import Chain, line_to
from codetether.session.confinement import confinement_of
from codetether.session.contexts import Shared, narrower
from codetether.session.delegation import Delegation, Parent
from codetether.session.dispatch import Dispatch
from codetether.session.limits import Limits
from codetether.session.makers import Makers
from codetether.session.offering import Offering, answerable, found_before
from codetether.session.prompt import render
from codetether.session.reviewing import Reviewing
from codetether.session.routing import Routing
from codetether.session.running import RunningSession
from codetether.session.view import View
from codetether.settings.core import CoreSettings
from codetether.storage.journal import Journal
from codetether.storage.store import new_session_id
from codetether.values import frozen

if TYPE_CHECKING:
    from codetether.runtime import Runtime
    from codetether.specs import AgentSpec


@frozen(kw_only=True)
class Opening:
    """How a session is asked for; None takes the session's own, else what the settings say."""

    id: str | None = None
    model: str | None = None
    directory: Path | None = None
    agent: str | None = None
    mode: Mode | None = None
    allow: tuple[str, ...] = ()
    max_steps: int | None = None
    max_seconds: float | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    parent: Parent | None = None
    tools: tuple[str, ...] | None = None


async def open_session(runtime: Runtime, wanted: Opening, stack: AsyncExitStack) -> RunningSession:
    """Everything that a session needs, in this order: model, journal, executor, tools, sinks, policies, the rest."""
    runtime.plugins.check_required(runtime.settings.core.plugins.required)
    journal, chain = await _journal_and_models(runtime, wanted, stack)
    shared, parent, core = _shared(runtime, wanted, journal), wanted.parent, runtime.settings.core
    contexts = attrs.evolve(runtime.contexts, core=_allowing(core, wanted.allow))
    makers = Makers(runtime=runtime, stack=stack, shared=shared, contexts=contexts)
    shared.executor = parent.session.shared.executor if parent else await makers.executor(shared.mode)
    offering = Offering.of(await makers.tools(wanted.tools), core.tools, found_before(journal.state.memory))
    dispatch = await _dispatch(runtime, makers, offering, parent)
    loop = await _loop(runtime, makers, dispatch, chain, _limits(runtime, wanted, shared.agent))
    loop.parent = parent.session.agent if parent else None
    offering.agent = loop
    runtime.plugins.check_required(core.plugins.required)  # now that each object was created
    made = RunningSession(
        agent=loop, journal=journal, model=chain.first.ref, shared=shared, mode=shared.mode, line=chain.other
    )
    shared.emit, shared.complete, shared.call = made.emit, made.complete, made.call
    shared.delegate = Delegation(runtime=runtime, parent=made).run
    _keep_anchors(runtime, made, stack)
    stack.push_async_callback(made.close)
    _settle(runtime, made)
    runtime.say_problems()
    opened = {"model": str(made.model)}
    await runtime.audit.record("session", "session:open", "success", session_id=made.id, detail=opened)
    await _record_confinement(runtime, made)
    return made


def _shared(runtime: Runtime, wanted: Opening, journal: Journal) -> Shared:
    """What all contexts of the session hold in common, the executor not yet among it."""
    session = journal.state.session
    agent = runtime.agent(wanted.agent or session.agent)
    secrets = runtime.settings.core.secrets
    shared = Shared(
        journal=journal,
        directory=wanted.directory or Path(session.metadata.directory),
        agent=agent,
        person=runtime.person,
        mode=narrower(runtime.settings.mode(wanted.mode), agent.mode),
        above=wanted.parent.session.shared if wanted.parent else None,
        agents=runtime.agents,
        redactor=runtime.redactor,
        broker=Broker(secrets=secrets, credentials=runtime.credentials, redactor=runtime.redactor),
        audit=runtime.audit,
    )
    if wanted.mode is not None and shared.restriction is not None:
        shared.restrict(None)  # the user says anew what is allowed
    return shared


async def _dispatch(runtime: Runtime, makers: Makers, offering: Offering, parent: Parent | None) -> Dispatch:
    """The session's tools, with every rule that a call passes."""
    shared, contexts = makers.shared, makers.contexts
    context = contexts.session("core", shared)
    return Dispatch(
        tools=offering.tools,
        waiting=offering.waiting,
        policies=parent.dispatch.policies if parent else await makers.policies(),
        audit=runtime.audit,
        journal=shared.journal,
        context=context,
        call_context=lambda offered, *of_call: contexts.call(offered.plugin, shared, *of_call),
        redactor=runtime.redactor,
        output_limit=runtime.settings.core.tools.output_limit,
        subagent=shared.agent.name if parent else "",
        approver=_approver(runtime, parent, shared.journal.state.session.id, context),
        reviewing=Reviewing(reviewers=await makers.reviewers(), failed=makers.failed),
        broker=shared.broker,
        arguments=runtime.definitions.arguments,
    )


async def _record_confinement(runtime: Runtime, made: RunningSession) -> None:
    """What confines the session's commands is kept with it, property by property, and in the audit trail."""
    confinement = confinement_of(made.shared.executor)
    if confinement is None:
        return
    states: dict[str, JSON] = {each.name: each.state for each in confinement.properties}
    value: dict[str, JSON] = {"backend": confinement.backend, "properties": states}
    journal = made.journal
    if journal.state.memory.get(("core", "confinement")) != value:
        made.agent.feed.feed(journal.append(Remembered(plugin="core", key="confinement", value=value)))
    outcome: AuditOutcome = "success" if confinement.complete else "failure"
    await runtime.audit.record("sandbox", "sandbox:tried", outcome, session_id=made.id, detail=value)


def _keep_anchors(runtime: Runtime, made: RunningSession, stack: AsyncExitStack) -> None:
    """The anchors of the audit that the session hears of are kept with it; the last is made when it closes."""
    kept: set[str] = set()

    def heard(entry: AuditEntry) -> None:
        if entry.id in kept:
            return
        kept.add(entry.id)
        detail = {key: value for key, value in entry.detail.items() if key != "sink"}
        anchor = AuditAnchor(sink=str(entry.detail.get("sink", "")), detail=detail)
        with suppress(StorageError):  # the sink's own place has it; the session says itself what is wrong with its disk
            made.agent.feed.feed(made.journal.append(Announced(event=anchor, turn=made.session.turn)))

    runtime.audit.listeners[made.id] = heard
    stack.callback(runtime.audit.listeners.pop, made.id)
    stack.push_async_callback(runtime.audit.anchor, made.id)


def _approver(runtime: Runtime, parent: Parent | None, session_id: str, context: SessionContext) -> Approver:
    """Who settles what is asked; a subagent shares what was allowed for its parent's session, and asks in its turn."""
    settings, above = runtime.settings.core, parent and parent.dispatch.approver
    return Approver(
        context=context,
        approvals=runtime.approvals,
        granted=above.granted if above else runtime.approvals.of_session(session_id),
        asking=above.asking if above else asyncio.Lock(),
        rules=settings.permissions,
        deadline=settings.session.approval_deadline,
        redactor=runtime.redactor,
    )


async def _loop(
    runtime: Runtime,
    makers: Makers,
    dispatch: Dispatch,
    chain: Chain,
    limits: Limits,
) -> Agent:
    """The session's loop, with the objects that only it asks."""
    sections = await makers.sections()
    journal, person = makers.shared.journal, makers.shared.person
    feed = EventFeed(await makers.event_sinks(), journal, runtime.redactor, partial(runtime.notify, "events"))
    makers.stack.push_async_callback(feed.close)
    await feed.open()
    offered = [tool.definition for tool in dispatch.tools.values()]
    tools = tuple(map(runtime.redactor.lasting, answerable(offered, person)))
    routing = Routing(
        routers=await makers.routers(),
        tools=tools,
        native_calls=chain.first.native_calls,
        failed=makers.failed,
        redactor=runtime.redactor,
    )
    return Agent(
        journal=journal,
        feed=feed,
        dispatch=dispatch,
        asking=Asking(line=chain.first, following=chain.following, routing=routing, redactor=runtime.redactor),
        tools=tools,
        system=lambda: render(sections, makers.failed_section),
        view=View(journal=journal, policies=await makers.context_policies(), failed=makers.failed),
        redactor=runtime.redactor,
        limits=limits,
    )


def _limits(runtime: Runtime, wanted: Opening, agent: AgentSpec) -> Limits:
    """What was asked for, else the agent's, else the settings'; of a subagent never more than its parent has left."""

    def limit(name: str) -> Any:
        asked_for, own = getattr(wanted, name), getattr(agent, name)
        if wanted.parent and None not in (asked_for, own):
            return min(asked_for, own)  # a model asks for less than the agent may take, only a person for more
        return own if asked_for is None else asked_for

    settings = runtime.settings
    cost, tokens = (settings.limit(name, limit(name)) for name in ("max_cost", "max_tokens"))
    limits = Limits(
        steps=settings.max_steps(limit("max_steps")),
        seconds=settings.limit("max_seconds", limit("max_seconds")),
        tokens=None if tokens is None else int(tokens),
        cost=None if cost is None else Decimal(str(cost)),
        repeats=settings.max_repeats(wanted.max_steps),
    )
    return limits.narrowed(wanted.parent.left) if wanted.parent else limits


async def _chain(runtime: Runtime, wish: str | None, stack: AsyncExitStack) -> Chain:
    first, *others = await runtime.catalog.choose(wish)
    fallback = runtime.settings.core.session.fallback
    line = await line_to(runtime, first, stack)
    return Chain(runtime=runtime, stack=stack, first=line, left=[*others, *fallback])


def _is_imported(journal: Journal) -> bool:
    from codetether.models.foreign import ORIGIN

    return any(key == ORIGIN for _, key in journal.state.memory)


async def _chain_of_import(runtime: Runtime, model: str, own: str | None, stack: AsyncExitStack) -> Chain:
    """The model that an imported session names, else the usual one: another agent may know what we do not, said."""
    provider = model.partition("/")[0]
    why = f"no provider {provider!r}"
    if runtime.catalog.knows(provider):
        try:
            return await _chain(runtime, model, stack)
        except (UnknownModel, NoProviderAvailable) as error:
            why = error.message
    chain = await _chain(runtime, own, stack)
    runtime.notify("session", f"its model {model} cannot be had here ({why}): going on with {chain.first.ref}")
    return chain


async def _journal_and_models(runtime: Runtime, wanted: Opening, stack: AsyncExitStack) -> tuple[Journal, Chain]:
    """The journal of a session that is there, or a new one; a model that cannot be had leaves no empty session."""
    directory = wanted.directory or runtime.directory
    if (wanted.directory is not None or wanted.id is None) and not directory.is_dir():
        raise UsageError(f"{directory} is no directory", remedy="name one that exists")
    settings = runtime.settings.core
    if wanted.id is not None:
        journal = await runtime.sessions.open(wanted.id)
        stack.push_async_callback(journal.close)
        session = journal.state.session
        if wanted.directory is None and not Path(session.metadata.directory).is_dir():
            raise UsageError(
                f"the directory of session {wanted.id} is gone: {session.metadata.directory}",
                remedy="put it back, or name another one",
            )
        agent = runtime.agent(wanted.agent or session.agent)
        own = agent.model or settings.wish
        if wanted.model is None and session.metadata.model and _is_imported(journal):
            return journal, await _chain_of_import(runtime, session.metadata.model, own, stack)
        return journal, await _chain(runtime, wanted.model or session.metadata.model or own, stack)
    agent = runtime.agent(wanted.agent or "build")
    chain = await _chain(runtime, wanted.model or agent.model or settings.wish, stack)
    journal = await runtime.sessions.create(
        SessionStarted(
            id=new_session_id(),
            directory=str(directory),
            agent=agent.name,
            model=str(chain.first.ref),
            parent_id=wanted.parent.session.id if wanted.parent else None,
            parent_call_id=wanted.parent.call_id if wanted.parent else None,
            parent_event_id=wanted.parent.event_id if wanted.parent else None,
            version=__version__,
        )
    )
    stack.push_async_callback(journal.close)
    return journal, chain


def _settle(runtime: Runtime, made: RunningSession) -> None:
    """Says what was repaired, closes the calls that a crash left open, records model and agent if they changed."""
    journal = made.journal
    for repair in journal.repairs:
        runtime.notify("session", repair)
    for opened in journal.state.open_calls.values():
        if opened.intent is not None and not opened.intent.repeatable:
            runtime.notify("session", f"the call {opened.call.name} was interrupted: it may have run")
    made.agent.close_open_calls(made.session.turn, journal.state.step)
    model, directory, agent = str(made.model), str(made.shared.directory), made.shared.agent.name
    metadata = made.session.metadata
    if (metadata.model, metadata.directory, made.session.agent) != (model, directory, agent):
        made.agent.feed.feed(journal.append(MetadataChanged(model=model, agent=agent, directory=directory)))


def _allowing(core: CoreSettings, allow: Sequence[str]) -> CoreSettings:
    """The settings with what this session was told to allow."""
    rules = core.permissions
    return attrs.evolve(core, permissions={**rules, "allow": (*rules.get("allow", ()), *allow)}) if allow else core
