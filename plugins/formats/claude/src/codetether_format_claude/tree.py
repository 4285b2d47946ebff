"""The tree that a session's records make, and the branch of it that is the conversation."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field
from codetether import Fields

SPEAKERS = ("user", "assistant")


@define(eq=False)
class Node:
    """A record in the tree; `number` is its place in the file."""

    record: Fields
    number: int
    kind: str
    uuid: str
    parent: Node | None = None
    message: Fields = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.message = self.record.object("message")

    @property
    def speaks(self) -> bool:
        return self.kind in SPEAKERS

    @property
    def results(self) -> list[str]:
        """The ids of the calls whose results it holds."""
        return [p.text("tool_use_id") for p in self.message.objects("content") if p.text("type") == "tool_result"]

    @property
    def calls(self) -> list[str]:
        """The ids of the calls that it makes."""
        return [p.text("id") for p in self.message.objects("content") if p.text("type") == "tool_use"]


@define
class Tree:
    """The records of one conversation, each below the one that it answers.

    Attributes:
        left: how many messages stand on branches that were left, and on how many branches.
    """

    nodes: list[Node]
    left: tuple[int, int] = (0, 0)
    _by_uuid: dict[str, Node] = field(factory=dict)

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Tree:
        """Links the nodes: one whose parent is not there, or would be below itself, follows the one before it."""
        tree = cls(list(nodes))
        for node in tree.nodes:
            tree._by_uuid.setdefault(node.uuid, node)
        linked = any(node.record.text("parentUuid") in tree._by_uuid for node in tree.nodes)
        before: Node | None = None
        for node in tree.nodes:
            node.parent = tree._parent(node, before, linked=linked)
            before = node
        return tree

    def _parent(self, node: Node, before: Node | None, *, linked: bool) -> Node | None:
        named = node.record.text("parentUuid", "logicalParentUuid")
        found = self._by_uuid.get(named)
        if found is not None and found.number < node.number:
            return found
        rewound = linked and not named and node.kind == "user" and not node.results and "parentUuid" in node.record
        return None if rewound else before

    def branch(self) -> list[Node]:
        """From the root to the newest leaf, with the lines that belong to its messages wherever they hang."""
        newest = next((node for node in reversed(self.nodes) if node.speaks), None)
        chosen: set[int] = set()
        node = newest
        while node is not None:
            chosen.add(node.number)
            node = node.parent
        self._complete(chosen)
        others = [node for node in self.nodes if node.speaks and node.number not in chosen]
        inner = {node.parent.number for node in others if node.parent is not None}
        leaves = [node for node in others if node.number not in inner]
        self.left = (len(others), len(leaves))
        return [node for node in self.nodes if node.number in chosen]

    def _complete(self, chosen: set[int]) -> None:
        """Calls of one response made side by side, and their results, hang beside the branch: they belong to it."""
        responses = {response_of(n) for n in self.nodes if n.number in chosen and n.kind == "assistant"} - {""}
        for node in self.nodes:
            if node.kind == "assistant" and node.number not in chosen and response_of(node) in responses:
                chosen.add(node.number)
        calls = {call for n in self.nodes if n.number in chosen for call in n.calls}
        answered = {call for n in self.nodes if n.number in chosen for call in n.results}
        for node in self.nodes:
            mine = set(node.results)
            if node.number not in chosen and mine and mine <= calls and not mine & answered:
                chosen.add(node.number)
                answered |= mine


def response_of(node: Node) -> str:
    """What the lines of one response share; empty where it cannot be told."""
    request, message = node.record.text("requestId"), node.message.text("id")
    return f"{request} {message}" if request and message else ""
