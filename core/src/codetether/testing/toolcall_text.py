"""Judges tool-call routers by texts with and without calls: `python -m codetether.testing.toolcall_text FILE.jsonl`.

A case is a line of JSON: `id`, `format`, `tools` (`name`, `description`, `parameters`), `text`, `tags`, and `expect`
with `calls` (`name`, `arguments`) and `content`, the text that is left over. Calls must be the same in number, order,
name and arguments: types count, except that 1 equals 1.0. A text without calls must come back as it is. A case tagged
`lenient` breaks its own format: to read its calls is right, to leave it as it is as well, and only other calls are
wrong. These are reported apart. Tagged `strip_newlines`, texts may differ in white space around them; the content of
one that is tagged `content_unchecked` is not compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import click
import orjson
from attrs import frozen

from codetether.errors import UsageError
from codetether.models.completion import CompletionResponse
from codetether.models.messages import Message, TextPart
from codetether.models.record import JSON
from codetether.models.tools import ToolDefinition
from codetether.plugins.boundary import reason_of
from codetether.record.redact import Redactor
from codetether.session.routing import Routing
from codetether.testing.differences import differences
from codetether.testing.subjects import Subject, installed_subjects
from codetether.testing.trial import on_trial

KIND = "tool_call_routers"
Expected = Literal["calls", "no_calls", "lenient"]
Router = tuple[str, Any]


@frozen(kw_only=True)
class Case:
    """One text, with the tools that are offered and what a router should make of it."""

    id: str
    format: str
    text: str
    tools: tuple[ToolDefinition, ...]
    calls: Sequence[Mapping[str, JSON]]
    content: str | None
    tags: frozenset[str]

    @property
    def expected(self) -> Expected:
        """What kind of case it is."""
        if "lenient" in self.tags:
            return "lenient"
        return "calls" if self.calls else "no_calls"


@frozen(kw_only=True)
class Verdict:
    """How one case fared.

    Attributes:
        why: the differences; none where it passed.
        read: the calls that were expected were read.
        content: whether the text that is left is the expected one; None where that is not compared.
    """

    case: Case
    why: tuple[str, ...] = ()
    read: bool = False
    content: bool | None = None


def read(file: Path) -> list[Case]:
    """The cases of a file. Raises UsageError, with the line, for one that is none."""
    cases = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            cases.append(_case(orjson.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{file}, line {number}: no case: {reason_of(error)}") from error
    return cases


def _case(made: Mapping[str, Any]) -> Case:
    tools = (
        ToolDefinition(name=tool["name"], description=tool.get("description") or "", schema=tool["parameters"])
        for tool in made["tools"]
    )
    return Case(
        id=made["id"],
        format=made.get("format", ""),
        text=made["text"],
        tools=tuple(tools),
        calls=[{"name": call["name"], "arguments": call["arguments"]} for call in made["expect"]["calls"]],
        content=made["expect"].get("content"),
        tags=frozenset(made.get("tags", ())),
    )


async def judge(cases: Iterable[Case], routers: Sequence[Router]) -> list[Verdict]:
    """Each case through the routers, in the order in which a session asks them."""
    return [await _judge(case, routers) for case in cases]


async def _judge(case: Case, routers: Sequence[Router]) -> Verdict:
    raised: list[str] = []
    routing = Routing(
        routers=routers,
        tools=case.tools,
        native_calls=True,
        failed=lambda plugin, hook, error: raised.append(f"{plugin} raised {reason_of(error)}"),
        redactor=Redactor(),
    )
    message = Message(role="assistant", parts=(TextPart(text=case.text),))
    given = CompletionResponse(message=message, finish_reason="stop")
    made = await routing.reformat(given)
    if raised:
        return Verdict(case=case, why=tuple(raised))
    if made == given:
        why = () if case.expected != "calls" else ("no call was read",)
        return Verdict(case=case, why=why)
    problems = _calls(case, made)
    if not problems and case.calls and "content_unchecked" not in case.tags:
        same = _words(made.message.text) == _words(case.content or "")
        return Verdict(case=case, read=True, content=same)
    return Verdict(case=case, why=tuple(problems), read=not problems)


def _calls(case: Case, made: CompletionResponse) -> list[str]:
    found = []
    for call in made.tool_calls:
        try:
            arguments = orjson.loads(call.arguments)
        except orjson.JSONDecodeError:
            return [f"the arguments of {call.name} are no JSON: {call.arguments[:80]!r}"]
        found.append({"name": call.name, "arguments": arguments})
    if not case.calls:
        return [f"took for calls what is none: {orjson.dumps(found)[:300].decode(errors='replace')}"]
    wanted = list(case.calls)
    if "strip_newlines" in case.tags:
        found, wanted = _stripped(found), _stripped(wanted)
    if _same(wanted, found):
        return []
    return differences(wanted, found, "calls") or [f"calls: {wanted!r} expected, got {found!r}"]


def _same(wanted: Any, found: Any) -> bool:
    """Whether two JSON values are equal, where `true` is not 1."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(_same(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_same, wanted, found))
    return isinstance(wanted, bool) == isinstance(found, bool) and bool(wanted == found)


def _stripped(value: Any) -> Any:
    """The same with no white space around any text."""
    match value:
        case str():
            return value.strip()
        case list():
            return [_stripped(item) for item in value]
        case dict():
            return {key: _stripped(item) for key, item in value.items()}
    return value


def _words(text: str) -> list[str]:
    return text.split()


def table(verdicts: Sequence[Verdict]) -> str:
    """A line for each format: calls that were read right, texts that were left as they are, and the lenient ones."""
    formats = sorted({v.case.format for v in verdicts})
    width = max([6, *map(len, formats)])
    rows = [f"{'format':{width}}  {'calls':>9}  {'no calls':>9}  {'lenient':>9}"]
    for name in [*formats, ""]:
        own = [v for v in verdicts if not name or v.case.format == name]
        cells = [_cell(own, "calls"), _cell(own, "no_calls"), _cell(own, "lenient")]
        rows.append(f"{name or 'all':{width}}  " + "  ".join(f"{cell:>9}" for cell in cells))
    return "\n".join(rows)


def _cell(verdicts: Sequence[Verdict], expected: Expected) -> str:
    count = _count(verdicts, expected)
    return f"{count['right']}/{count['of']}" if count["of"] else "-"


def _count(verdicts: Sequence[Verdict], expected: Expected) -> dict[str, int]:
    own = [v for v in verdicts if v.case.expected == expected]
    return {"right": sum(not v.why for v in own), "of": len(own)}


def summary(verdicts: Sequence[Verdict]) -> dict[str, JSON]:
    """`{"calls": {"right", "of"}, "no_calls": {"right", "of"}, "failed": [ids]}`; lenient cases count in neither."""
    failed = [v.case.id for v in verdicts if v.why]
    return {"calls": _count(verdicts, "calls"), "no_calls": _count(verdicts, "no_calls"), "failed": failed}


def report(verdicts: Sequence[Verdict]) -> Iterable[str]:
    """The table, what is said of lenient cases and of content, and the differences."""
    yield table(verdicts)
    headings: tuple[tuple[Expected, str], ...] = (("calls", "calls right"), ("no_calls", "texts left as they are"))
    for expected, words in headings:
        count = _count(verdicts, expected)
        if count["of"]:
            yield f"{words}: {count['right']} of {count['of']} ({count['right'] / count['of']:.1%})"
    lenient = [v for v in verdicts if v.case.expected == "lenient"]
    if lenient:
        wrong = sum(bool(v.why) for v in lenient)
        done = sum(v.read for v in lenient)
        yield f"lenient: {done} of {len(lenient)} read, {len(lenient) - done - wrong} left as they are, {wrong} wrong"
    compared = [v for v in verdicts if v.content is not None]
    if compared:
        yield f"content: {sum(bool(v.content) for v in compared)} of {len(compared)} that are compared are the same"
    for verdict in verdicts:
        yield from (f"{verdict.case.id}: {why}" for why in verdict.why)


async def judged(cases: Sequence[Case], router: str | None = None) -> list[Verdict]:
    """The cases through the installed routers, or the one of that name. Raises UsageError where there is none."""
    found = [
        (subject, record)
        for subject in installed_subjects()
        for kind, record in subject.records
        if kind == KIND and router in (None, record.name, subject.name)
    ]
    if not found:
        raise UsageError(f"no router{f' {router!r}' if router else ''} is installed", remedy="codetether plugins")
    async with AsyncExitStack() as stack:
        with TemporaryDirectory() as place:
            return await judge(cases, await _made(stack, found, Path(place)))


async def _made(stack: AsyncExitStack, found: Sequence[tuple[Subject, Any]], place: Path) -> list[Router]:
    """The routers under their default settings; one that is off is left out."""
    from codetether.plugins.life import created

    made = []
    for number, (subject, record) in enumerate(sorted(found, key=lambda pair: (pair[1].place, pair[1].name))):
        folder = place / str(number)
        folder.mkdir()
        trial = await stack.enter_async_context(on_trial(subject, KIND, record, folder))
        if (router := await created(stack, record, trial.context)) is not None:
            made.append((record.name, router))
    return made


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--router", metavar="NAME", help="Only this one; all that are installed unless given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of the table.")
def main(file: Path, router: str | None, as_json: bool) -> None:
    """Judges the installed routers by the cases of FILE; exits with 1 when one of them is not as expected."""
    try:
        verdicts = asyncio.run(judged(read(file), router))
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(orjson.dumps(summary(verdicts), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(report(verdicts)))
    raise SystemExit(1 if any(v.why for v in verdicts) else 0)


if __name__ == "__main__":
    main()
