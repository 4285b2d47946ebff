"""`codetether models`: what can be asked for with -m, what it takes and costs, and model files on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from codetether.cli.completion import provider_names
from codetether.cli.listings import with_runtime
from codetether.cli.table import as_json, print_json, print_table
from codetether.cli.terminal import Screen
from codetether.errors import CodetetherError, UsageError
from codetether.models.completion import ModelRef
from codetether.settings.structure import did_you_mean

if TYPE_CHECKING:
    from codetether import Availability, LocalModel, ModelStore
    from codetether.runtime import Runtime


@click.group("models", invoke_without_command=True)
@click.option("--provider", metavar="NAME", shell_complete=provider_names, help="Only this provider's.")
@as_json
@click.pass_context
def models(ctx: click.Context, provider: str | None, as_json: bool) -> int | None:
    """List the models of the providers: those that are set up first, then what the dated catalogue knows.

    Prices are US dollars per million tokens. `refresh` fetches a newer catalogue; the other subcommands are about
    model files on this machine.
    """
    if ctx.invoked_subcommand:
        return None

    async def listing(runtime: Runtime, screen: Screen) -> int:
        found = await runtime.providers()
        if provider is not None and provider not in [n for p in found for n in (p.name, *p.aliases)]:
            names = [n for p in found for n in (p.name, *p.aliases)]
            raise UsageError(f"no provider {provider!r}{did_you_mean(provider, names)}", remedy="codetether providers")
        chosen = await _chosen(runtime)
        wanted = [one for one in found if provider in (None, one.name, *one.aliases)]
        rows = [row for one in sorted(wanted, key=_usable_first) for row in _rows(runtime, one, chosen)]
        if as_json:
            print_json(screen, rows)
        elif not rows:
            screen.line("No models found")
        else:
            head = ("MODEL", "USABLE", "CONTEXT", "OUTPUT", "$ IN", "$ OUT", "CAN", "")
            print_table(screen, head, [_cells(row) for row in rows])
            for name, date in runtime.catalog.models.dates().items():
                screen.say(f"note: catalogue {name} of {date}; a newer one: codetether models refresh")
        return 0

    return with_runtime(listing)


@models.command("refresh")
@as_json
def refresh(as_json: bool) -> int:
    """Fetch a newer catalogue of models; nothing else ever does. Without network the one that is there stays."""

    async def refreshed(runtime: Runtime, screen: Screen) -> int:
        dates = await runtime.catalog.models.refresh()
        if as_json:
            print_json(screen, [{"catalogue": name, "date": date} for name, date in dates.items()])
        else:
            for name, date in dates.items():
                screen.line(f"{name}: {date}")
        return 0

    return with_runtime(refreshed)


@models.command("list")
@as_json
def list_(as_json: bool) -> int:
    """List the model files that this machine has or can fetch."""

    async def listing(runtime: Runtime, screen: Screen) -> int:
        found = [(name, model) for name, store in runtime.model_stores().items() for model in store.list()]
        if as_json:
            print_json(screen, [{"provider": name, **_file(model)} for name, model in found])
        elif not found:
            screen.line("No model files found")
        else:
            rows = [
                (
                    f"{name}/{m.name}",
                    "yes" if m.present else "no",
                    _size(m.size),
                    m.path if m.present else m.description,
                )
                for name, m in found
            ]
            print_table(screen, ("MODEL", "HERE", "SIZE", "PATH"), rows)
        return 0

    return with_runtime(listing)


@models.command("path")
@click.argument("name", required=False)
@as_json
def path(name: str | None, as_json: bool) -> int:
    """Print where a model file lies; without NAME the default's."""

    async def located(runtime: Runtime, screen: Screen) -> int:
        store, wanted = _store(runtime, name)
        found = [m for m in store.list() if wanted in (None, m.name)]
        if not found:
            raise UsageError(f"no model file {wanted!r}", remedy="`codetether models list` shows those that are known.")
        if as_json:
            print_json(screen, _file(found[0]))
        else:
            screen.line(str(found[0].path))
        if not found[0].present:
            screen.say(f"note: it is not there yet: codetether models pull {found[0].name}")
        return 0 if found[0].present else 1

    return with_runtime(located)


@models.command("pull")
@click.argument("name", required=False)
@as_json
def pull(name: str | None, as_json: bool) -> int:
    """Fetch a model file; without NAME the default."""

    async def pulled(runtime: Runtime, screen: Screen) -> int:
        store, wanted = _store(runtime, name)
        progress = Progress(screen)
        try:
            model = await store.pull(wanted, progress)
        finally:
            progress.close()
        if as_json:
            print_json(screen, _file(model))
        else:
            screen.line(str(model.path))
        return 0

    return with_runtime(pulled)


class Progress:
    """Bytes so far: a bar on a terminal, a line every tenth elsewhere."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._bar: Any = None
        self._tenths = -1

    def __call__(self, done: int, whole: int | None) -> None:
        if whole and not self._screen.err.isatty():
            self._line(done, whole)
        elif whole:
            self._draw(done, whole)

    def _draw(self, done: int, whole: int) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=whole, label="fetching", file=self._screen.err, show_pos=False)
            self._bar.__enter__()
        self._bar.update(done - self._bar.pos)

    def close(self) -> None:
        """Ends the bar's line."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def _line(self, done: int, whole: int) -> None:
        if (tenths := done * 10 // whole) > self._tenths:
            self._tenths = tenths
            self._screen.say(f"fetching: {tenths * 10}% of {_size(whole)}")


def _store(runtime: Runtime, name: str | None) -> tuple[ModelStore, str | None]:
    """The store that is meant, and the name within it: `provider/name`, a provider, or a name that one store knows."""
    stores = runtime.model_stores()
    if not stores:
        raise UsageError(
            "no provider here keeps model files", remedy='Install one: pip install "codetether-agent[local]"'
        )
    if name is None:
        return next(iter(stores.values())), None
    provider, _, rest = name.partition("/")
    if provider in stores:
        return stores[provider], rest or None
    known = next((s for s in stores.values() if name in [m.name for m in s.list()]), next(iter(stores.values())))
    return known, name


async def _chosen(runtime: Runtime) -> ModelRef | None:
    """The model that a run without -m would use, None where it would fail."""
    try:
        return await runtime.resolve(runtime.settings.core.wish)
    except CodetetherError:
        return None


def _usable_first(provider: Availability) -> tuple[bool, str]:
    return not provider.available, provider.name


def _rows(runtime: Runtime, provider: Availability, chosen: ModelRef | None) -> list[dict[str, Any]]:
    """The provider's default and configured models, then the catalogue's."""
    known = runtime.catalog.models
    own = [*([provider.default_model] if provider.default_model else []), *provider.models]
    if chosen is not None and chosen.provider == provider.name:
        own.append(chosen.model)
    return [
        _row(runtime, provider, ModelRef(provider=provider.name, model=name), chosen, configured=name in own)
        for name in dict.fromkeys((*own, *known.names(provider.name)))
    ]


def _row(
    runtime: Runtime, provider: Availability, ref: ModelRef, chosen: ModelRef | None, *, configured: bool
) -> dict[str, Any]:
    known, listed = runtime.catalog.defaults(ref), runtime.catalog.models.listed_in(ref)
    return {
        "id": str(ref),
        "provider": ref.provider,
        "model": ref.model,
        "default": ref.model == provider.default_model,
        "chosen": ref == chosen,
        "available": provider.available,
        "configured": configured,
        "context": known.limits.context,
        "output": known.limits.output,
        "prices": dict(known.prices),
        "capabilities": dict(known.capabilities),
        "catalogue": listed,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    can = [name.replace("tool_call", "tools") for name in ("tool_call", "vision", "reasoning") if _can(row, name)]
    marks = [mark for mark in ("chosen", "default") if row[mark]]
    return (
        row["id"],
        "yes" if row["available"] else "no",
        _tokens(row["context"]),
        _tokens(row["output"]),
        row["prices"].get("input", ""),
        row["prices"].get("output", ""),
        " ".join(can),
        ", ".join(marks),
    )


def _can(row: dict[str, Any], name: str) -> bool:
    return bool(row["capabilities"].get(name))


def _tokens(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _file(model: LocalModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "path": str(model.path),
        "size": model.size,
        "present": model.present,
        "description": model.description,
    }


def _size(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:,.1f} MB"
