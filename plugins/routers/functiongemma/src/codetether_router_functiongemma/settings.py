"""The settings of the plugin functiongemma: `[plugins.functiongemma]`."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen, validators

FUNCTIONGEMMA, CHAT = "functiongemma", "chat"
"""Values of `arch` that name the format in which the model is asked."""


def _setting(default: Any, name: str, *checks: Any) -> Any:
    return field(default=default, metadata={"env": f"CODETETHER_{name}"}, validator=checks or None)


@frozen(kw_only=True)
class FunctionGemmaSettings:
    """The model, and how it is asked. The router is off unless `enabled` is true and `model_path` names a model.

    Attributes:
        disabled: it is off, whatever else is said.
        model_path: the GGUF file.
        tokenizer_path: taken and not used, since a GGUF file holds its own tokenizer.
        arch: `functiongemma` or `chat` names the format in which the model is asked; with anything else (`auto`, or a
            name like `gemma3`) the file decides.
        device: `cpu`, or `auto` for what llama.cpp finds; any other name (`cuda`, `metal`) is like `auto`.
        max_tokens: of one answer of the model.
        temperature: 0 takes the likeliest token each time.
        timeout: seconds that one response may take, with loading the model; after that it stays as it is.
        context: tokens of context.
        threads: by default one less than the machine has cores, since a busy core stalls all threads.
    """

    enabled: bool = _setting(False, "TOOL_ROUTER_ENABLED")
    disabled: bool = _setting(False, "FUNCTIONGEMMA_DISABLED")
    model_path: str = _setting("", "TOOL_ROUTER_MODEL_PATH")
    tokenizer_path: str = _setting("", "TOOL_ROUTER_TOKENIZER_PATH")
    arch: str = _setting("auto", "TOOL_ROUTER_ARCH")
    device: str = _setting("auto", "TOOL_ROUTER_DEVICE")
    max_tokens: int = _setting(256, "TOOL_ROUTER_MAX_TOKENS", validators.ge(1))
    temperature: float = _setting(0.0, "TOOL_ROUTER_TEMPERATURE", validators.ge(0), validators.le(2))
    timeout: float = field(default=10.0, validator=validators.gt(0))
    context: int = field(default=4096, validator=validators.ge(512))
    threads: int | None = field(default=None, validator=validators.optional(validators.ge(1)))

    @property
    def active(self) -> bool:
        """Whether there is anything to do."""
        return self.enabled and not self.disabled and bool(self.model_path)
