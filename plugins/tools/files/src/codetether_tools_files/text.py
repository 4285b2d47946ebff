"""Text as it lies in files: its encoding, byte order mark and line ends, kept from reading to writing."""

from __future__ import annotations

import codecs

from attrs import frozen

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@frozen
class Encoding:
    """How a file's bytes are text.

    Attributes:
        mark: the byte order mark at its beginning, empty where there is none.
        errors: `surrogateescape` keeps stray bytes of a file that is UTF-8 for the most part.
    """

    name: str = "utf-8"
    mark: bytes = b""
    errors: str = "strict"

    @classmethod
    def of(cls, data: bytes) -> Encoding:
        """The encoding of all of a file's bytes. What is not Unicode counts as Latin-1."""
        for mark, name in _MARKS:
            if data.startswith(mark):
                marked = cls(name, mark, "surrogateescape" if name == "utf-8" else "surrogatepass")
                return marked if len(data) % 2 == 0 or name == "utf-8" else cls("latin-1")
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("utf-8", "surrogateescape")
            stray = sum("\udc80" <= c <= "\udcff" for c in text)
            sound = sum(c > "\x7f" for c in text) - stray
            return cls(errors="surrogateescape") if sound > stray else cls("latin-1")
        return cls()

    def decode(self, data: bytes) -> str:
        """The text without its mark."""
        return data.removeprefix(self.mark).decode(self.name, self.errors)

    def encode(self, text: str) -> bytes:
        """The bytes with the mark. Raises UnicodeEncodeError for text that the encoding cannot hold."""
        return self.mark + text.encode(self.name, self.errors)

    def __str__(self) -> str:
        return self.name.upper() + (" with a byte order mark" if self.mark else "")


def is_binary(head: bytes) -> bool:
    """Whether a file's first bytes are no text."""
    if head.startswith(codecs.BOM_UTF32_LE):  # begins as UTF-16 does
        return True
    return b"\0" in head and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def line_count(text: str) -> int:
    """Lines as people count them: a last one without a line end counts."""
    return text.count("\n") + (1 if text and not text.endswith("\n") else 0)


def has_crlf(text: str) -> bool:
    """Whether most lines end with a carriage return and a line feed."""
    return "\r" in text and text.count("\r\n") * 2 > text.count("\n")


def with_crlf(text: str) -> str:
    """The same text with such line ends throughout."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n")
