"""What was rendered of messages, kept for as long as they live."""

from __future__ import annotations

import gc

from codetether import Message, user
from codetether_http import Kept


def test_a_message_is_rendered_once_and_forgotten_with_it() -> None:
    rendered, forgotten = [], []

    def render(message: Message) -> str:
        rendered.append(message.text)
        return f"<{message.text}>"

    kept = Kept(render, lambda: forgotten.append(len(kept)))
    messages = [user(str(number)) for number in range(5)]
    for number in range(1, 6):
        assert kept.of(messages[:number]) == [f"<{n}>" for n in range(number)]
    assert kept.of(messages[2:]) == ["<2>", "<3>", "<4>"]
    assert (rendered, len(kept)) == (["0", "1", "2", "3", "4"], 5)
    del messages[1:]
    gc.collect()
    assert (len(kept), forgotten) == (1, [4, 3, 2, 1])


def test_equal_messages_are_not_confused_and_what_is_cleared_is_rendered_anew() -> None:
    rendered: list[Message] = []
    kept = Kept(rendered.append)
    twins = [user("same"), user("same")]
    kept.of(twins)
    kept.clear()
    kept.of(twins)
    assert [id(message) for message in rendered] == [id(message) for message in twins * 2]
