"""Translate AuthZEN questions into MCP calls, by a tool's approved mapping.

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

from answerable.model.decision import TargetKind
from answerable.pdp.mcp_vocabulary import McpCallQuery, find_mcp_target
from answerable.pdp.wire.evaluation_request import EvaluationRequest
from answerable.pdp.wire.tool_mapping import (
    JsonPath,
    MappingConstant,
    MappingEntry,
    MappingLeaf,
    MappingReference,
    MappingRejected,
    parse_mapping,
)

CALL_METHOD = "tools/call"
MAX_CACHED = 4096  # mappings that are remembered as read

ApprovedMappings = Callable[[], Mapping[tuple[str, str], str]]
_MISSING = object()


class ToolMappingResolver:
    """Resolver of questions by approved mappings.

    Args:
        approved: Returns the approved mappings: (server, tool) -> JSON.
        refused: Called once with (server, tool, why) of each unusable mapping.
    """

    def __init__(
        self, approved: ApprovedMappings, refused: Callable[[str, str, str], None]
    ) -> None:
        self._approved, self._refused = approved, refused
        self._read: dict[str, tuple[MappingEntry, ...]] = {}
        self._told: set[tuple[str, str, str]] = set()

    def find_calls(
        self, evaluation: EvaluationRequest, servers: Sequence[str]
    ) -> list[McpCallQuery]:
        """Return the MCP calls that an evaluation means; empty without a mapping.

        Args:
            servers: Servers in scope, empty for all.
        """
        found = []
        for (server, tool), text in sorted(self._approved().items()):
            if servers and server not in servers:
                continue
            entries = self._get_mapping_entries(server, tool, text)
            if any(
                _entry_produces_evaluation(each, evaluation, tool) for each in entries
            ):
                found.append(McpCallQuery(server, CALL_METHOD, TargetKind.TOOL, tool))
        return found

    def _get_mapping_entries(
        self, server: str, tool: str, text: str
    ) -> tuple[MappingEntry, ...]:
        """Return the parsed entries of a mapping, from the cache if possible."""
        found = self._read.get(text)
        if found is None:
            if len(self._read) >= MAX_CACHED:
                self._read.clear()
            found = self._read[text] = self._parse_mapping_entries(server, tool, text)
        return found

    def _parse_mapping_entries(
        self, server: str, tool: str, text: str
    ) -> tuple[MappingEntry, ...]:
        """Parse a mapping; an unusable one has no entries and is reported once."""
        try:
            entries = parse_mapping(text)
            if any(find_mcp_target(each.action, each.type) for each in entries):
                # The words of MCP itself cannot be remapped.
                raise MappingRejected(
                    "vocabulary", "expected actions and types other than those of MCP"
                )
        except MappingRejected as refused:
            if (server, tool, text) not in self._told:
                self._told.add((server, tool, text))
                self._refused(server, tool, refused.why)
            return ()
        return entries


def _entry_produces_evaluation(
    entry: MappingEntry, evaluation: EvaluationRequest, tool: str
) -> bool:
    """Return whether a mapping entry maps some call to this evaluation."""
    named = (evaluation.action.name, evaluation.resource.type)
    if (entry.action, entry.type) != named:
        return False
    spelled = evaluation.action.arguments
    arguments = None if spelled is None else json.loads(spelled)
    return all(
        _mapped_value_matches(
            leaf, _get_value_at_path(evaluation.said, keys), arguments, tool
        )
        for keys, leaf in _iterate_compared_values(entry)
    )


def _iterate_compared_values(
    entry: MappingEntry,
) -> Iterator[tuple[JsonPath, MappingLeaf]]:
    """Yield the mapped values to compare: all but subject and token claims."""
    for keys, leaf in entry.leaves.items():
        is_claim = isinstance(leaf, MappingReference) and leaf.root == "token"
        if keys[0] != "subject" and not is_claim:
            yield keys, leaf


def _mapped_value_matches(
    leaf: MappingLeaf, value: Any, arguments: Any, tool: str
) -> bool:
    """Return whether a value equals what the mapping makes of the call."""
    if isinstance(leaf, MappingConstant):
        return value is _MISSING or _json_equal(value, json.loads(leaf.spelled))
    if leaf.keys == ("name",):
        return bool(value == tool)
    if arguments is None:
        return True
    return _json_equal(value, _get_value_at_path(arguments, leaf.argument_path))


def _get_value_at_path(value: Any, keys: JsonPath) -> Any:
    """Return the value at a path of object keys; `_MISSING` if it does not exist."""
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _json_equal(one: Any, other: Any) -> bool:
    """Compare as JSON: in Python true is 1."""
    if one is _MISSING or other is _MISSING:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
