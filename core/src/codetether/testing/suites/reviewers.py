"""What reviewers of results keep."""

from __future__ import annotations

from typing import Any

from codetether.models.tools import Resources, ToolCall, ToolResult, error_result, text_result
from codetether.testing.promises import BrokenPromise, Promise, promises, require, within
from codetether.testing.traces import changed, snapshot
from codetether.testing.trial import Trial

LONGEST = 64 * 1024
"""Characters that a reviewer adds to one result."""
FILES = {"a.py": b"def f(:\n", "odd.py": b"\xff\xfe\0\xe6\x97\n" * 1000, "long.py": b"x = (\n" * 50_000, "none": b""}


async def reviewed(reviewer: Any, call: ToolCall, resources: Resources, result: ToolResult) -> str:
    """What it says, in the 30 seconds that it has; empty where it says nothing."""
    try:
        said = await within(30, reviewer.review(call, resources, result))
    except Exception as error:
        raise BrokenPromise(f"review() of {call.name} raised {type(error).__name__}: {str(error)[:200]}") from error
    require(said is None or isinstance(said, str), f"review() gave {type(said).__name__}, neither text nor None")
    return said or ""


async def review_of_everything(trial: Trial) -> list[str]:
    """What it says of edits of odd files, of calls that failed, and of calls of tools that it never heard of."""
    for name, data in FILES.items():
        (trial.directory / name).write_bytes(data)
    reviewer = await trial.make()
    said = []
    for name in (*FILES, "gone.py", "sub/gone.py", "/gone.py", "\0"):
        touched = Resources(reads=(name,), writes=(name,))
        call = ToolCall(id="1", name="edit", arguments={"path": name})
        said += [await reviewed(reviewer, call, touched, made) for made in (text_result("done"), error_result("no"))]
    strange = ToolCall(id="2", name="日本", arguments={"path": 7})
    return [*said, await reviewed(reviewer, strange, Resources(), text_result(""))]


async def every_result_can_be_reviewed(trial: Trial) -> None:
    """Odd files, failed calls and unknown tools are answered with at most 64 Ki characters, or with nothing."""
    longest = max(map(len, await review_of_everything(trial)))
    require(longest <= LONGEST, f"it adds {longest} characters to a result; at most {LONGEST}")


async def a_review_only_looks(trial: Trial) -> None:
    """Reviewing leaves the workspace as the call left it."""
    (trial.directory / "a.py").write_bytes(FILES["a.py"])
    reviewer = await trial.make()
    before = snapshot(trial.directory)
    call = ToolCall(id="1", name="edit", arguments={"path": "a.py"})
    await reviewed(reviewer, call, Resources(writes=("a.py",)), text_result("done"))
    touched = changed(before, snapshot(trial.directory))
    require(not touched, f"a review changed {', '.join(touched)}")


PROMISES: tuple[Promise, ...] = promises("result_reviewers", every_result_can_be_reviewed, a_review_only_looks)
