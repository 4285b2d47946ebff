"""The pages of vendors that are only data, and the list of all providers, taken from the code by `make docs`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

from codetether import ProviderSpec
from codetether_provider_vendors.table import VENDORS, Vendor
from pages import out, table

_PAGES = Path(__file__).parent / "how-to" / "providers"
_MOST = 16


def vendor(name: str) -> None:
    """A vendor's page: keys, address, models, what is particular, what is not supported."""
    found = next(each for each in VENDORS if each.name == name)
    out("", "```sh")
    if not found.keyless:
        out(f"export {found.env[0]}=…    # or: codetether auth login {name}")
    out(
        f'codetether run -m {name}{"" if found.default_model else f"/{found.example}"} "what does this project do?"',
        "```",
        "",
    )
    also = f", also {_code(found.aliases)}," if found.aliases else ""
    out(f"`{name}`{also} speaks OpenAI's chat format (`openai-chat`).", "")
    _keys(found)
    _where(found)
    _models(found)
    out("## What is particular", "", *_wrapped(found.notes or "Nothing that is known."), "")
    out("## What is not supported", "")
    text = (
        "Audio, and images as output; several choices of one answer (`n`); log probabilities; tools that run at the "
        "vendor's. Fields of one's own go with every request by `extra_body` under `[providers.NAME.options]`."
    )
    out(*_wrapped(text.replace("NAME", name)), "")


def _keys(found: Vendor) -> None:
    out("## Keys", "")
    rows = [
        ("a variable", f"{_code(found.env)}; the first that is set counts" if len(found.env) > 1 else _code(found.env))
    ]
    rows.append(("kept by codetether", f"`codetether auth login {found.name}`"))
    rows.append(("in Vault", f"`secret/codetether/providers/{found.name}`, as `api_key`"))
    table(("what", "where"), rows)
    if found.keys:
        out("", f"A key comes from <{found.keys}>.")
    out("")


def _where(found: Vendor) -> None:
    out("## Where", "")
    variables = f" {_code(found.base_url_env)} or" if found.base_url_env else ""
    first = f"`{found.base_url}`; another by" if found.base_url else "By"
    out(
        *_wrapped(f"{first}{variables} `base_url` under `[providers.{found.name}]`, or `base_url` beside a kept key."),
        "",
    )


def _models(found: Vendor) -> None:
    out("## Models", "")
    default = f"The default is `{found.default_model}`. " if found.default_model else "There is no default: name one. "
    offered = _offered(found.name)
    command = f"`codetether models --provider {found.name}`"
    if not offered:
        out(*_wrapped(f"{default}Any model that the server has can be named; no catalogue lists them."), "")
        return
    if len(offered) > _MOST:
        out(*_wrapped(f"{default}The catalogue of {_date()} knows {len(offered)}: {command}."), "")
        return
    out(
        *_wrapped(
            f"{default}The catalogue of {_date()} knows these ({command}); prices in US dollars per million tokens:"
        ),
        "",
    )
    rows = []
    for id_, entry in offered.items():
        prices = entry.get("prices", {})
        counts = (f"{entry[name]:,}" if name in entry else "" for name in ("context", "output"))
        rows.append((f"`{id_}`", *counts, prices.get("input", ""), prices.get("output", "")))
    table(("model", "context", "output", "$ in", "$ out"), rows)
    out("")


def providers() -> None:
    """Every provider that our plugins bring."""
    rows = []
    for spec in sorted(_specs(), key=lambda spec: spec.name):
        page = next(
            (p for p in (spec.name, spec.name.removesuffix("-enterprise")) if (_PAGES / f"{p}.md").is_file()), ""
        )
        shown = f"[{spec.name}]({page}.md)" if page else spec.name
        default = f"`{spec.default_model}`" if spec.default_model else ""
        rows.append((shown, _code(spec.aliases), default, _code(spec.env), f"`{spec.wire}`"))
    table(("provider", "also", "default model", "key in", "format"), rows)
    out("")


def _specs() -> list[ProviderSpec]:
    points = [p for p in entry_points(group="codetether") if p.dist and p.dist.name.startswith("codetether-provider-")]
    found: list[ProviderSpec] = []
    for point in points:
        found += getattr(point.load(), "codetether_providers", tuple)()
    return found


def _offered(name: str) -> dict[str, dict[str, Any]]:
    file = files("codetether_provider_vendors") / "catalogue" / f"{name}.json"
    entries = json.loads(file.read_text()) if file.is_file() else {}
    return {id_: entry for id_, entry in entries.items() if not entry.get("retired")}


def _date() -> str:
    about = files("codetether_provider_vendors") / "catalogue" / "about.json"
    return str(json.loads(about.read_text())["date"])


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 128, break_long_words=False, break_on_hyphens=False)
