"""Questions in the vocabulary of a tool's approved AuthZEN mapping.

An enforcement point that follows COAZ-MCP asks about `get_customer` on
`customer`/`cust-12345` if a tool maps its calls so. The decision is about the call of
that tool. If several tools map to the same words, each must be allowed, so an approved
mapping loosens no answer.

Arguments are taken from the question (`action.properties.arguments`), and the mapped
values must equal theirs. Without arguments, rules that depend on them deny.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from answerable.model.decision import Target
from answerable.pdp.mcp_vocabulary import Asked, target_of
from answerable.pdp.wire.evaluation_request import Evaluation
from answerable.pdp.wire.tool_mapping import (
    Constant,
    Entry,
    Keys,
    Leaf,
    MappingRefused,
    Place,
    read_mapping,
)

CALL = "tools/call"
MOST_KEPT = 4096  # mappings that are remembered as read

Approved = Callable[[], Mapping[tuple[str, str], str]]
_MISSING = object()


class Mapped:
    """Resolver of questions by approved mappings.

    Args:
        approved: Returns the approved mappings: (server, tool) -> JSON.
        refused: Called once with (server, tool, why) of each unusable mapping.
    """

    def __init__(
        self, approved: Approved, refused: Callable[[str, str, str], None]
    ) -> None:
        self._approved, self._refused = approved, refused
        self._read: dict[str, tuple[Entry, ...]] = {}
        self._told: set[tuple[str, str, str]] = set()

    def find(self, evaluation: Evaluation, servers: Sequence[str]) -> list[Asked]:
        """Return the calls that a question is about; empty without a matching mapping.

        Args:
            servers: Servers in scope, empty for all.
        """
        found = []
        for (server, tool), text in sorted(self._approved().items()):
            if servers and server not in servers:
                continue
            entries = self._entries(server, tool, text)
            if any(_fits(each, evaluation, tool) for each in entries):
                found.append(Asked(server, CALL, Target.TOOL, tool))
        return found

    def _entries(self, server: str, tool: str, text: str) -> tuple[Entry, ...]:
        found = self._read.get(text)
        if found is None:
            if len(self._read) >= MOST_KEPT:
                self._read.clear()
            found = self._read[text] = self._taken(server, tool, text)
        return found

    def _taken(self, server: str, tool: str, text: str) -> tuple[Entry, ...]:
        try:
            entries = read_mapping(text)
            if any(target_of(each.action, each.type) for each in entries):
                # The words of MCP itself cannot be remapped.
                raise MappingRefused("vocabulary", "words of its own were expected")
        except MappingRefused as refused:
            if (server, tool, text) not in self._told:
                self._told.add((server, tool, text))
                self._refused(server, tool, refused.why)
            return ()
        return entries


def _fits(entry: Entry, evaluation: Evaluation, tool: str) -> bool:
    """Tell whether a mapping entry produces a question."""
    named = (evaluation.action.name, evaluation.resource.type)
    if (entry.action, entry.type) != named:
        return False
    spelled = evaluation.action.arguments
    arguments = None if spelled is None else json.loads(spelled)
    return all(
        _agrees(leaf, _at(evaluation.said, keys), arguments, tool)
        for keys, leaf in _judged(entry)
    )


def _judged(entry: Entry) -> Iterator[tuple[Keys, Leaf]]:
    for keys, leaf in entry.leaves.items():
        is_claim = isinstance(leaf, Place) and leaf.root == "token"
        if keys[0] != "subject" and not is_claim:
            yield keys, leaf


def _agrees(leaf: Leaf, said: Any, arguments: Any, tool: str) -> bool:
    """Tell whether a value equals what the mapping makes of the call."""
    if isinstance(leaf, Constant):
        return said is _MISSING or _same(said, json.loads(leaf.spelled))
    if leaf.keys == ("name",):
        return bool(said == tool)
    if arguments is None:
        return True
    return _same(said, _at(arguments, leaf.argument))


def _at(value: Any, keys: Keys) -> Any:
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON: in Python true is 1."""
    if one is _MISSING or other is _MISSING:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
