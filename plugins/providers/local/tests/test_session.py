"""A whole prompt through the house, with the real model and the real file tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from codetether import LocalModel, ModelNotFound, Runtime, ToolCallComplete
from codetether_provider_local.settings import DEFAULT_MODEL


async def test_a_prompt_without_key_account_or_server(model_path: Path, tmp_path: Path) -> None:
    (tmp_path / "poem.txt").write_text("roses\n")
    said: list[tuple[str, str]] = []
    settings: dict[str, Any] = {"plugins": {"local": {"model_path": str(model_path), "context": 2048, "threads": 1}}}
    async with (
        Runtime.open(settings, on_notice=lambda source, text: said.append((source, text))) as runtime,
        runtime.session(model="local", directory=tmp_path) as session,
    ):
        events = [event async for event in session.stream("list the files here")]
    (done,) = [event for event in events if isinstance(event, ToolCallComplete)]
    assert (done.name, done.success) == ("list", True)
    assert "poem.txt" in done.output
    tiny = [text for source, text in said if source == "local"]
    assert len(tiny) == 1
    assert "is a tiny model" in tiny[0]


async def test_models_are_listed_and_a_wrong_name_is_an_error_that_helps(model_path: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"plugins": {"local": {"models": {"mine": str(model_path)}}}}
    async with Runtime.open(settings) as runtime:
        store = runtime.model_stores()["local"]
        assert [(model.name, model.present) for model in store.list()] == [(DEFAULT_MODEL, False), ("mine", True)]
        own = LocalModel(
            name="mine",
            path=model_path,
            size=model_path.stat().st_size,
            present=True,
            description="named in the settings",
        )
        assert await store.pull("mine", lambda done, whole: None) == own
        with pytest.raises(ModelNotFound, match="no model 'other' can be fetched") as raised:
            await store.pull("other", lambda done, whole: None)
        assert "plugins.local.models.other" in raised.value.remedy
