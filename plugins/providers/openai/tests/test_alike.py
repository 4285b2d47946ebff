"""Events that are alike are read as any others."""

from __future__ import annotations

import orjson
from codetether import StreamChunk
from codetether_http import ServerSentEvent
from codetether_provider_openai.alike import Alike
from codetether_provider_openai.parser import ChatParser
from hypothesis import given, settings
from hypothesis import strategies as st

TEXTS = ("", "a", "tok ", '", "', "\\", '"', "\n", "é", "text", "content", "\0?")
FRAMES = (
    '{"id":"1","choices":[{"index":0,"delta":{"content":%s},"finish_reason":null}]}',
    '{"id": "1", "note": "a", "choices": [{"index": 0, "delta": {"content": %s}}], "more": ["tok ", "\\"tok "]}',
    '{"choices":[{"index":1,"delta":{"content":"a"}},{"index":0,"delta":{"content":%s}}]}',
    '{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":%s}]},"finish_reason":"stop"}]}',
    '{"choices":[{"index":0,"delta":{"content":%s},"finish_reason":"length"}],"usage":{"prompt_tokens":1}}',
    '{"choices":[{"index":0,"delta":{"content":%s}}],"usage":{"prompt_tokens":2}}',
    '{"choices":[{"index":0,"message":{"content":%s,"reasoning_content":"a"}}]}',
    '{"choices":[{"index":0,"delta":{"content":"a","refusal":%s}}]}',
)


def read(parser: ChatParser, events: list[str]) -> list[StreamChunk]:
    return [chunk for data in [*events, "[DONE]"] for chunk in parser.feed(ServerSentEvent(data.encode()))]


class Blind(Alike):
    """Finds no event like another."""

    def text(self, data: bytes) -> None:
        return None


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(FRAMES), st.lists(st.sampled_from([*TEXTS, None, [], {"a": 1}]), min_size=1)),
        max_size=5,
    )
)
def test_whatever_is_alike_the_same_chunks_come(runs: list[tuple[str, list[object]]]) -> None:
    events = [frame % orjson.dumps(text).decode() for frame, texts in runs for text in texts]
    blind = ChatParser("acme")
    blind._alike = Blind()
    assert read(ChatParser("acme"), events) == read(blind, events)


def test_only_the_text_is_looked_at_once_an_event_is_like_the_one_before() -> None:
    alike, parser = Alike(), ChatParser("acme")
    parser._alike = alike
    for text in ('"tok "', '"more"'):
        parser.feed(ServerSentEvent((FRAMES[0] % text).encode()))
    texts = {'"a"': "a", '"\\u00e9\\n"': "é\n", '""': "", "1": None, '"a","b":"c"': None}
    assert {text: alike.text((FRAMES[0] % text).encode()) for text in texts} == texts
