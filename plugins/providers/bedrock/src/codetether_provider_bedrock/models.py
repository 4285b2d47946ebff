"""Ids of models on Bedrock: whose a model is."""

from __future__ import annotations

_REGIONS = frozenset({"us", "us-gov", "eu", "apac", "jp", "au", "ca", "sa", "global"})


def maker(model: str) -> str:
    """Who made a model, e.g. `anthropic`, from its id, its inference profile's id or an ARN that ends in one.

    Empty where the id does not tell, as those of imported models and of application profiles.
    """
    id_ = model.rpartition("/")[2] if model.startswith("arn:") else model
    head, dot, rest = id_.partition(".")
    if head in _REGIONS and dot:
        head, dot, _ = rest.partition(".")
    return head if dot else ""


def same_maker(one: str, other: str) -> bool:
    """Whether two ids are of one maker, who takes back what it signed."""
    return one == other or (maker(one) == maker(other) != "")
