"""Names the files that a program may have been given, of whose arguments nothing is known."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice

from codetether.permissions.options import base, names
from codetether.permissions.words import UNKNOWN

MOST = 100
_ELSEWHERE = names("docker podman nerdctl kubectl oc ssh adb")
"""Programs whose paths are those of another machine."""
_ATTACHED = re.compile(r"^-{1,2}[\w-]*|[=@:,]")


def given(words: tuple[str, ...], place: str) -> Iterator[str]:
    """Words, and what is attached to an option, a name or an `@`, that are there or could be made at the place."""
    if base(words[0]) not in _ELSEWHERE:
        pieces = (piece for word in words[1:] for piece in dict.fromkeys((word, *_ATTACHED.split(word))))
        yield from islice((piece for piece in pieces if _is_path(piece, place)), MOST)


def _is_path(piece: str, place: str) -> bool:
    if not piece or UNKNOWN in piece:
        return False
    path = os.path.join(place, piece)
    return os.access(path, os.F_OK, follow_symlinks=False) or ("/" in piece and os.path.isdir(os.path.dirname(path)))
