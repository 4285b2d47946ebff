"""How the conformance kit tries this plugin: on a file in two scripts, and on more than anyone wants to see."""

from __future__ import annotations

from pathlib import Path

from codetether.testing.trials import ToolTrial, Trials


def notes(directory: Path) -> None:
    """A file with text in two scripts."""
    (directory / "notes.txt").write_text("grüße\n日本\n", "utf-8")


def crowd(directory: Path) -> None:
    """A long file, a wide one, and many files."""
    (directory / "long.txt").write_text("needle\n" * 60_000)
    (directory / "wide.txt").write_text("needle" * 60_000)
    for number in range(300):
        (directory / f"needle-{number}.x").touch()


PATCH = """\
*** Begin Patch
*** Add File: new/日本.txt
+grüße
*** Update File: notes.txt
*** Move to: moved.txt
@@
 grüße
-日本
+Japan
*** End Patch
"""
TRIALS = Trials(
    tools={
        "list": ToolTrial(arguments={}, prepare=notes, odd=({"path": "nope"},), flood={"path": "."}, fill=crowd),
        "read": ToolTrial(
            arguments={"path": "notes.txt"},
            prepare=notes,
            odd=({"path": "nope"}, {"path": "."}),
            flood={"path": "long.txt", "limit": 1_000_000},
            fill=crowd,
        ),
        "write": ToolTrial(
            arguments={"path": "new/日本.txt", "content": "grüße\n"},
            odd=({"path": ".", "content": "x"},),
            prepare=notes,
            flood={"path": "large", "content": "x" * 3_000_000},
        ),
        "edit": ToolTrial(
            arguments={"path": "notes.txt", "old": "日本", "new": "Japan"},
            odd=({"path": "notes.txt", "old": "absent", "new": "x"}, {"path": "nope", "old": "a", "new": "b"}),
            prepare=notes,
            flood={"path": "long.txt", "old": "needle", "new": "x", "replace_all": True},
            fill=crowd,
        ),
        "multiedit": ToolTrial(
            arguments={"path": "notes.txt", "edits": [{"old": "日本", "new": "Japan"}, {"old": "Japan", "new": "日"}]},
            odd=({"path": "notes.txt", "edits": [{"old": "日本", "new": "x"}, {"old": "absent", "new": "x"}]},),
            prepare=notes,
            flood={"path": "long.txt", "edits": [{"old": "needle", "new": "x", "replace_all": True}] * 2},
            fill=crowd,
        ),
        "apply_patch": ToolTrial(
            arguments={"patch": PATCH},
            odd=(
                {"patch": "x"},
                {"patch": PATCH.replace("-日本", "-absent")},
                {"patch": PATCH.replace("new/", "../O/")},
            ),
            prepare=notes,
            flood={"patch": "*** Begin Patch\n*** Add File: large\n" + "+needle\n" * 60_000 + "*** End Patch\n"},
        ),
        "undo": ToolTrial(arguments={}),
        "glob": ToolTrial(
            arguments={"pattern": "*.txt"},
            odd=({"pattern": "../*"}, {"pattern": "[", "path": "nope"}),
            prepare=notes,
            flood={"pattern": "**"},
            fill=crowd,
        ),
        "grep": ToolTrial(
            arguments={"pattern": "日"},
            odd=({"pattern": "(", "path": "nope"}, {"pattern": "x", "glob": "/*"}),
            prepare=notes,
            flood={"pattern": "needle"},
            fill=crowd,
        ),
    }
)
