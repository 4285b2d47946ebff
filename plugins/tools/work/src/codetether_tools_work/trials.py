"""How the conformance kit tries this plugin: a skill, a note and a list, in a workspace of their own."""

from __future__ import annotations

from pathlib import Path

from codetether.testing.trials import ToolTrial, Trials


def _skill(directory: Path) -> None:
    folder = directory / ".agents" / "skills" / "greet"
    (folder / "scripts").mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text("---\nname: greet\ndescription: How to greet.\n---\nSay grüße.\n")
    (folder / "scripts" / "greet.sh").write_text("echo grüße\n")


TRIALS = Trials(
    prepare=_skill,
    tools={
        "todo_write": ToolTrial(arguments={"todos": [{"content": "grüßen", "status": "pending"}]}),
        "todo_read": ToolTrial(arguments={}),
        "plan_enter": ToolTrial(arguments={}),
        "plan_exit": ToolTrial(odd=({"plan": "nothing is planned"},)),
        "memory": ToolTrial(
            arguments={"action": "add", "note": "grüße"},
            odd=({"action": "add"}, {"action": "replace", "old": "absent", "note": "x"}, {"action": "delete"}),
        ),
        "skill": ToolTrial(
            arguments={"name": "greet"},
            odd=({"name": "absent"}, {"name": "../greet"}, {"name": "greet", "file": "../../../../O/secret.txt"}),
        ),
    },
)
