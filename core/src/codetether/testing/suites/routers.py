"""What tool-call routers keep."""

from __future__ import annotations

import json
from typing import Any

from codetether.models.completion import CompletionResponse
from codetether.models.messages import Message, TextPart, ToolCallPart
from codetether.models.tools import ToolDefinition
from codetether.testing.promises import BrokenPromise, promises, require, within
from codetether.testing.trial import Trial

READ = ToolDefinition(
    name="read",
    description="Reads a file.",
    schema={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
PROSE = (
    "The file is fine.",
    "Use `read` to look at it:\n\n```python\nprint({'name': 'read'})\n```\nand then go on.",
    "<b>Not markup</b> of mine: 1 < 2 > 0, {curly}, [square].\n\n",
    "{}",
    "grüße 日本 \U0001f600",
)
ODD = (
    "",
    "{" * 5000,
    "<tool_call>" * 50,
    '<tool_call>{"name": "read", "arguments": ',
    '```tool\n{"name": null}\n```',
    "```tool\n[1, 2]\n```",
    '```json\n{"name": 5, "arguments": "x"}\n```',
    "<function=read><parameter=path>",
    "[TOOL_CALLS][{}]",
    "<|tool_call_begin|>functions.read:0<|tool_call_argument_begin|>{<|tool_call_end|>",
    "\0\ud800\u2028",
    "<invoke name='read'>" + "x" * 300_000,
)
STRANGE = {"name": "delete_everything", "arguments": {"path": "/"}}
FORMS = (
    "<tool_call>\n{}\n</tool_call>",
    "```tool\n{}\n```",
    "```json\n{}\n```",
    "```tool_call\n{}\n```",
    "[TOOL_CALLS][{}]",
    "<function_call>{}</function_call>",
    "{}",
)


def response(text: str, *calls: ToolCallPart) -> CompletionResponse:
    """An answer of this text."""
    parts = (*((TextPart(text=text),) if text else ()), *calls)
    return CompletionResponse(message=Message(role="assistant", parts=parts), finish_reason="stop")


async def reformatted(router: Any, given: CompletionResponse, *offered: ToolDefinition) -> CompletionResponse:
    """What the router makes of it, in five seconds."""
    text = given.message.text
    try:
        made = await within(5, router.reformat(given, offered))
    except Exception as error:
        raise BrokenPromise(
            f"reformat() raised {type(error).__name__} for {text[:80]!r}: {str(error)[:200]}"
        ) from error
    require(isinstance(made, CompletionResponse), f"reformat() gave {type(made).__name__} for {text[:80]!r}")
    good: CompletionResponse = made
    return good


async def plain_text_passes_untouched(trial: Trial) -> None:
    """A response that describes no call is given back as the very same object."""
    router = await trial.make()
    for text in PROSE:
        given = response(text)
        require(
            await reformatted(router, given, READ) is given, f"{text!r} holds no call, and came back as another object"
        )


async def structured_calls_are_left_alone(trial: Trial) -> None:
    """A response that has structured calls is given back as the very same object."""
    router = await trial.make()
    call = ToolCallPart(id="call-1", name="read", arguments='{"path": "a"}')
    for text in ("", *PROSE, FORMS[0].replace("{}", json.dumps({"name": "read", "arguments": {"path": "b"}}))):
        given = response(text, call)
        require(
            await reformatted(router, given, READ) is given,
            f"a response with a call of its own was changed: {text[:80]!r}",
        )


async def odd_text_raises_nothing(trial: Trial) -> None:
    """Unbalanced, cut and huge markup gives a response within five seconds, and raises nothing."""
    router = await trial.make()
    for text in ODD:
        await reformatted(router, response(text), READ)


async def only_offered_tools_are_called(trial: Trial) -> None:
    """No call of a tool that was not offered is made, in whatever form it is described."""
    router = await trial.make()
    for form in FORMS:
        text = form.replace("{}", json.dumps(STRANGE))
        made = await reformatted(router, response(text), READ)
        names = [call.name for call in made.tool_calls if call.name != "read"]
        require(not names, f"{text!r} became a call of {', '.join(names)}, which was not offered")


async def calls_have_an_object_for_arguments(trial: Trial) -> None:
    """Each call that it makes was written: the arguments are the JSON text of that very object."""
    router = await trial.make()
    for form in FORMS:
        for arguments in ({"path": 'a "b"\n日本'}, {}):
            text = form.replace("{}", json.dumps({"name": "read", "arguments": arguments}))
            calls = (await reformatted(router, response(text), READ)).tool_calls
            require(len(calls) <= 1, f"{text!r} describes one call, and became {len(calls)}")
            for call in calls:
                try:
                    read = json.loads(call.arguments)
                except (ValueError, TypeError):
                    read = None
                told = f"{text!r} became a call with the arguments {call.arguments!r}"
                require(isinstance(read, dict), f"{told}, no JSON object")
                require(read == arguments, f"{told}, which nobody wrote")


async def the_screen_loses_no_text(trial: Trial) -> None:
    """What the scanner lets through of a text without calls is the text, in whatever pieces it comes."""
    router = await trial.make()
    scanner_of = getattr(router, "scanner", None)
    for text in PROSE:
        for size in (1, 7, len(text)):
            scanner = scanner_of((READ,), False) if scanner_of else None
            if scanner is None:
                continue
            pieces = [text[i : i + size] for i in range(0, len(text), size)]
            shown = "".join(scanner.feed(piece) for piece in pieces) + scanner.finish()
            require(shown == text, f"of {text!r}, in pieces of {size}, the screen shows {shown!r}")


PROMISES = promises(
    "tool_call_routers",
    plain_text_passes_untouched,
    structured_calls_are_left_alone,
    odd_text_raises_nothing,
    only_offered_tools_are_called,
    calls_have_an_object_for_arguments,
    the_screen_loses_no_text,
)
