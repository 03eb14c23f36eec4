"""Questions that are asked in the words of a tool's approved mapping.

An enforcement point that follows COAZ-MCP asks about `get_customer` on
`customer`/`cust-12345` where a tool maps its calls so. What is decided is what would be
done: the call of that tool. Where several tools map to the same words, all of them are
asked about, and each has to be allowed; so an approved mapping makes no answer looser.

Arguments are those that the question holds whole (`action.properties.arguments`). The
mapped values have to be theirs. Without them what depends on arguments is denied.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from answerable.api.vocabulary import Asked, target_of
from answerable.api.wire.entities import Evaluation
from answerable.api.wire.mapping import (
    Constant,
    Entry,
    Keys,
    Leaf,
    MappingRefused,
    Place,
    read_mapping,
)
from answerable.model.decision import Target

CALL = "tools/call"
MOST_KEPT = 4096  # mappings that are remembered as read

Approved = Callable[[], Mapping[tuple[str, str], str]]
_MISSING = object()


class Mapped:
    """Finds the calls that a question is about.

    Args:
        approved: Gives the mappings that persons approved: (server, tool) -> JSON.
        refused: Told (server, tool, why) of each that is not used, once.
    """

    def __init__(
        self, approved: Approved, refused: Callable[[str, str, str], None]
    ) -> None:
        self._approved, self._refused = approved, refused
        self._read: dict[str, tuple[Entry, ...]] = {}
        self._told: set[tuple[str, str, str]] = set()

    def find(self, evaluation: Evaluation, servers: Sequence[str]) -> list[Asked]:
        """Give the calls; none where no approved mapping has these words.

        Args:
            evaluation: The question.
            servers: Which may be asked about, empty for all.
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
                # Those words are MCP's own, and mean what they say.
                raise MappingRefused("vocabulary", "words of its own were expected")
        except MappingRefused as refused:
            if (server, tool, text) not in self._told:
                self._told.add((server, tool, text))
                self._refused(server, tool, refused.why)
            return ()
        return entries


def _fits(entry: Entry, evaluation: Evaluation, tool: str) -> bool:
    """Say whether a question is one that a mapping leads to."""
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
    """Say whether what was asked is what the mapping would have made of the call."""
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
