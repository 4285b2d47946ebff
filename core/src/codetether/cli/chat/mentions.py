"""`@path` in a prompt: the files that go with it."""

from __future__ import annotations

import re
from pathlib import Path

from codetether.cli.prompt_input import attached
from codetether.models.messages import MessagePart

_MENTION = re.compile(r"""(?<!\S)@(?:"([^"]+)"|([^\s"']+))""")


def mentioned(text: str, directory: Path) -> tuple[MessagePart, ...]:
    """The files that the text names with `@`, as parts; words that are no file stay words."""
    named = (directory / (quoted or plain.rstrip(".,;:!?)")) for quoted, plain in _MENTION.findall(text))
    return attached(tuple(dict.fromkeys(path for path in named if path.is_file())))
