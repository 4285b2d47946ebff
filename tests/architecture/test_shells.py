"""What a file, a branch or a repository is named never becomes a line that a shell reads."""

from __future__ import annotations

import re

from .rooms import ROOT, core, plugins

SHELL = re.compile(
    r"\bos\.(?:system|popen)\(|\bsubprocess\.get(?:status)?output\(|create_subprocess_shell\(|\bshell=True\b"
)


def test_C12_no_module_hands_a_line_to_a_shell() -> None:
    """The tool `bash` alone runs lines, and the model or the user wrote them."""
    modules = [*core(), *(module for found in plugins().values() for module in found)]
    assert [str(m.path.relative_to(ROOT)) for m in modules if SHELL.search(m.path.read_text())] == []
