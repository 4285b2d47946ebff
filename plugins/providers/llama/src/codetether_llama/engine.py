"""llama.cpp in this process: one engine a model file, off the event loop, its port closed to all others."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from codetether import JSON, ContextOverflow, InvalidRequest, ServerFailed

from codetether_llama.gguf import ModelFile

if TYPE_CHECKING:
    import xllamacpp  # type: ignore[import-untyped]

Body = Mapping[str, JSON]
Event = dict[str, Any]
_CACHE_MIB = 256
_END: Event = {}

_engines: WeakValueDictionary[tuple[str, int, int, bool], Engine] = WeakValueDictionary()
_engines_lock = threading.Lock()


class Engine:
    """A loaded model. Requests queue: it answers one at a time.

    Attributes:
        model: what its file says. context: tokens that request and answer may have together.
    """

    def __init__(self, model: ModelFile, context: int, threads: int, gpu: bool = True) -> None:
        self.model = model
        self.context = context
        self.key = secrets.token_hex(16)
        self._threads = threads
        self._gpu = gpu
        self._server: xllamacpp.Server | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llama")

    @property
    def address(self) -> str | None:
        """Where the engine listens on the loopback; it answers nobody without the key. None until it is loaded."""
        return self._server.listening_address if self._server else None

    def chat(self, body: Body) -> AsyncGenerator[Event, None]:
        """Chat completion chunks, the model's own template laid over `messages`. Close it to stop at the next token.

        Raises ContextOverflow for a request that is too long, InvalidRequest for a grammar or field it refuses,
        ServerFailed for all else.
        """
        return self._stream(body, lambda server: server.handle_chat_completions)

    def complete(self, body: Body) -> AsyncGenerator[Event, None]:
        """Text completion chunks for a `prompt` as it stands; else like `chat`."""
        return self._stream(body, lambda server: server.handle_completions)

    async def _stream(self, body: Body, handler: Callable[[Any], Any]) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        stopped = threading.Event()

        def put(item: Event | BaseException) -> None:
            if not stopped.is_set():
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def work() -> None:
            try:
                if not stopped.is_set():
                    self._run(body, handler, put, stopped)
                put(_END)
            except BaseException as error:  # the library swallows what its callback raises: all goes through the queue
                put(error)

        future = loop.run_in_executor(self._thread, work)
        try:
            while (item := await queue.get()) is not _END:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            future.cancel()

    def _run(
        self, body: Body, handler: Callable[[Any], Any], put: Callable[[Event], None], stopped: threading.Event
    ) -> None:
        failures: list[Event] = []

        def callback(chunk: Event) -> bool:
            if "error" in chunk:
                failures.append(chunk["error"])
                return True
            put(chunk)
            return stopped.is_set()

        request = {**body, "stream": True, "stream_options": {"include_usage": True}}
        answer = handler(self._loaded())(request, callback)
        if isinstance(answer, dict) and "error" in answer:
            failures.append(answer["error"])
        if failures:
            raise _error(failures[0], self.context)

    def _loaded(self) -> xllamacpp.Server:
        if self._server is None:
            self._server = _load(self.model, self.context, self._threads, self._gpu, self.key)
        return self._server

    def close(self) -> None:
        """Lets the model go once the answer in progress has ended; once more does nothing."""
        with suppress(RuntimeError):  # closed already, or the interpreter ends
            self._thread.submit(self._unload)
        self._thread.shutdown(wait=False)

    def _unload(self) -> None:
        self._server = None


def engine(model: ModelFile, context: int | None = None, threads: int | None = None, gpu: bool = True) -> Engine:
    """The engine of this process for the file: made once, loaded at its first request, gone with its last user.

    Args:
        context: tokens; by default what the model was made for, at most 8192.
        threads: by default one less than the machine has cores, since a busy core stalls all threads.
        gpu: whether a graphics processor is used where llama.cpp finds one.
    """
    window = context or min(model.context or 4096, 8192)
    workers = threads or max(1, (os.cpu_count() or 2) - 1)
    key = (str(model.path.resolve()), window, workers, gpu)
    with _engines_lock:
        found = _engines.get(key)
        if found is None:
            found = _engines[key] = Engine(model, window, workers, gpu)
        return found


def _load(model: ModelFile, context: int, threads: int, gpu: bool, key: str) -> xllamacpp.Server:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel = str(model.path), context, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = _CACHE_MIB
    if not gpu:
        params.n_gpu_layers = 0
    params.warmup, params.verbosity = False, -1
    params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
    params.api_keys = [key]  # it always opens a port on the loopback, to anybody and any web page unless told otherwise
    params.cors_origins, params.cors_credentials = "", False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ServerFailed(
            f"llama.cpp cannot load {model.path} ({model.architecture or 'unknown architecture'}): {error}",
            remedy="try a smaller context in the settings, another file, or a newer xllamacpp",
        ) from error


def _error(said: Event, context: int) -> Exception:
    kind, text = str(said.get("type", "")), str(said.get("message", said))
    if kind == "exceed_context_size_error":
        return ContextOverflow(
            f"the request is {said.get('n_prompt_tokens', 'too many')} tokens long, the model has room for {context}",
            remedy="start a new session, or set a larger context in the settings",
            status=400,
            code=kind,
        )
    if said.get("code") == 400:
        return InvalidRequest(f"llama.cpp refuses the request: {text}", status=400, code=kind)
    return ServerFailed(f"llama.cpp failed: {text}", code=kind)
