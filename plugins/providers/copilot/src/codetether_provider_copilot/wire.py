"""Copilot's wires: those of others, asked with a short-lived token and the headers that Copilot wants."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import Any, Self

import attrs
from codetether import (
    AuthenticationFailed,
    CompletionRequest,
    ImagePart,
    Message,
    Provider,
    ProviderError,
    StreamChunk,
    ToolResultPart,
)
from codetether_http import Codec, Grant, HttpConnection, Outgoing, Parser, quirks_from

from codetether_provider_copilot.asking import EDITOR
from codetether_provider_copilot.github import MODELS, GitHub, enterprise, of_github
from codetether_provider_copilot.token import SUBSCRIBE, SignInFailed, Token, Tokens, fetch, given_token

MakeCodec = Callable[[Provider], Codec]
_OTHER_FORMAT = "unsupported_api_for_model"
_AGAIN = "sign in again: codetether auth copilot{where}"
_INSTEAD = "a token of Copilot's own counts for some minutes; sign in instead: codetether auth copilot{where}"


class CopilotCodec:
    """Another's codec, with the headers that depend on the request."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._known: tuple[Message, ...] = ()
        self._shown = False

    def address(self, request: CompletionRequest) -> str:
        """The other's."""
        return self._codec.address(request)

    def headers(self, request: CompletionRequest) -> Mapping[str, str]:
        """Whether the user or the agent asks, which is what Copilot bills by, and whether there is something to see."""
        last = request.messages[-1] if request.messages else None
        asked_by = "user" if last is None or last.role == "user" else "agent"
        seen = {"copilot-vision-request": "true"} if self._shows(request.messages) else {}
        return {**self._codec.headers(request), "x-initiator": asked_by, **seen}

    def _shows(self, messages: tuple[Message, ...]) -> bool:
        """Whether there is an image; what was looked at for the last request is not looked at again."""
        count = len(self._known)
        goes_on = messages[:count] == self._known  # mostly the same objects, which cost nothing to compare
        new = messages[count:] if goes_on else messages
        self._shown = (goes_on and self._shown) or any(map(_shows, new))
        self._known = messages
        return self._shown

    def render(self, request: CompletionRequest) -> bytes:
        """The other's."""
        return self._codec.render(request)

    def parser(self) -> Parser:
        """The other's."""
        return self._codec.parser()


def _shows(message: Message) -> bool:
    for part in message.parts:
        if isinstance(part, ImagePart):
            return True
        if isinstance(part, ToolResultPart) and any(isinstance(shown, ImagePart) for shown in part.content):
            return True
    return False


class SignIns:
    """The tokens of each sign-in that this process uses, shared by wires and sessions."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, GitHub, str], Tokens] = {}

    def tokens(self, key: str, github: GitHub, name: str, source: str) -> Tokens:
        """Those of one sign-in."""
        which = (key, github, name)
        if which not in self._tokens:
            self._tokens[which] = Tokens(partial(fetch, key, github, source=source, name=name))
        return self._tokens[which]


@attrs.frozen(kw_only=True)
class Access:
    """How a provider's models are reached.

    Attributes:
        provider: with the base URL in force. tokens: None where the key is sent as it stands.
        own: the base URL is the user's choice, so no token changes it.
        remedy: for a call that is not let in all the same; empty where that is not Copilot's matter.
    """

    provider: Provider
    headers: Mapping[str, str] = attrs.field(repr=False)
    tokens: Tokens | None = None
    own: bool = False
    remedy: str = ""

    async def grant(self) -> tuple[Token | None, Grant]:
        """The token of a call, and what it lets through. Raises ProviderError."""
        if self.tokens is None:
            return None, Grant(headers={})
        token = await self.tokens.current()
        headers = {"authorization": f"Bearer {token.value}"}
        return token, Grant(
            headers=headers,
            base_url="" if self.own else token.base_url,
            secrets=(token.value, headers["authorization"]),
        )


def access(provider: Provider, sign_ins: SignIns) -> Access:
    """How the provider is reached with the key that it has. Raises UsageError for an enterprise's URL that is none."""
    secret = provider.secret
    key = ((secret.get("api_key") or secret.get("token") or "") if secret else "").strip()
    github = _github(provider)
    own = provider.base_url.rstrip("/") not in ("", MODELS)
    given = given_token(key)
    where = " --enterprise URL" if github else ""
    headers = {k: v for k, v in {**EDITOR, "openai-intent": "conversation-edits"}.items() if k not in _named(provider)}
    plain = not key or given is not None or (own and github is None and not of_github(provider.base_url))
    if plain:  # a token as it stands, or a gateway of the user's own
        if key:
            headers["authorization"] = f"Bearer {key}"
        base_url = provider.base_url if own or given is None else given.base_url or MODELS
        remedy = _INSTEAD.format(where=where) if given else ""
        return Access(provider=attrs.evolve(provider, base_url=base_url), headers=headers, own=True, remedy=remedy)
    github = github or GitHub()
    base_url = provider.base_url if own else github.models
    source = secret.source if secret else ""
    tokens = sign_ins.tokens(key, github, provider.name, source)
    moved, remedy = attrs.evolve(provider, base_url=base_url), _AGAIN.format(where=where)
    return Access(provider=moved, headers=headers, tokens=tokens, own=own, remedy=remedy)


def _github(provider: Provider) -> GitHub | None:
    """The enterprise's GitHub that settings, secret or environment name, in that order."""
    said = provider.options.get("enterprise_url")
    if not said and provider.secret is not None:
        said = provider.secret.get("enterprise_url")
    if not said and (variable := provider.options.get("enterprise_url_env")):
        said = os.environ.get(str(variable))
    return enterprise(str(said)) if said else None


def _named(provider: Provider) -> set[str]:
    return {name.lower() for name in provider.headers}


class CopilotConnection:
    """Asks with a token that counts, where the model answers.

    A token that is refused all the same is had anew, once a call. A model that is not offered in this format is asked
    in the other one from then on.

    Args:
        codecs: of the formats, the one to begin with first.
    """

    def __init__(self, reached: Access, codecs: Sequence[MakeCodec]) -> None:
        self._access = reached
        self._codecs = codecs
        self._token: Token | None = None
        self._lines = [self._opened()]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._lines:
            await line.__aexit__(kind, error, trace)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[StreamChunk, None]:
        """The answer in chunks. Raises ProviderError."""
        renewed = False
        while True:
            line, began = self._lines[-1], False
            try:
                async with aclosing(line.stream(request)) as chunks:
                    async for chunk in chunks:
                        began = True
                        yield chunk
                return
            except SignInFailed:
                raise
            except ProviderError as error:
                if began or not (self._switched(error, line) or (not renewed and self._renewed(error))):
                    raise self._explained(error) from None
                renewed = renewed or error.status == 401

    def _opened(self, which: int = 0) -> HttpConnection:
        reached = self._access
        codec = CopilotCodec(self._codecs[which](reached.provider))
        authorize = self._authorize if reached.tokens is not None else None
        return HttpConnection(reached.provider, codec, reached.headers, authorize=authorize)

    async def _authorize(self, outgoing: Outgoing) -> Grant:
        self._token, grant = await self._access.grant()
        return grant

    def _switched(self, error: ProviderError, line: HttpConnection) -> bool:
        """Whether the next call is made in a format that this model was not asked in yet."""
        if error.code != _OTHER_FORMAT:
            return False
        if line is self._lines[-1] and len(self._lines) < len(self._codecs):
            self._lines.append(self._opened(len(self._lines)))
        return line is not self._lines[-1]

    def _renewed(self, error: ProviderError) -> bool:
        """Whether the next call has another token."""
        tokens, token = self._access.tokens, self._token
        if tokens is None or token is None or not isinstance(error, AuthenticationFailed) or error.status != 401:
            return False
        tokens.refuse(token)
        return True

    def _explained(self, error: ProviderError) -> ProviderError:
        """The error with what can be done about it where that is Copilot's own matter."""
        if error.code == "model_not_supported":
            error.remedy = f"turn the model on for your account: {SUBSCRIBE}/features"
        elif error.status == 401 and self._access.remedy:
            error.remedy = self._access.remedy
        return error


class CopilotWire:
    """Makes connections to Copilot in the formats of other wires.

    Args:
        codecs: of those formats, the one to begin with first.
    """

    def __init__(self, codecs: Sequence[MakeCodec], sign_ins: SignIns) -> None:
        self._codecs = tuple(codecs)
        self._sign_ins = sign_ins

    async def connect(self, provider: Provider) -> CopilotConnection:
        """A connection with its own client. Raises UsageError, SettingsError for what cannot be connected to."""
        return CopilotConnection(access(provider, self._sign_ins), self._codecs)


def chat(provider: Provider) -> Codec:
    """Chat Completions."""
    from codetether_provider_openai.quirks import Quirks
    from codetether_provider_openai.wire import ChatCodec

    codec: Any = ChatCodec(provider.name, quirks_from(provider, Quirks))
    return codec  # type: ignore[no-any-return]


def responses(provider: Provider) -> Codec:
    """Responses. Copilot gives an item another id in each event, so none goes back."""
    from codetether_provider_responses.quirks import Quirks
    from codetether_provider_responses.wire import ResponsesCodec

    own = attrs.evolve(provider, options={"echo_ids": False, **provider.options})
    codec: Any = ResponsesCodec(provider.name, quirks_from(own, Quirks))
    return codec  # type: ignore[no-any-return]


CODECS: Mapping[str, MakeCodec] = {"copilot-chat": chat, "copilot-responses": responses}
