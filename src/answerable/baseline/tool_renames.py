"""Apply tool renames to a profile and to recorded calls.

The rename map is part of the profile (`renames`), so its owner signs it.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from answerable.model.baseline import (
    BaselineProfile,
    CapabilityEntry,
    EntityPattern,
    FlowEntry,
    GeneralisationLevel,
)
from answerable.model.behaviour import CallObservation, ValueOrigin

_EARLIER = "earlier:"


def rename_tools(
    profile: BaselineProfile,
    renames: Iterable[tuple[str, str]],
    definitions: Mapping[str, str] | None = None,
) -> BaselineProfile:
    """Apply tool renames to a profile.

    Args:
        renames: Pairs (old, new) of `SERVER/TOOL`.
        definitions: SHA-256 of the definitions under the new names, hex; the old
            definition applies if missing.
    """
    pairs = tuple(renames)
    names = dict(pairs)

    def to(tool: str) -> str:
        return names.get(tool, tool)

    return replace(
        profile,
        capabilities=_rename_profile_tools(
            profile.capabilities, names, definitions or {}
        ),
        entities=tuple(replace(e, tool=to(e.tool)) for e in profile.entities),
        edges=tuple(_rename_flow_edge_tools(each, names) for each in profile.edges),
        orders=tuple(
            replace(
                each,
                tool=to(each.tool),
                reads=tuple(tuple(sorted(map(to, reads))) for reads in each.reads),
            )
            for each in profile.orders
        ),
        bounds=tuple(replace(each, tool=to(each.tool)) for each in profile.bounds),
        accepted=tuple(
            replace(each, tool=to(each.tool), source=to(each.source))
            for each in profile.accepted
        ),
        renames=(*profile.renames, *pairs),
    )


def _rename_profile_tools(
    capabilities: Iterable[CapabilityEntry],
    names: Mapping[str, str],
    pinned: Mapping[str, str],
) -> tuple[CapabilityEntry, ...]:
    """Rename tools; of entries that become equal keep the most seen."""
    found: dict[tuple[str, str], CapabilityEntry] = {}
    for each in capabilities:
        tool = names.get(each.tool, each.tool)
        key = tool, pinned.get(tool, each.definition)
        known = found.get(key)
        if known is None or known.tally.count < each.tally.count:
            found[key] = replace(each, tool=key[0], definition=key[1])
    return tuple(found.values())


def _rename_flow_edge_tools(edge: FlowEntry, names: Mapping[str, str]) -> FlowEntry:
    """Rename the tools of one flow edge."""
    return replace(
        edge,
        tool=names.get(edge.tool, edge.tool),
        source=names.get(edge.source, edge.source),
        selector=tuple(
            (name, _rename_pattern_tool(each, names)) for name, each in edge.selector
        ),
    )


def _rename_pattern_tool(
    pattern: EntityPattern, names: Mapping[str, str]
) -> EntityPattern:
    """Rename the tool that a selector's argument came from."""
    if pattern.level is not GeneralisationLevel.ORIGIN:
        return pattern
    return replace(pattern, text=_rename_explanation(pattern.text, names))


def resolve_renames(renames: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map each old tool name to its newest name."""
    names: dict[str, str] = {}
    for old, new in renames:
        names = {first: new if last == old else last for first, last in names.items()}
        names[old] = new
    return names


def rename_call(call: CallObservation, names: Mapping[str, str]) -> CallObservation:
    """Apply tool renames to a recorded call."""
    return dataclasses.replace(
        call,
        tool=names.get(call.tool, call.tool),
        after=tuple(names.get(each, each) for each in call.after),
        values=tuple(
            dataclasses.replace(
                value,
                origins=tuple(
                    _rename_origin_tools(each, names) for each in value.origins
                ),
            )
            for value in call.values
        ),
    )


def _rename_origin_tools(origin: ValueOrigin, names: Mapping[str, str]) -> ValueOrigin:
    """Replace old tool names in the recorded origin of a value."""
    return dataclasses.replace(
        origin,
        source=names.get(origin.source, origin.source),
        selector=tuple(
            (argument, _rename_explanation(token, names))
            for argument, token in origin.selector
        ),
    )


def _rename_explanation(text: str, names: Mapping[str, str]) -> str:
    """Rename the tool of an explanation `earlier:TOOL FIELD`."""
    if not text.startswith(_EARLIER):
        return text
    tool, blank, rest = text.removeprefix(_EARLIER).partition(" ")
    return f"{_EARLIER}{names.get(tool, tool)}{blank}{rest}"
