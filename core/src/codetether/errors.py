"""Every error that codetether raises on purpose, each naming the thing that failed with the remedy.

CodetetherError
├── UsageError                  what the caller asked for cannot be done as asked
│   ├── SettingsError           a setting is wrong: file, line, path
│   ├── InvalidSessionId
│   ├── SessionNotFound
│   ├── SourceDamaged           another product's sessions cannot be read: file, why
│   ├── UnknownModel            no such provider, or none that lists the model
│   └── NoProviderAvailable     nobody to talk to; lists who was asked
├── SessionBusy                 a prompt is running already
├── ContextFull                 the history does not fit, and cannot be made smaller
├── PluginError                 a plugin broke its promise
│   └── RequiredPluginMissing   a plugin that the site requires did not load whole
├── StorageError                the disk refused
│   ├── SessionLocked           another process writes this session
│   ├── JournalDamaged          a journal that cannot be read at all
│   └── JournalTooNew           written by a later version: may be read, not continued
├── AuditFailed                 a required audit sink could not record the intent
├── CredentialError             a source of credentials failed, as distinct from "has none"
├── ExecutorError               a command could not be started
└── ProviderError               the provider failed; `retryable` tells whether asking again can help
    ├── ConnectionFailed        refused, reset, DNS, TLS
    ├── DeadlineExceeded        total, connect or idle limit
    ├── AuthenticationFailed    401, 403, expired
    ├── RateLimited             429 with time to wait
    ├── QuotaExhausted          no money, no quota: waiting does not help
    ├── InvalidRequest          4xx: the request itself
    │   ├── ContextOverflow     more tokens than the model takes
    │   └── ModelNotFound
    ├── ServerFailed            5xx, overloaded
    ├── IncompleteResponse      the stream ended without its terminal event
    └── MalformedResponse       not the format that was promised
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


class CodetetherError(Exception):
    """An error meant for the user: `message` says what and which thing, `remedy` what to do."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message


class UsageError(CodetetherError):
    """What was asked for cannot be done as asked."""


class SettingsError(UsageError):
    """A setting is wrong; the message starts with `file:line: path:` as far as they are known."""

    def __init__(
        self,
        message: str,
        *,
        file: Path | None = None,
        line: int | None = None,
        path: Sequence[str] = (),
        remedy: str = "",
    ) -> None:
        self.file = file
        self.line = line
        self.path = tuple(path)
        place = f"{file}:{line}" if file and line else str(file or "")
        super().__init__(": ".join(x for x in (place, ".".join(path), message) if x), remedy=remedy)


class InvalidSessionId(UsageError):
    """The id is not `[A-Za-z0-9][A-Za-z0-9_-]{0,99}`, or differs from an existing one by case only."""


class SessionNotFound(UsageError):
    """No session has this id."""


class SourceDamaged(UsageError):
    """Sessions of another product cannot be read.

    Attributes:
        source: the file or directory. why: the reason, in words.
    """

    def __init__(self, source: Path | str, why: str, *, remedy: str = "") -> None:
        super().__init__(f"{source}: {why}", remedy=remedy)
        self.source = str(source)
        self.why = why


class UnknownModel(UsageError):
    """No provider of that name is installed or available, or none lists the model."""


class NoProviderAvailable(UsageError):
    """No provider can be used; the message lists each source that was asked and why not."""


class SessionBusy(CodetetherError):
    """A prompt is running in this session already."""


class ContextFull(CodetetherError):
    """The history is too long for the model, and a compaction does not make it fit."""


class PluginError(CodetetherError):
    """A plugin broke its promise."""


class RequiredPluginMissing(PluginError):
    """A plugin named in `[plugins] required` did not load whole, so no session opens."""


class StorageError(CodetetherError):
    """The disk refused an operation; nothing that was acknowledged is lost."""


class SessionLocked(StorageError):
    """Another process holds the session.

    Attributes:
        pid: the holder's process id, None when it could not be read.
    """

    def __init__(self, message: str, *, pid: int | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.pid = pid


class JournalDamaged(StorageError):
    """The journal cannot be read at all: its head is missing or is no journal's."""


class JournalTooNew(StorageError):
    """The journal was written by a later version."""


class AuditFailed(CodetetherError):
    """A required audit sink could not record the intent, so the effect did not start."""


class CredentialError(CodetetherError):
    """A credential source failed (sealed, denied, unreachable), which is not the same as having none."""


class ExecutorError(CodetetherError):
    """A command could not be started."""


class ProviderError(CodetetherError):
    """The provider failed.

    Attributes:
        retryable: whether the same request may succeed later.
        status: the HTTP status, None where there was none.
        retry_after: seconds that the provider asked to wait, None where it did not say.
        code: the provider's own error code or type.
        details: what else the provider said, without secrets.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        code: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.retry_after = retry_after
        self.code = code
        self.details = dict(details or {})


class ConnectionFailed(ProviderError):
    """Refused, reset, DNS or TLS: no answer began."""

    retryable = True


class DeadlineExceeded(ProviderError):
    """The total, connect or idle limit passed."""

    retryable = True


class AuthenticationFailed(ProviderError):
    """The key is missing, wrong, expired or not allowed to do this."""


class RateLimited(ProviderError):
    """Too many requests; `retry_after` says how long to wait when the provider did."""

    retryable = True


class QuotaExhausted(ProviderError):
    """No money or quota left: waiting does not help."""


class InvalidRequest(ProviderError):
    """The provider refuses the request itself."""


class ContextOverflow(InvalidRequest):
    """The request holds more tokens than the model takes."""


class ModelNotFound(InvalidRequest):
    """The provider does not know the model."""


class ServerFailed(ProviderError):
    """The provider failed on its side, or is overloaded."""

    retryable = True


class IncompleteResponse(ProviderError):
    """The answer ended before its terminal event: what arrived is not a whole answer."""

    retryable = True


class MalformedResponse(ProviderError):
    """The answer is not in the format that was promised."""

    retryable = True
