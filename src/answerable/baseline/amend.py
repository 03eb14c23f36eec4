"""Amending: what an owner adds to a profile by name, and tools under new names."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from answerable.model.baseline import (
    Accepted,
    Edge,
    Level,
    Pattern,
    Profile,
)


def accept(profile: Profile, accepted: Iterable[Accepted]) -> Profile:
    """Add what an owner accepts: whole calls, or values at an argument."""
    every = {*profile.accepted, *accepted}
    order = sorted(every, key=lambda e: (e.tool, e.path, e.value, e.source))
    return replace(profile, accepted=tuple(order))


def renamed(
    profile: Profile,
    renames: Iterable[tuple[str, str]],
    definitions: Mapping[str, str] | None = None,
) -> Profile:
    """Give the profile for tools that have new names.

    Args:
        profile: As it was learned.
        renames: Pairs (old, new) of `SERVER/TOOL`.
        definitions: SHA-256 of the definitions under the new names, hex; where none is
            given, the definition is the old one.
    """
    pairs = tuple(renames)
    names, pinned = dict(pairs), definitions or {}

    def to(tool: str) -> str:
        return names.get(tool, tool)

    return replace(
        profile,
        capabilities=tuple(
            replace(
                each,
                tool=to(each.tool),
                definition=pinned.get(to(each.tool), each.definition),
            )
            for each in profile.capabilities
        ),
        entities=tuple(replace(e, tool=to(e.tool)) for e in profile.entities),
        edges=tuple(_edge(each, names) for each in profile.edges),
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


def _edge(edge: Edge, names: Mapping[str, str]) -> Edge:
    return replace(
        edge,
        tool=names.get(edge.tool, edge.tool),
        source=names.get(edge.source, edge.source),
        selector=tuple((name, _pattern(each, names)) for name, each in edge.selector),
    )


def _pattern(pattern: Pattern, names: Mapping[str, str]) -> Pattern:
    """Rename the tool that a selector's argument came from."""
    prefix = "earlier:"
    if pattern.level is not Level.ORIGIN or not pattern.text.startswith(prefix):
        return pattern
    tool, blank, field = pattern.text.removeprefix(prefix).partition(" ")
    return replace(pattern, text=f"{prefix}{names.get(tool, tool)}{blank}{field}")
