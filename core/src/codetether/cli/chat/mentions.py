"""`@path` in a prompt: the files that go with it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from codetether.cli.prompt_input import attached
from codetether.models.messages import MessagePart

_MENTION = re.compile(r"""(?<!\S)@(?:"([^"]+)"|([^\s"']+))""")


def mentioned(text: str, directory: Path) -> tuple[MessagePart, ...]:
    """The files that the text names with `@`, as parts; words that are no file stay words.

    Raises UsageError for a file that cannot be sent.
    """
    words = (quoted or plain.rstrip(".,;:!?") for quoted, plain in _MENTION.findall(text))
    paths = dict.fromkeys(directory / os.path.expanduser(word) for word in words)  # noqa: PTH111 - there may be no home
    return attached(tuple(path for path in paths if os.path.isfile(path)), "@")  # noqa: PTH113 - of any text
