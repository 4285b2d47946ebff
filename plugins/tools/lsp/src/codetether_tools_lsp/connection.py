"""A running language server: what it was told of files, and what it says of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from cattrs import Converter
from codetether import Executor, Process, UsageError, __version__
from lsprotocol import types as lsp
from pygls.exceptions import PyglsError
from pygls.io_ import run_async
from pygls.lsp.client import LanguageClient
from pygls.protocol import default_converter
from pygls.workspace import PositionCodec

from codetether_tools_lsp.documents import uri_of
from codetether_tools_lsp.programs import Program

T = TypeVar("T")
PATIENCE = 20.0
"""Seconds for one answer."""
SETTLE = 0.15
"""Seconds after which what was said of a file is taken for whole."""
LONGEST = 32 * 1024 * 1024
"""Bytes of one line of a server's output."""
LANGUAGES = {
    ".py": "python", ".pyi": "python", ".ts": "typescript", ".mts": "typescript", ".cts": "typescript",
    ".tsx": "typescriptreact", ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript",
    ".jsx": "javascriptreact", ".rs": "rust", ".c": "c", ".h": "c", ".m": "objective-c", ".mm": "objective-cpp",
    ".cs": "csharp", ".rb": "ruby", ".kt": "kotlin", ".kts": "kotlin", ".sh": "shellscript", ".bash": "shellscript",
    ".ex": "elixir", ".exs": "elixir", ".hs": "haskell", ".tf": "terraform",
    **dict.fromkeys((".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx"), "cpp"),
}  # fmt: skip
"""The protocol's names of languages, where the suffix without its dot is not the name."""
ABILITIES = lsp.ClientCapabilities(
    general=lsp.GeneralClientCapabilities(
        position_encodings=[lsp.PositionEncodingKind.Utf32, lsp.PositionEncodingKind.Utf16]
    ),
    text_document=lsp.TextDocumentClientCapabilities(
        synchronization=lsp.TextDocumentSyncClientCapabilities(did_save=True),
        publish_diagnostics=lsp.PublishDiagnosticsClientCapabilities(version_support=True),
        definition=lsp.DefinitionClientCapabilities(link_support=True),
        document_symbol=lsp.DocumentSymbolClientCapabilities(hierarchical_document_symbol_support=True),
        hover=lsp.HoverClientCapabilities(content_format=[lsp.MarkupKind.PlainText, lsp.MarkupKind.Markdown]),
        rename=lsp.RenameClientCapabilities(),
    ),
    workspace=lsp.WorkspaceClientCapabilities(
        configuration=True,
        workspace_folders=True,
        workspace_edit=lsp.WorkspaceEditClientCapabilities(document_changes=True),
    ),
)


UNHEEDED = (
    lsp.CLIENT_REGISTER_CAPABILITY,
    lsp.CLIENT_UNREGISTER_CAPABILITY,
    lsp.WINDOW_WORK_DONE_PROGRESS_CREATE,
    lsp.WINDOW_SHOW_MESSAGE_REQUEST,
    lsp.WINDOW_SHOW_MESSAGE,
    lsp.WINDOW_LOG_MESSAGE,
    lsp.TELEMETRY_EVENT,
    lsp.WORKSPACE_DIAGNOSTIC_REFRESH,
)
"""What a server says or asks without need of more than an empty answer."""


class LanguageServer:
    """A language server that has been started, until it is closed or dies."""

    def __init__(self, program: Program, directory: Path, log: logging.Logger) -> None:
        self.name = program.name
        self.codec = PositionCodec()
        self._program = program
        self._directory = directory
        self._log = log
        self._client = LanguageClient("codetether", __version__, converter_factory=_converter)
        self._process: Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._stop = Event()
        self._ended = asyncio.Event()
        self._texts: dict[str, str] = {}
        self._versions: dict[str, int] = {}
        self._said: dict[str, Sequence[lsp.Diagnostic]] = {}
        self._heard: dict[str, asyncio.Event] = {}
        self._answer_requests()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process is not None and not self._ended.is_set()

    async def start(self, path: str, executor: Executor) -> None:
        """Starts the program where commands run, and shakes hands. Raises UsageError where it does not answer."""
        argv = [path, *self._program.command[1:]]
        self._process = await executor.start(argv, directory=self._directory, merged=False)
        reader = asyncio.StreamReader(limit=LONGEST)
        self._client.protocol.set_writer(self)  # type: ignore[arg-type]
        self._tasks = [
            asyncio.create_task(self._listen(reader)),
            asyncio.create_task(self._pump(self._process, reader)),
            asyncio.create_task(self._send(self._process)),
            asyncio.create_task(self._drop(self._process)),
        ]
        told = lsp.InitializeParams(
            process_id=None,  # in a sandbox it would look for another
            client_info=lsp.ClientInfo(name="codetether", version=__version__),
            root_uri=self._folder.uri,
            workspace_folders=[self._folder],
            capabilities=ABILITIES,
            initialization_options=dict(self._program.options) or None,
        )
        made = await self.answer(self._client.initialize_async(told))
        self.codec = PositionCodec(made.capabilities.position_encoding or lsp.PositionEncodingKind.Utf16)
        self._client.initialized(lsp.InitializedParams())
        if self._program.configuration:
            changed = lsp.DidChangeConfigurationParams(settings=dict(self._program.configuration))
            self._client.workspace_did_change_configuration(changed)

    @property
    def ask(self) -> LanguageClient:
        """Its typed requests; await their answers with `answer`."""
        return self._client

    async def answer(self, asked: Awaitable[T], limit: float = PATIENCE) -> T:
        """The answer to a request. Raises UsageError where it is an error, or none comes."""
        ended = asyncio.ensure_future(self._ended.wait())
        future = asyncio.ensure_future(asked)
        try:
            async with asyncio.timeout(limit):
                await asyncio.wait({ended, future}, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                raise UsageError(f"the language server {self.name} died", remedy="The next question starts it again.")
            return future.result()
        except TimeoutError as error:
            raise UsageError(
                f"the language server {self.name} did not answer in {limit:g} s",
                remedy="It may still be reading the project: ask again later.",
            ) from error
        except PyglsError as error:
            raise UsageError(f"the language server {self.name} says: {str(error)[:500]}") from error
        finally:
            ended.cancel()
            future.cancel()

    def show(self, path: Path, text: str) -> bool:
        """Tells it the present text of a file; whether that is news."""
        uri = uri_of(path)
        before = self._texts.get(uri)
        if before == text:
            return False
        self._texts[uri] = text
        self._heard.setdefault(uri, asyncio.Event()).clear()
        version = self._versions[uri] = self._versions.get(uri, 0) + 1
        if before is None:
            language = LANGUAGES.get(path.suffix, path.suffix[1:])
            item = lsp.TextDocumentItem(uri=uri, language_id=language, version=version, text=text)
            self._client.text_document_did_open(lsp.DidOpenTextDocumentParams(text_document=item))
        else:
            self._client.text_document_did_change(
                lsp.DidChangeTextDocumentParams(
                    text_document=lsp.VersionedTextDocumentIdentifier(uri=uri, version=version),
                    content_changes=[lsp.TextDocumentContentChangeWholeDocument(text=text)],
                )
            )
        saved = lsp.DidSaveTextDocumentParams(text_document=lsp.TextDocumentIdentifier(uri=uri), text=text)
        self._client.text_document_did_save(saved)
        return True

    async def diagnostics(self, path: Path, text: str, wait: float) -> Sequence[lsp.Diagnostic] | None:
        """What it finds wrong with the file as it is now; None where it says nothing of it in `wait` seconds."""
        uri = uri_of(path)
        is_news = self.show(path, text)
        try:
            await self.answer(self._heard[uri].wait(), wait)
        except UsageError:
            return None
        if is_news:
            await asyncio.sleep(SETTLE)  # more may follow, from another of its checkers
        return self._said.get(uri)

    async def close(self) -> None:
        """Asks it to leave, and ends it where it does not."""
        if self._process is None:
            return
        if self.alive:
            with contextlib.suppress(UsageError):
                await self.answer(self._client.shutdown_async(None), 1.0)
                self._client.exit(None)
                await asyncio.sleep(0)
        self._stop.set()
        await self._process.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def write(self, data: bytes) -> None:
        """What the protocol sends."""
        self._outgoing.put_nowait(data)

    async def _send(self, process: Process) -> None:
        while True:
            await process.write(await self._outgoing.get())

    async def _pump(self, process: Process, reader: asyncio.StreamReader) -> None:
        async for piece in process.output():
            reader.feed_data(piece)
        reader.feed_eof()

    async def _drop(self, process: Process) -> None:
        async for piece in process.errors():
            self._log.debug("%s: %s", self.name, piece.decode("utf-8", "replace").rstrip())

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            await run_async(self._stop, reader, self._client.protocol, logging.getLogger("codetether.lsp"))
        except (ValueError, EOFError) as error:  # a line or a message without end
            self._log.warning("%s: %s", self.name, error)
        finally:
            self._ended.set()

    def _answer_requests(self) -> None:
        handlers: dict[str, Callable[[Any], Any]] = {
            lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS: partial(self._published),
            lsp.WORKSPACE_CONFIGURATION: partial(self._configuration),
            lsp.WORKSPACE_APPLY_EDIT: _refused,
            lsp.WORKSPACE_WORKSPACE_FOLDERS: lambda _: [self._folder],
            **dict.fromkeys(UNHEEDED, lambda _: None),
        }
        for method, handler in handlers.items():
            self._client.feature(method)(handler)  # it sets attributes of the function: a bound method has none

    def _published(self, told: lsp.PublishDiagnosticsParams) -> None:
        if told.version is None or told.version >= self._versions.get(told.uri, 0):
            self._said[told.uri] = told.diagnostics
            self._heard.setdefault(told.uri, asyncio.Event()).set()

    def _configuration(self, asked: lsp.ConfigurationParams) -> list[Any]:
        return [_section(self._program.configuration, item.section or "") for item in asked.items]

    @property
    def _folder(self) -> lsp.WorkspaceFolder:
        return lsp.WorkspaceFolder(uri=uri_of(self._directory), name=self._directory.name)


def _refused(asked: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
    return lsp.ApplyWorkspaceEditResult(applied=False, failure_reason="nobody asked for this edit")


def _converter() -> Converter:
    """Of a server's abilities only its units are read: of others it may say more than lsprotocol knows."""
    made: Converter = default_converter()  # type: ignore[no-untyped-call]
    made.register_structure_hook(
        lsp.ServerCapabilities, lambda told, _: lsp.ServerCapabilities(position_encoding=told.get("positionEncoding"))
    )
    return made


def _section(configuration: Mapping[str, Any], section: str) -> Any:
    """The part of the configuration under a dotted name."""
    found: Any = configuration
    for key in filter(None, section.split(".")):
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return found
