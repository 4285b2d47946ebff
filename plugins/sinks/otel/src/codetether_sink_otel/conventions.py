"""The words of the GenAI semantic conventions that are used here, as they were in November 2026.

Source: the repository open-telemetry/semantic-conventions-genai (status: development).
"""

from __future__ import annotations

from itertools import takewhile

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE = "gen_ai.usage.cache_creation.input_tokens"
REASONING = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE = "gen_ai.token.type"
CONVERSATION = "gen_ai.conversation.id"
AGENT = "gen_ai.agent.name"
TOOL = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
CALL_ID = "gen_ai.tool.call.id"
CALL_ARGUMENTS = "gen_ai.tool.call.arguments"
CALL_RESULT = "gen_ai.tool.call.result"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
ERROR = "error.type"


def _doubling(first: float, last: float) -> tuple[float, ...]:
    return tuple(takewhile(lambda bound: bound <= last, (round(first * 2**n, 2) for n in range(64))))


TOKEN_BUCKETS = tuple(float(4**n) for n in range(14))
SECONDS_BUCKETS = _doubling(0.01, 81.92)
AGENT_BUCKETS = _doubling(0.1, 409.6)
COUNT_BUCKETS = _doubling(1, 128)

METRICS: tuple[tuple[str, str, tuple[float, ...], str], ...] = (
    ("gen_ai.client.token.usage", "{token}", TOKEN_BUCKETS, "Number of input and output tokens used."),
    ("gen_ai.client.operation.duration", "s", SECONDS_BUCKETS, "GenAI operation duration."),
    (
        "gen_ai.client.operation.time_to_first_chunk",
        "s",
        SECONDS_BUCKETS,
        "Time from the request to the first chunk of the response.",
    ),
    ("gen_ai.invoke_agent.duration", "s", AGENT_BUCKETS, "Duration of one invocation of an agent."),
    (
        "gen_ai.invoke_agent.inference_calls",
        "{inference_call}",
        COUNT_BUCKETS,
        "Requests to models in one invocation of an agent, failed ones too.",
    ),
    (
        "gen_ai.invoke_agent.tool_calls",
        "{tool_call}",
        COUNT_BUCKETS,
        "Tool calls in one invocation of an agent, failed ones too.",
    ),
    ("gen_ai.execute_tool.duration", "s", SECONDS_BUCKETS, "Duration of one tool call."),
)
"""Histograms: name, unit, bounds of the buckets, description."""

PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "gemini": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "moonshotai": "moonshot_ai",
    "moonshot": "moonshot_ai",
    "xai": "x_ai",
}
"""Our names of providers -> the conventions' well-known values; all others go by their own name."""


def provider_name(ours: str) -> str:
    """The conventions' name of a provider."""
    return PROVIDERS.get(ours, ours)
