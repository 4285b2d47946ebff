"""What selectors, and the plain data of agents, providers, models and settings, keep."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import attrs

from codetether.errors import CodetetherError
from codetether.models.completion import ModelRef
from codetether.models.providers import Availability
from codetether.settings.core import MODES
from codetether.specs import ModelDefaults
from codetether.testing.promises import BrokenPromise, NotTried, Promise, promises, require, within
from codetether.testing.trial import Trial

AVAILABLE = (
    Availability(name="first", available=False, default_model="a", reason="no key"),
    Availability(name="second", available=True, default_model="b", models=("b", "c/d"), source="env:X"),
    Availability(name="third", available=True, default_model="e", models=("e",)),
)
WISHES = (None, "second", "second/b", "second/c/d", "third/e", "b")
ODD = ("", "/", "//", "nobody/nothing", "\0", "\ud800", "x" * 10_000, "first/a", "second/", "/b", "日本")


async def selected(selector: Any, wish: str | None, available: Sequence[Availability]) -> tuple[ModelRef, ...]:
    """The models that it chooses; none where it passes, or says with a named error that there is none."""
    try:
        made = await within(10, selector.select(wish, available))
    except CodetetherError:
        return ()
    except Exception as error:
        raise BrokenPromise(f"select({wish!r:.40}) raised {type(error).__name__}: {str(error)[:200]}") from error
    good = made is None or (isinstance(made, Sequence) and all(isinstance(ref, ModelRef) for ref in made))
    require(good, f"select({wish!r:.40}) gave {made!r:.80}, neither ModelRefs nor None")
    return tuple(made or ())


async def every_wish_is_answered(trial: Trial) -> None:
    """A wish is answered by models, by None, or by a named error, even where nobody is available."""
    selector = await trial.make()
    for available in (AVAILABLE, ()):
        for wish in (*WISHES, *ODD):
            await selected(selector, wish, available)


async def what_cannot_be_used_is_not_chosen(trial: Trial) -> None:
    """Without a wish, the first choice is a provider that can be used."""
    chosen = await selected(await trial.make(), None, AVAILABLE)
    bad = [str(ref) for ref in chosen[:1] if ref.provider not in ("second", "third")]
    require(not bad, f"it chooses {', '.join(bad)}, which cannot be used")


async def the_same_wish_gets_the_same_models(trial: Trial) -> None:
    """Nothing but the wish and what is available decides."""
    selector = await trial.make()
    for wish in WISHES:
        said = {await selected(selector, wish, AVAILABLE) for _ in range(3)}
        require(len(said) == 1, f"the wish {wish!r} is answered by {len(said)} different choices")


async def an_agent_can_be_chosen(trial: Trial) -> None:
    """An agent's name can be typed, it says what it is for, and its limits can be reached."""
    agent = trial.record
    require(
        re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,49}", agent.name), f"the name {agent.name!r} cannot be typed after --agent"
    )
    require(agent.description.strip(), f"{agent.name} has no description for `codetether agents`")
    require(agent.max_steps is None or agent.max_steps > 0, f"{agent.name} may take {agent.max_steps} steps")
    require(agent.mode is None or agent.mode in MODES, f"{agent.name} has the mode {agent.mode!r}")
    require(agent.tools is None or all(agent.tools), f"{agent.name} names a tool without a name")


async def a_provider_can_be_reached(trial: Trial) -> None:
    """A provider's name can be typed, its address is a URL without a key, its variables are names of variables."""
    spec = trial.record
    for name in (spec.name, *spec.aliases):
        require(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name), f"the name {name!r} cannot be typed before a model's")
    url = urlsplit(spec.base_url)
    good = not spec.base_url or (
        url.scheme in ("http", "https") and url.hostname and not url.username and not url.query
    )
    require(good, f"the base_url {spec.base_url!r} is no plain http(s) URL")
    odd = [name for name in (*spec.env, *spec.base_url_env) if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name)]
    require(not odd, f"{odd} is no name of a variable")
    require(spec.keyless or spec.env, f"{spec.name} needs a key, and names no variable that could hold it (env)")


async def what_is_said_of_models_is_plausible(trial: Trial) -> None:
    """Sampling, limits and prices are numbers that a provider takes."""
    spec = trial.record
    fits = spec.match == spec.match.lower() and ("/" in spec.match or spec.match.startswith("*"))
    require(fits, f"{spec.match!r} fits nothing: a match is a glob over the lower-case `provider/model`")
    numbers_are_plausible(spec, spec.match)


def numbers_are_plausible(spec: ModelDefaults, of: str) -> None:
    """Prices are amounts, sampling and limits are numbers."""
    for name, price in spec.prices.items():
        try:
            good = Decimal(price) >= 0 and Decimal(price).is_finite()
        except (InvalidOperation, TypeError):
            good = False
        require(good, f"the price of {name} of {of} is {price!r}, no amount of dollars")
    sampling, limits = spec.sampling, spec.limits
    values = (sampling.temperature, sampling.top_p, sampling.max_output_tokens, limits.context, limits.output)
    odd = [value for value in values if value is not None and not (math.isfinite(value) and value >= 0)]
    require(not odd, f"sampling and limits of {of} hold {odd}")


async def a_catalogue_is_dated_and_plausible(trial: Trial) -> None:
    """A catalogue says of which day it is, lists models by their ids, and what it says of them is plausible."""
    made = await trial.make()
    require(re.match(r"\d{4}-\d\d-\d\d", str(made.date)), f"its date is {made.date!r}, not YYYY-MM-DD")
    for provider in ("openai", "anthropic", "openrouter", "nobody-at-all"):
        for name in list(made.models(provider))[:20]:
            ref = ModelRef(provider=provider, model=name)
            found = made.defaults(ref)
            require(isinstance(found, ModelDefaults), f"it lists {ref} and says {found!r:.80} of it")
            numbers_are_plausible(found, str(ref))


async def an_unknown_model_is_no_error(trial: Trial) -> None:
    """A catalogue answers None for a model that it does not know, however it is spelled."""
    made = await trial.make()
    for model in ("", "no/such/model", "../../etc/passwd", "x" * 5000, "ü☃\u2028"):
        found = made.defaults(ModelRef(provider="nobody-at-all", model=model))
        require(found is None, f"it says {found!r:.80} of nobody-at-all/{model:.40}")


async def settings_have_defaults(trial: Trial) -> None:
    """A plugin works without a section of its own: every setting has a default."""
    cls = trial.record.cls
    without = [a.name for a in attrs.fields(cls) if a.init and a.default is attrs.NOTHING]
    require(not without, f"{cls.__name__} has no default for {', '.join(without)}")
    cls()


async def settings_do_not_change(trial: Trial) -> None:
    """The class is frozen: settings are read once, and are the same for everyone."""
    try:
        made = trial.record.cls()
    except TypeError as error:
        raise NotTried("it has settings without defaults") from error
    for attribute in attrs.fields(trial.record.cls):
        try:
            setattr(made, attribute.name, getattr(made, attribute.name))
        except attrs.exceptions.FrozenInstanceError:
            continue
        raise BrokenPromise(f"{trial.record.cls.__name__}.{attribute.name} can be changed; use attrs.frozen")


async def settings_hold_no_secret(trial: Trial) -> None:
    """No setting is a key, a token or a password: those come from credential sources, never from a file of settings."""
    words = re.compile(r"(^|_)(api_?key|token|password|passwd|secret)$")
    odd = [a.name for a in attrs.fields(trial.record.cls) if words.search(a.name)]
    require(not odd, f"{trial.record.cls.__name__} asks for a secret in a file of settings: {', '.join(odd)}")


PROMISES: tuple[Promise, ...] = (
    *promises(
        "selectors", every_wish_is_answered, what_cannot_be_used_is_not_chosen, the_same_wish_gets_the_same_models
    ),
    *promises("agents", an_agent_can_be_chosen),
    *promises("providers", a_provider_can_be_reached),
    *promises("model_defaults", what_is_said_of_models_is_plausible),
    *promises("catalogues", a_catalogue_is_dated_and_plausible, an_unknown_model_is_no_error),
    *promises("settings", settings_have_defaults, settings_do_not_change, settings_hold_no_secret),
)
