"""The one table of formats: what stands around a call, where its name stands, and how its arguments are written."""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

Wrapper = Literal["marks", "element", "fence", "label", "line", "nothing"]
Header = Literal["key", "attribute", "tag", "child", "word", "prefix", "callee"]
Body = Literal["json", "marked", "tags", "python", "text"]


@frozen(kw_only=True)
class Row:
    """A shape that calls have.

    Attributes:
        wrapper: `marks`: special tokens or tags of any name, `element`: tags that name the tool, `fence`: a code
            fence, `label`: `Action:` and the like, `line`: the beginning of a line, `nothing`.
        header: where the name stands: under a `key` of the JSON, in an `attribute` or as the value of a tag, as the
            `tag` itself, in a `child` element, as a bare `word`, after the `prefix` `call:`, as Python's `callee`.
        body: how the arguments are written. `json` and `python` know each other's words where that is lenient,
            `marked` is JSON-like with bare keys and strings between tokens, `tags` takes a JSON object as well.
        looks: what the text looks like where the header begins.
        example: a call of `f` with the argument `a` = 1 or "1", as it stands in a text.
        used_by: who writes so.
    """

    wrapper: Wrapper
    header: Header
    body: Body
    looks: re.Pattern[str]
    example: str
    used_by: str


OBJECT = re.compile(r"[{\[]")
BRACKET = re.compile(r"\[")
NAME = re.compile(r"[\w.:]")
LABELLED = re.compile(r"[\w.`*\[]")
TAGGED = re.compile(r"[<\]]")
FENCED = re.compile(r"[`~]")

ROWS = (
    Row(
        wrapper="marks",
        header="key",
        body="json",
        looks=OBJECT,
        example='<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>',
        used_by="Hermes, Qwen, Granite, Mistral, Llama, InternLM, Jamba, Hunyuan, xLAM, Cohere, LM Studio",
    ),
    Row(
        wrapper="marks",
        header="callee",
        body="python",
        looks=NAME,
        example="<function_calls>f(a=1)</function_calls>",
        used_by="OLMo 3, MiniCPM 3",
    ),
    Row(
        wrapper="marks",
        header="callee",
        body="python",
        looks=BRACKET,
        example="<|tool_call_start|>[f(a=1)]<|tool_call_end|>",
        used_by="LFM2, Llama 4",
    ),
    Row(
        wrapper="marks",
        header="prefix",
        body="marked",
        looks=NAME,
        example="<start_function_call>call:f{a:1}<end_function_call>",
        used_by="Gemma 4, FunctionGemma",
    ),
    Row(
        wrapper="marks",
        header="word",
        body="json",
        looks=NAME,
        example='<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"a": 1}<|tool_call_end|>',
        used_by="DeepSeek V3, Kimi K2, Harmony, Mistral v11, Solar, StepFun",
    ),
    Row(
        wrapper="marks",
        header="word",
        body="tags",
        looks=NAME,
        example="<tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value></tool_call>",
        used_by="GLM 4.5 to 5, Hunyuan v3, Ling 3, K2 Horizon",
    ),
    Row(
        wrapper="marks",
        header="key",
        body="json",
        looks=FENCED,
        example='<|tool_call_start|>\n```json\n{"name": "f", "arguments": {"a": 1}}\n```\n<|tool_call_end|>',
        used_by="MiniCPM 3 and many small models",
    ),
    Row(
        wrapper="element",
        header="attribute",
        body="tags",
        looks=TAGGED,
        example="<function=f><parameter=a>1</parameter></function>",
        used_by="Qwen3-Coder, Seed-OSS, Claude, MiniMax, DeepSeek V3.2, Functionary, MiniCPM 5, Kimi K3, Muse",
    ),
    Row(
        wrapper="element",
        header="tag",
        body="tags",
        looks=TAGGED,
        example="<f><a>1</a></f>",
        used_by="Cline, Roo Code",
    ),
    Row(
        wrapper="element",
        header="child",
        body="tags",
        looks=TAGGED,
        example="<tool>f</tool><tool_input>1</tool_input>",
        used_by="LangChain",
    ),
    Row(
        wrapper="fence",
        header="key",
        body="json",
        looks=OBJECT,
        example='```json\n{"name": "f", "arguments": {"a": 1}}\n```',
        used_by="Qwen2.5-Coder, Gemma, many small models",
    ),
    Row(
        wrapper="fence",
        header="callee",
        body="python",
        looks=NAME,
        example="```tool_code\nf(a=1)\n```",
        used_by="Gemma 3",
    ),
    Row(
        wrapper="label",
        header="key",
        body="json",
        looks=OBJECT,
        example='Action:\n{"name": "f", "arguments": {"a": 1}}',
        used_by="smolagents, LangChain",
    ),
    Row(
        wrapper="label",
        header="word",
        body="text",
        looks=LABELLED,
        example="Action: f\nAction Input: 1",
        used_by="ReAct, Qwen-Agent",
    ),
    Row(
        wrapper="line",
        header="word",
        body="json",
        looks=NAME,
        example='f\n{"a": 1}',
        used_by="Functionary v3.2",
    ),
    Row(
        wrapper="line",
        header="word",
        body="text",
        looks=NAME,
        example=">>>f\n1",
        used_by="Functionary v3.2, for code",
    ),
    Row(
        wrapper="nothing",
        header="key",
        body="json",
        looks=OBJECT,
        example='{"name": "f", "parameters": {"a": 1}}',
        used_by="Llama 3, any model",
    ),
    Row(
        wrapper="nothing",
        header="callee",
        body="python",
        looks=BRACKET,
        example="[f(a=1)]",
        used_by="Llama 4, ToolACE, the prompts of BFCL",
    ),
)
