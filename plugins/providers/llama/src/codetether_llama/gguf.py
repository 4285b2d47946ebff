"""GGUF files looked at before the engine sees them: its own errors do not say what is wrong."""

from __future__ import annotations

import mmap
import struct
from math import prod
from pathlib import Path

from attrs import frozen
from codetether import InvalidRequest, ModelNotFound

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_CONTROL = 3
_COUNTS = 8
"""Where the numbers of tensors and facts stand: after the magic and the version."""
_HEAD = 64 << 20
"""Bytes within which a vocabulary stands."""
_REMEDY = "fetch it again, or name another GGUF file"


@frozen(kw_only=True)
class ModelFile:
    """What a GGUF file says of itself.

    Attributes:
        parameters: how many weights it holds.
        context: tokens it was made for, None where it does not say.
        template: its chat template, empty where it has none.
    """

    path: Path
    architecture: str
    parameters: int
    context: int | None
    template: str

    def controls(self, *tokens: str) -> bool:
        """Whether each of these is a control token of its vocabulary: one that no ordinary text is made of."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if any(data.find(_written(token), 0, _HEAD) < 0 for token in tokens):
                return False
            reader = _Reader(data)
            reader.at = _COUNTS
            _, pairs = reader.count(), reader.count()
            texts: list[bytes] = []
            kinds: list[int] = []
            for _ in range(pairs):
                name, kind = reader.text(), reader.count("<I")
                if name == "tokenizer.ggml.tokens":
                    texts = reader.texts()
                elif name == "tokenizer.ggml.token_type":
                    kinds = reader.numbers()
                else:
                    reader.value(kind)
        found = {text: kind for text, kind in zip(texts, kinds, strict=False) if kind == _CONTROL}
        return all(token.encode() in found for token in tokens)


def inspect(path: Path) -> ModelFile:
    """Reads the head of the file.

    Raises ModelNotFound for a file that is not there, InvalidRequest for one that is no GGUF file or is cut short.
    """
    if not path.is_file():
        raise ModelNotFound(
            f"no model file at {path}",
            remedy="put it there, or name another GGUF file; `codetether providers` lists what may stand before the /",
        )
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise InvalidRequest(f"{path} is no GGUF file", remedy=_REMEDY)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _read(path, data)
            except (struct.error, IndexError, UnicodeDecodeError, KeyError, OverflowError) as error:
                raise InvalidRequest(f"{path} is damaged or cut short", remedy=_REMEDY) from error


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 4

    def number(self, form: str) -> int | float | bool:
        value: int | float | bool = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def count(self, form: str = "<Q") -> int:
        return int(self.number(form))

    def text(self) -> str:
        length = self.count()
        self.skip(length)
        return self.data[self.at - length : self.at].decode()

    def skip(self, length: int) -> None:
        self.at += length
        if length < 0 or self.at > len(self.data):
            raise IndexError(self.at)

    def value(self, kind: int) -> object:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            self.array()
            return None
        return self.number(_SCALARS[kind])

    def texts(self) -> list[bytes]:
        """An array of texts, undecoded."""
        self.count("<I")
        found = []
        for _ in range(self.count()):
            length = self.count()
            self.skip(length)
            found.append(self.data[self.at - length : self.at])
        return found

    def numbers(self) -> list[int]:
        """An array of whole numbers."""
        form, length = _SCALARS[self.count("<I")][1], self.count()
        found = struct.unpack_from(f"<{length}{form}", self.data, self.at)
        self.skip(length * struct.calcsize(f"<{form}"))
        return list(found)

    def array(self) -> None:
        """Steps over an array: vocabularies are long, and nothing here needs one."""
        kind, length = self.count("<I"), self.count()
        if kind in _SCALARS:
            self.skip(struct.calcsize(_SCALARS[kind]) * length)
            return
        for _ in range(length):
            if kind == _STRING:
                self.skip(self.count())
            else:
                self.array()


def _written(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _read(path: Path, data: mmap.mmap) -> ModelFile:
    reader = _Reader(data)
    if reader.count("<I") not in (2, 3):
        raise InvalidRequest(f"{path} is a GGUF file of a version that is not known", remedy=_REMEDY)
    tensors, pairs = reader.count(), reader.count()
    facts: dict[str, object] = {}
    for _ in range(pairs):
        name = reader.text()
        facts[name] = reader.value(reader.count("<I"))
    parameters, last = 0, 0
    for _ in range(tensors):
        reader.text()
        parameters += prod(reader.count() for _ in range(reader.count("<I")))
        reader.count("<I")
        last = max(last, reader.count())
    if reader.at + last >= len(data):
        raise IndexError(last)
    architecture = str(facts.get("general.architecture", ""))
    context = facts.get(f"{architecture}.context_length")
    return ModelFile(
        path=path,
        architecture=architecture,
        parameters=parameters,
        context=context if isinstance(context, int) else None,
        template=str(facts.get("tokenizer.chat_template", "")),
    )
