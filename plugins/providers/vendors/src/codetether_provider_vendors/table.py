"""The vendors that speak openai-chat and differ by data alone: a row each, with what a page about it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen
from codetether import LAST


@frozen(kw_only=True)
class Vendor:
    """One vendor.

    Attributes:
        title: its name as it writes it.
        base_url: where its chat completions live, without `/chat/completions`.
        env: variables that may hold the key, the usual one first.
        base_url_env, form: as in ProviderSpec.
        quirks: what openai-chat must know of it.
        example: a model for its page, where it has no default. keys: where a user gets a key.
        notes: what a user should know, for its page.
    """

    name: str
    title: str
    base_url: str
    env: tuple[str, ...] = ()
    default_model: str | None = None
    aliases: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    form: Callable[[str, str], str] | None = None
    quirks: Mapping[str, Any] = field(factory=dict)
    place: int = 500
    keyless: bool = False
    example: str = ""
    keys: str = ""
    notes: str = ""


def with_path(path: str, port: int | None = None) -> Callable[[str, str], str]:
    """A form for variables that hold a host, or a URL up to it: the path (and the port) are added where missing."""

    def form(name: str, value: str) -> str:
        from urllib.parse import urlsplit

        url = urlsplit(value if "//" in value else f"http://{value}")
        host = url.hostname or ""
        host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # where a server listens, not where it is
        place = f"[{host}]" if ":" in host else host
        number = url.port or (None if "//" in value else port)
        return f"{url.scheme}://{place}{f':{number}' if number else ''}{url.path.rstrip('/') or path}"

    return form


def azure_url(name: str, value: str) -> str:
    """The base URL of an Azure resource, by its name or its endpoint."""
    if name == "AZURE_RESOURCE_NAME":
        return f"https://{value}.openai.azure.com/openai/v1"
    return with_path("/openai/v1")(name, value if "//" in value else f"https://{value}")


NEWER = {"max_tokens_field": "max_completion_tokens"}

VENDORS: tuple[Vendor, ...] = (
    Vendor(
        name="zai",
        title="Z.AI",
        base_url="https://api.z.ai/api/paas/v4",
        env=("ZAI_API_KEY", "ZHIPU_API_KEY", "ZHIPUAI_API_KEY"),
        default_model="glm-5",
        aliases=("zhipuai",),
        base_url_env=("ZAI_BASE_URL",),
        keys="https://z.ai/manage-apikey/apikey-list",
        notes="A key of the coding plan has an address of its own: "
        "`ZAI_BASE_URL=https://api.z.ai/api/coding/paas/v4`; one of the platform in China: "
        "`https://open.bigmodel.cn/api/paas/v4`. GLM-4.5 and later think by default; `options.extra_body = { "
        'thinking = { type = "disabled" } }` turns that off. Their thoughts are sent back as they came.',
    ),
    Vendor(
        name="moonshotai",
        title="Moonshot AI (Kimi)",
        base_url="https://api.moonshot.ai/v1",
        env=("MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY"),
        default_model="kimi-k2.5",
        aliases=("kimi", "moonshot"),
        base_url_env=("MOONSHOT_BASE_URL",),
        keys="https://platform.moonshot.ai/console/api-keys",
        notes="Kimi K2.5 and later take no temperature but 1: a temperature in the settings is not sent to them. "
        "While they think they refuse a forced `tool_choice`, and their thoughts must go back with their tool"
        " calls, which they do. A key of the platform in China: "
        "`MOONSHOT_BASE_URL=https://api.moonshot.cn/v1`.",
    ),
    Vendor(
        name="openrouter",
        title="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        env=("OPENROUTER_API_KEY",),
        default_model="z-ai/glm-5",
        base_url_env=("OPENROUTER_BASE_URL",),
        quirks={"headers": {"x-title": "codetether"}},
        keys="https://openrouter.ai/settings/keys",
        notes="Model ids have a slash of their own: `-m openrouter/anthropic/claude-sonnet-4.5`. The cost that it "
        "reports counts before any price list. `reasoning_details` go back unchanged and in order. Which "
        'upstream may answer: `options.extra_body = { provider = { order = ["…"] } }`. A model without tools '
        "answers 404.",
    ),
    Vendor(
        name="novita",
        title="Novita AI",
        base_url="https://api.novita.ai/openai/v1",
        env=("NOVITA_API_KEY",),
        default_model="qwen/qwen3-coder-next",
        aliases=("novita-ai",),
        base_url_env=("NOVITA_BASE_URL",),
        keys="https://novita.ai/settings/key-management",
        notes="Model ids have a slash of their own: `-m novita/deepseek/deepseek-v3.2`.",
    ),
    Vendor(
        name="stepfun",
        title="StepFun",
        base_url="https://api.stepfun.com/v1",
        env=("STEPFUN_API_KEY", "STEP_API_KEY"),
        base_url_env=("STEPFUN_BASE_URL",),
        example="step-3.5-flash",
        keys="https://platform.stepfun.com",
        notes="A key of the international platform: `STEPFUN_BASE_URL=https://api.stepfun.ai/v1`.",
    ),
    Vendor(
        name="cerebras",
        title="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        env=("CEREBRAS_API_KEY",),
        base_url_env=("CEREBRAS_BASE_URL",),
        form=with_path("/v1"),
        quirks=NEWER,
        example="gpt-oss-120b",
        keys="https://cloud.cerebras.ai",
        notes="The limit of an answer is sent as `max_completion_tokens`, the name that its documentation gives.",
    ),
    Vendor(
        name="deepseek",
        title="DeepSeek",
        base_url="https://api.deepseek.com",
        env=("DEEPSEEK_API_KEY",),
        base_url_env=("DEEPSEEK_BASE_URL",),
        example="deepseek-chat",
        keys="https://platform.deepseek.com/api_keys",
        notes="`reasoning_content` goes back with the turns that it belongs to. Images are refused, and a thinking "
        "model refuses a forced `tool_choice`.",
    ),
    Vendor(
        name="groq",
        title="Groq",
        base_url="https://api.groq.com/openai/v1",
        env=("GROQ_API_KEY",),
        base_url_env=("GROQ_BASE_URL",),
        form=with_path("/openai/v1"),
        quirks=NEWER,
        example="openai/gpt-oss-120b",
        keys="https://console.groq.com/keys",
        notes="A tool call that the model spelled wrong is an error of the whole answer (`tool_use_failed`), with "
        "what it wrote.",
    ),
    Vendor(
        name="togetherai",
        title="Together AI",
        base_url="https://api.together.xyz/v1",
        env=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_API_KEY"),
        aliases=("together", "together-ai"),
        base_url_env=("TOGETHER_BASE_URL",),
        example="openai/gpt-oss-120b",
        keys="https://api.together.ai/settings/api-keys",
    ),
    Vendor(
        name="fireworks-ai",
        title="Fireworks AI",
        base_url="https://api.fireworks.ai/inference/v1",
        env=("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
        aliases=("fireworks",),
        base_url_env=("FIREWORKS_BASE_URL",),
        example="accounts/fireworks/models/gpt-oss-120b",
        keys="https://app.fireworks.ai/settings/users/api-keys",
        notes="Model ids are long: `-m fireworks-ai/accounts/fireworks/models/…`.",
    ),
    Vendor(
        name="mistral",
        title="Mistral AI",
        base_url="https://api.mistral.ai/v1",
        env=("MISTRAL_API_KEY",),
        base_url_env=("MISTRAL_BASE_URL",),
        quirks={"stream_usage": False, "short_tool_ids": True, "seed_field": "random_seed"},
        example="mistral-medium-latest",
        keys="https://console.mistral.ai/api-keys",
        notes="Ids of tool calls have 9 letters and digits here; those of a history that another provider began are"
        " replaced by such while they are sent. Usage comes unasked, so `stream_options` is not sent.",
    ),
    Vendor(
        name="nvidia",
        title="NVIDIA NIM",
        base_url="https://integrate.api.nvidia.com/v1",
        env=("NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"),
        base_url_env=("NVIDIA_BASE_URL", "NIM_BASE_URL"),
        example="openai/gpt-oss-120b",
        keys="https://build.nvidia.com/settings/api-keys",
        notes="Model ids have a slash of their own: `-m nvidia/nvidia/llama-3.3-nemotron-super-49b-v1`. A NIM of "
        "your own: `NIM_BASE_URL=http://127.0.0.1:8000/v1`, which needs no key.",
    ),
    Vendor(
        name="alibaba",
        title="Alibaba Cloud Model Studio (Qwen)",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        env=("DASHSCOPE_API_KEY",),
        aliases=("dashscope",),
        base_url_env=("DASHSCOPE_BASE_URL",),
        example="qwen3-coder-plus",
        keys="https://modelstudio.console.alibabacloud.com",
        notes="`qwen` is no alias on purpose: `qwen/…` is what gateways call its models. A key of the region in "
        "China: `DASHSCOPE_BASE_URL=https://dashscope.aliyuncs.com/compatible-mode/v1`. Thinking of a hybrid "
        "model: `options.extra_body = { enable_thinking = true }`.",
    ),
    Vendor(
        name="azure",
        title="Azure OpenAI and AI Foundry",
        base_url="",
        env=("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
        aliases=("azure-openai",),
        base_url_env=("AZURE_OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "AZURE_RESOURCE_NAME"),
        form=azure_url,
        quirks={**NEWER, "key_header": "api-key"},
        example="gpt-5.4",
        keys="https://ai.azure.com",
        notes="It needs the resource beside the key: `AZURE_RESOURCE_NAME=my-resource`, or its endpoint in "
        "`AZURE_OPENAI_ENDPOINT`, or a `base_url`. The model is the name of your deployment; what the "
        "catalogue knows of it goes by that name, so name it after the model. The API is the one without "
        "versions (`/openai/v1`); keys only, no Entra ID. The older names with `api-version` are not "
        "supported.",
    ),
    Vendor(
        name="xai",
        title="xAI",
        base_url="https://api.x.ai/v1",
        env=("XAI_API_KEY",),
        aliases=("grok",),
        base_url_env=("XAI_BASE_URL",),
        quirks={**NEWER, "reasoning_apart": True},
        example="grok-4.3",
        keys="https://console.x.ai",
        notes="It counts reasoning beside the answer's tokens; we add the two up, as everywhere else.",
    ),
    Vendor(
        name="ollama",
        title="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        env=("OLLAMA_API_KEY",),
        base_url_env=("OLLAMA_HOST", "OLLAMA_BASE_URL"),
        form=with_path("/v1", 11434),
        place=LAST + 50,
        keyless=True,
        example="qwen3-coder",
        keys="",
        notes="No key is needed. It is taken only when it is named, since nobody knows whether it runs: `-m "
        'ollama/qwen3-coder`, or `[providers.ollama] default_model = "…"`. `OLLAMA_HOST` is read as Ollama '
        "itself reads it. Give the model room: Ollama's own `num_ctx` is small, and cuts a long history "
        "without a word (`OLLAMA_CONTEXT_LENGTH`).",
    ),
)
