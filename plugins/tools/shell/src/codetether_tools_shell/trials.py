"""How the conformance kit tries this plugin: commands that are harmless anywhere."""

from __future__ import annotations

from codetether.testing.trials import ToolTrial, Trials

TRIALS = Trials(
    tools={
        "bash": ToolTrial(
            arguments={"command": "echo grüße > made; cat ./*; ls"},
            odd=({"command": "exit 3"}, {"command": "((("}),
            slow={"command": "sleep 68 & setsid sleep 69 & sleep 70"},
            flood={"command": "yes", "timeout": 1},
            environment={"command": "env"},
        ),
        "exec": ToolTrial(
            arguments={"argv": ["echo", "grüße"]},
            odd=({"argv": ["false"]},),
            slow={"argv": ["sh", "-c", "sleep 68 & setsid sleep 69 & sleep 70"]},
            flood={"argv": ["yes"], "timeout": 1},
            environment={"argv": ["env"]},
        ),
        "job_output": ToolTrial(arguments={}, odd=({"job": "job9"},)),
        "job_kill": ToolTrial(odd=({"job": "job9"},)),
    }
)
