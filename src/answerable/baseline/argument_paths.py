"""List the JSON paths of call arguments that a baseline profile reads."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from answerable.model.behaviour import ReferenceTable, ToolFacts
from answerable.model.json_key_lookalikes import KeyPath

_DATA = "{}"


def convert_to_member_paths(paths: Iterable[str]) -> tuple[KeyPath, ...]:
    """Convert leaf paths (`cc.x`, `to[]`, `may.{}`) to tuples of member names.

    Args:
        paths: In the form of `arguments.leaves`; a final `*` matches any rest.
    """
    return tuple(
        dict.fromkeys(found for path in paths if (found := _to_member_path(path)))
    )


def list_used_argument_paths(
    facts: Mapping[str, ToolFacts], tables: Iterable[ReferenceTable]
) -> dict[str, tuple[KeyPath, ...]]:
    """Return by tool the argument paths that tool facts and owner tables use."""
    paths: dict[str, list[str]] = defaultdict(list)
    for tool, said in facts.items():
        kinds = (path for path, _ in said.kinds)
        paths[tool] += (*said.sensitive, *said.summed, *kinds)
    for table in tables:
        for tool, path in table.sinks:
            paths[tool].append(path)
    return {tool: convert_to_member_paths(each) for tool, each in paths.items()}


def _to_member_path(path: str) -> KeyPath:
    """Convert one leaf path to member names; a final `*` part is dropped."""
    *names, last = path.split(".")
    if not last.endswith("*"):
        names.append(last)
    return tuple(_iterate_fixed_member_names(names))


def _iterate_fixed_member_names(names: Iterable[str]) -> Iterator[str]:
    """Yield member names up to the first that depends on the data."""
    for name in names:
        plain = name.removesuffix(_DATA)
        while plain.endswith("[]"):
            plain = plain.removesuffix("[]").removesuffix(_DATA)
        if plain:
            yield plain
        if _DATA in name:
            return
