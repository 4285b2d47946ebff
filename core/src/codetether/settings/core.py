"""What core's own settings are: a class per table, with the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
from attrs import field

from codetether.models.tools import Mode
from codetether.values import frozen

PATIENCE = 10
"""Steps in a row without anything new after which a prompt ends, unless somebody said otherwise."""
MODES: tuple[Mode, ...] = ("plan", "default", "edit", "auto", "unsafe")
"""From the strictest to the one without any fence."""


def _at_least(least: int) -> Any:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None and value < least:
            raise ValueError(f"is the number {value}, not {least} or more")

    return check


def _no_secret(_: Any, attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
    for name in value:
        if name.lower() in ("authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"):
            raise ValueError(f'the header "{name}" holds a secret; set api_key_env instead')


@frozen(kw_only=True)
class SessionSettings:
    """`[session]`.

    Attributes:
        max_steps: responses of the model a prompt may take.
        executor: the name of the one that runs commands; `auto` is `sandbox` in mode auto, and `local` in the others.
        mode: plan, default, edit or auto; `unsafe` is only ever typed.
        max_mode: the loosest mode that a session may be given; the strictest of all files counts.
        fallback: models to ask, in this order, when the session's own fails for good: `provider/model` or a provider.
        approval_deadline: seconds that a person has to allow a call; then it is denied.
    """

    max_steps: int = field(default=50, validator=_at_least(1))
    executor: str = "auto"
    mode: Mode = "default"
    max_mode: Mode = "unsafe"
    fallback: tuple[str, ...] = ()
    approval_deadline: float = field(default=300.0, validator=_at_least(1))


@frozen(kw_only=True)
class LimitSettings:
    """`[limits]`: what one prompt may take, with its subagents; it then ends resumably, with exit code 4.

    Attributes:
        max_cost: US dollars. max_tokens: input and output together. max_seconds: from the prompt to its end.
        max_repeats: steps in a row that make calls made before, with the results they had before; the model is told at
            half of them. None: 10, but no end where `max_steps` was set. 0: never.
    """

    max_cost: float | None = field(default=None, validator=_at_least(0))
    max_tokens: int | None = field(default=None, validator=_at_least(1))
    max_seconds: float | None = field(default=None, validator=_at_least(0))
    max_repeats: int | None = field(default=None, validator=_at_least(0))


def _share(_: Any, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0.05 <= value <= 1:
        raise ValueError(f"is the number {value}, not one from 0.05 to 1")


@frozen(kw_only=True)
class ContextSettings:
    """`[context]`: when and how the history is compacted.

    Attributes:
        threshold: the share of the model's context that the history may fill before.
        keep: how many turns, the last ones, stay as they are, as far as they fit into half of that.
        model: who writes the summary, `provider/model`, e.g. a cheaper one; the session's own by default.
    """

    threshold: float = field(default=0.8, validator=_share)
    keep: int = field(default=2, validator=_at_least(1))
    model: str | None = None


@frozen(kw_only=True)
class PluginSettings:
    """`[plugins]`, but for the plugins' own tables.

    Attributes:
        required: unless each loads whole, no session opens.
        allow: only these may be imported; None for all.
        block: these are never imported.
        altered: what happens to a plugin whose files are not those that were installed: it is told (`warn`; those that
            came with codetether are not looked at), not loaded (`refuse`), or nothing (`ignore`).
        only: `CODETETHER_PLUGINS`; None for all. not_: `CODETETHER_NO_PLUGINS`.
    """

    required: tuple[str, ...] = ()
    allow: tuple[str, ...] | None = None
    block: tuple[str, ...] = ()
    altered: Literal["ignore", "warn", "refuse"] = "warn"
    only: tuple[str, ...] | None = None
    not_: tuple[str, ...] = ()


@frozen(kw_only=True)
class ProviderSettings:
    """`[providers.NAME]`: adds a provider, or changes one that a plugin brings. None leaves it as it was.

    Attributes:
        api_key_env: the variable that holds the key; the key itself never stands in a file.
        timeout: seconds for a whole answer.
        requests_per_minute, tokens_per_minute, concurrent: what this process asks of it at most; None for no limit.
        options: what the wire understands beyond this.
    """

    wire: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    default_model: str | None = None
    models: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(factory=dict, validator=_no_secret)
    timeout: float | None = field(default=None, validator=_at_least(0))
    requests_per_minute: int | None = field(default=None, validator=_at_least(1))
    tokens_per_minute: int | None = field(default=None, validator=_at_least(1))
    concurrent: int | None = field(default=None, validator=_at_least(1))
    options: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class SamplingSettings:
    """`[sampling]`: None leaves it to the model's defaults."""

    temperature: float | None = field(default=None, validator=_at_least(0))
    top_p: float | None = field(default=None, validator=_at_least(0))
    max_output_tokens: int | None = field(default=None, validator=_at_least(1))


@frozen(kw_only=True)
class ToolSettings:
    """`[tools]`.

    Attributes:
        output_limit: bytes of a result that go to the model.
        disabled: the names of tools that no session offers.
        offered: how many tools the model is given at once at most; the others wait until `tool_search` finds them.
        first: globs over the names of tools that never wait.
    """

    output_limit: int = field(default=65536, validator=_at_least(256))
    disabled: tuple[str, ...] = ()
    offered: int = field(default=64, validator=_at_least(1))
    first: tuple[str, ...] = ("read", "write", "edit", "apply_patch", "list", "glob", "grep", "bash")


@frozen(kw_only=True)
class CredentialSettings:
    """`[credentials]`: `sources` names the sources that may be asked, in that order; None for all."""

    sources: tuple[str, ...] | None = None


@frozen(kw_only=True)
class SecretSettings:
    """`[secrets.NAME]`: a secret that tools use and the model only names. No repository's file has a say in it.

    Attributes:
        env: the variable of codetether's environment that holds it; NAME by default. Where it is not set, the
            credential sources are asked for `credential` (NAME in lower case), of which `value` counts.
        commands: the first words of commands that get it, e.g. `gh`, `git push`.
        variable: the variable in which they get it; NAME by default.
        hosts: the hosts that get it, where `*` stands for anything.
        header: the header in which they get it. form: what that says, with `{}` for the value.
    """

    env: str | None = None
    credential: str | None = None
    value: str = "api_key"
    commands: tuple[str, ...] = ()
    variable: str | None = None
    hosts: tuple[str, ...] = ()
    header: str = "Authorization"
    form: str = "Bearer {}"


@frozen(kw_only=True)
class RedactionSettings:
    """`[redaction]`: `unknown` hides from the model, and from all records, what only looks like a key too."""

    unknown: bool = True


@frozen(kw_only=True)
class AgentSettings:
    """`[agents.NAME]`: an agent of one's own; the same fields as `AgentSpec`."""

    description: str = ""
    prompt: str = ""
    tools: tuple[str, ...] | None = None
    max_steps: int | None = field(default=None, validator=_at_least(1))
    max_seconds: float | None = field(default=None, validator=_at_least(0))
    max_tokens: int | None = field(default=None, validator=_at_least(1))
    max_cost: float | None = field(default=None, validator=_at_least(0))
    mode: Mode | None = None
    model: str | None = None


@frozen(kw_only=True)
class AuditSettings:
    """`[audit]`: what is recorded, and what happens when that fails. No repository's file has a say in it.

    Attributes:
        required: what cannot be recorded is not started; otherwise the failure is said and work goes on.
        principal: whose doing things are; `user@host` by default.
        bodies: the arguments and outputs of tools stand in the entries too, not only their keyed digests.
        model_calls: each request to a model is recorded too, before and after it.
        key: where the key comes from: a `file`, `credentials` (the secret `audit`), or `auto`: the file where there
            is one, else the secret, else a file that is made.
        key_file: that file; `audit.key` beside the user's settings by default.
    """

    required: bool | None = None
    principal: str | None = None
    bodies: bool = False
    model_calls: bool = False
    key: Literal["auto", "credentials", "file"] = "auto"
    key_file: Path | None = None


@frozen(kw_only=True)
class CoreSettings:
    """All settings of core, as merged.

    Attributes:
        model: `provider/model`, a provider, or a model of `provider`.
        permissions: the lists `allow`, `ask` and `deny` of all layers together, with the rules as written.
    """

    model: str | None = None
    provider: str | None = None
    session: SessionSettings = SessionSettings()
    plugins: PluginSettings = PluginSettings()
    providers: Mapping[str, ProviderSettings] = field(factory=dict)
    sampling: SamplingSettings = SamplingSettings()
    permissions: Mapping[Literal["allow", "ask", "deny"], tuple[Any, ...]] = field(factory=dict)
    tools: ToolSettings = ToolSettings()
    credentials: CredentialSettings = CredentialSettings()
    agents: Mapping[str, AgentSettings] = field(factory=dict)
    audit: AuditSettings = AuditSettings()
    redaction: RedactionSettings = RedactionSettings()
    secrets: Mapping[str, SecretSettings] = field(factory=dict)
    context: ContextSettings = ContextSettings()
    limits: LimitSettings = LimitSettings()

    @property
    def credentials_of_tools(self) -> frozenset[str]:
        """The names under which credential sources keep the secrets of tools."""
        return frozenset(secret.credential or name.lower() for name, secret in self.secrets.items())

    @property
    def wish(self) -> str | None:
        """What to ask a selector for: the model, else the provider, or None.

        A model's name that begins with a known provider means that one; else it is a model of `provider`.
        """
        return self.model or self.provider
