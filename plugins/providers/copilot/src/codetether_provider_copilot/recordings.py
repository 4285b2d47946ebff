"""How recorded traffic with Copilot is asked again: its wires, its sign-in, its list of models."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from codetether import Provider, Secret
from codetether.testing.recording import Recording
from codetether_provider_openai.recordings import ChatDialect
from codetether_provider_responses.recordings import ResponsesDialect

from codetether_provider_copilot.device import DeviceCode, DeviceFlow
from codetether_provider_copilot.github import GitHub
from codetether_provider_copilot.models import account_models
from codetether_provider_copilot.token import fetch

_KEY = "gho_recording0123456789"


class CopilotChatDialect(ChatDialect):
    """Chat Completions, on Copilot's own wire."""

    wire = "copilot-chat"


class CopilotResponsesDialect(ResponsesDialect):
    """Responses, on Copilot's own wire."""

    wire = "copilot-responses"


class SignInExchange:
    """Signing in: a code, what came of it, a token."""

    async def exchange(self, recording: Recording, base_url: str) -> None:
        """Asks what the recorded address tells. Raises ProviderError."""
        github = GitHub(url=base_url)
        if urlsplit(recording.url).path.endswith("/copilot_internal/v2/token"):
            await fetch(_KEY, github)
            return
        body = recording.body if isinstance(recording.body, Mapping) else {}
        async with DeviceFlow(github, str(body.get("client_id") or "CLIENT_ID")) as flow:
            if "device_code" in body:
                code = DeviceCode(device_code=str(body["device_code"]), user_code="", verification_uri="")
                await flow.token(code)
            else:
                await flow.code()


class ModelsExchange:
    """The list of an account's models."""

    async def exchange(self, recording: Recording, base_url: str) -> None:
        """Asks for the list. Raises ProviderError."""
        secret = Secret(values={"api_key": _KEY}, source="recordings")
        await account_models(Provider(name=recording.provider, wire="copilot-chat", base_url=base_url, secret=secret))


chat = CopilotChatDialect()
responses = CopilotResponsesDialect()
sign_in = SignInExchange()
models = ModelsExchange()
