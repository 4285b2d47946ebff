"""An exported session in every form, whatever parts it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from codetether.cli.exports.document import Exported, document
from codetether.cli.exports.markdown import markdown
from codetether.cli.exports.page import page
from codetether.models.completion import Usage
from codetether.models.messages import (
    FilePart,
    ImagePart,
    Message,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    user,
)
from codetether.models.record import Unknown
from codetether.models.session import (
    Gap,
    JournalEntry,
    JournalRecord,
    MessageAdded,
    SessionStarted,
    ToolCompleted,
    TurnEnded,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PATCH = "*** Begin Patch\\n@@\\n-old\\n+<new>\\n*** End Patch"
DIFF = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+<new>\n"


def exported(id_: str, *entries: JournalEntry, children: tuple[Exported, ...] = (), **started: str) -> Exported:
    first = SessionStarted(id=id_, directory="/work", **started)  # type: ignore[arg-type]
    records = [JournalRecord(sequence=n, recorded_at=AT, entry=e) for n, e in enumerate((first, *entries), 1)]
    return Exported(records=records, children=children)


def test_every_kind_of_part_has_its_place() -> None:
    calls = (
        ToolCallPart(id="c1", name="edit", arguments='{"path":"x","old":"a\\nb"}'),
        ToolCallPart(id="c2", name="apply_patch", arguments=f'{{"input":"{PATCH}"}}'),
        ToolCallPart(id="c3", name="task", arguments="{broken"),
    )
    parts = (
        ThinkingPart(),
        ThinkingPart(text="hm *so*"),
        RefusalPart(text="no"),
        ImagePart(media_type="image/png", data=b"xx"),
        ImagePart(media_type="image/svg+xml", data=b"<svg/>"),
        ImagePart(media_type="image/*", url="https://example.com/a.png"),
        ImagePart(media_type="image/*", url="javascript:alert(1)"),
        FilePart(media_type="text/plain", name="notes.txt"),
        Unknown(raw={"type": "hologram", "text": "?"}),
        TextPart(text="~~a~~ ```` `x` ![i](data:image/png;base64,eHg=)"),
        *calls,
    )
    spent = Usage(input_tokens=1200, output_tokens=30, cost=Decimal("0.0125"))
    said = MessageAdded(message=Message(role="assistant", parts=parts, model="m"), turn=1, step=1, usage=spent)
    edited = ToolCompleted(
        result=ToolResultPart(tool_call_id="c1", name="edit", success=True, content=(TextPart(text="done"),)),
        turn=1,
        step=1,
        duration_ms=61_500,
        metadata={"diff": DIFF},
    )
    denied = ToolCompleted(
        result=ToolResultPart(tool_call_id="c2", name="apply_patch", success=False, content=(TextPart(text="```"),)),
        turn=1,
        step=1,
        denied=True,
    )
    child = exported("c", MessageAdded(message=user("sub task"), turn=1), parent_id="s", parent_call_id="c3")
    whole = document(
        exported(
            "s",
            MessageAdded(message=user("<b>hi</b>"), turn=1),
            said,
            edited,
            denied,
            Gap(first_line=7, last_line=8, why="its checksum does not fit"),
            TurnEnded(turn=1, status="limit", steps=1, usage=spent, reason="the budget is used up"),
            children=(child,),
        )
    )
    html, plain = page(whole), markdown(whole)
    for words in (
        "&lt;b&gt;hi&lt;/b&gt;",
        "<em>so</em>",
        '<img src="data:image/png;base64,eHg="',
        '<a href="https://example.com/a.png"',
        "notes.txt",
        '<span class="plus">+&lt;new&gt;\n</span>',
        "1 min 2 s",
        "<i>denied</i>",
        "{broken",
        "sub task",
        "<b>limit</b> the budget is used up",
        "1,200 tokens in, 30 out · $0.0125",
        "lines 7 to 8 of the journal could not be read",
    ):
        assert words in html, words
    assert "javascript:alert(1)" not in html.replace("javascript:alert(1)</p>", "")  # named, never a link
    assert "image/svg" in html
    assert "data:image/svg" not in html
    for words in ("## Assistant · m", "```diff\n--- a/x", "apply_patch: denied", "sub task", "````\n```\n````"):
        assert words in plain, words
    assert [message["number"] for message in whole["messages"]] == [1, 2, 3, 4]
    assert whole["messages"][2]["metadata"] == {"diff": DIFF}
    assert whole["children"][0]["session"]["parent_call_id"] == "c3"
