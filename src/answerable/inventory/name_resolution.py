"""Find the entity that user input names: by id, ARN or unambiguous name."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal

from answerable.inventory.person_directory import get_person_handle
from answerable.model.errors import AmbiguousError, UnknownNameError
from answerable.model.inventory import Inventory, NameEntry, NameTable

EntityKind = Literal["agent", "tool", "identity", "credential", "person"]
ENTITY_KINDS: tuple[EntityKind, ...] = (
    "agent",
    "tool",
    "identity",
    "credential",
    "person",
)

_MAX_COMPARED = 2_000
_AFFIX_LENGTH = 3


def resolve_entity_by_name(
    inventory: Inventory, text: str, kinds: Sequence[EntityKind] = ENTITY_KINDS
) -> str:
    """Find the single entity that a text names; several or none are an error.

    Args:
        inventory: The inventory to search.
        text: An id, an ARN (of a session too), a key id, or a name.
        kinds: Accepted kinds.

    Raises:
        AmbiguousError: Several entities match; they are listed.
        UsageError: No entity matches; the hint is the nearest spelling.
    """
    asked = text.strip()
    table = inventory.names
    if table is None:
        table = inventory.get_or_compute_value(
            f"names {' '.join(kinds)}", _create_name_table_builder(kinds)
        )
    entries = [e for e in table.entries.get(asked.lower(), ()) if e.kind in kinds]
    if any(e.id == asked for e in entries if not e.spelling):
        return asked
    if "identity" in kinds:
        principal = _find_iam_principal_by_name(asked, table)
        if principal:
            return principal
    spelled = [e for e in entries if e.spelling]
    found = {e.id for e in spelled if e.spelling == asked} or {e.id for e in spelled}
    if len(found) == 1:
        return found.pop()
    if found:
        raise AmbiguousError(
            f"{asked!r} matches {len(found)} items (expected one)",
            tuple(sorted(found)),
        )
    raise _build_unknown_name_error(asked, kinds, _list_name_spellings(table, kinds))


def _find_iam_principal_by_name(name: str, name_table: NameTable) -> str:
    """Return the canonical id of an IAM user, role or session, else an empty text."""
    from answerable.inventory.canonical_ids import parse_iam_principal_arn

    key = parse_iam_principal_arn(name)
    return name_table.principals.get(":".join(key), "") if key is not None else ""


def build_entity_name_table(
    inventory: Inventory, kinds: Sequence[EntityKind] = ENTITY_KINDS
) -> NameTable:
    """Index all forms of the names of entities of some kinds."""
    from answerable.inventory.canonical_ids import CanonicalIds

    entries: dict[str, list[NameEntry]] = defaultdict(list)
    for kind in kinds:
        for key in _ID_LISTERS[kind](inventory):
            entries[_lower(key)].append(NameEntry(kind, key, ""))
        for key, spellings in _NAME_LISTERS[kind](inventory):
            for spelling in spellings:
                if spelling:
                    entries[_lower(spelling)].append(NameEntry(kind, key, spelling))
    principals: dict[str, str] = {}
    if "identity" in kinds:
        chosen = CanonicalIds(
            inventory.facts.identities
        ).get_canonical_ids_by_principal()
        principals = {":".join(key): one for key, one in chosen.items()}
    found = {name: tuple(dict.fromkeys(listed)) for name, listed in entries.items()}
    return NameTable(found, principals)


def _lower(text: str) -> str:
    """Lower a text; one that is lower already is not copied."""
    lowered = text.lower()
    return text if text == lowered else lowered


def _create_name_table_builder(
    kinds: Sequence[EntityKind],
) -> Callable[[Inventory], NameTable]:
    """Return a function that builds the name table of some kinds."""
    return lambda inventory: build_entity_name_table(inventory, kinds)


def _list_name_spellings(name_table: NameTable, kinds: Collection[str]) -> set[str]:
    """Return all forms in a name table of some kinds."""
    return {
        entry.spelling or entry.id
        for entries in name_table.entries.values()
        for entry in entries
        if entry.kind in kinds
    }


def _build_unknown_name_error(
    name: str, kinds: Sequence[EntityKind], known_names: Iterable[str]
) -> UnknownNameError:
    """Build the error for an unknown name, with a suggestion."""
    what = " or ".join(kinds)
    size = len(name)
    near = [k for k in known_names if abs(len(k) - size) <= max(3, size // 2)]
    if near:
        close = get_close_matches(
            name, select_similar_names(name, near), n=1, cutoff=0.5
        )
        hint = f"did you mean {close[0]}?" if close else _LIST_HINT
    else:
        hint = (
            _LIST_HINT
            if any(True for _ in known_names)
            else "the store has no scan that names one: run `answerable scan`"
        )
    return UnknownNameError(f"unknown {what} (got {name[:200]!r})", hint)


def select_similar_names(wanted_name: str, names: Sequence[str]) -> Sequence[str]:
    """Select names worth comparing: those with an equal start or end.

    A comparison takes 0.2 ms, and the user waits for it.
    """
    if len(names) <= _MAX_COMPARED:
        return names
    head, tail = (
        wanted_name[:_AFFIX_LENGTH].lower(),
        wanted_name[-_AFFIX_LENGTH:].lower(),
    )
    alike = [
        name
        for name in names
        if name[:_AFFIX_LENGTH].lower() == head or name[-_AFFIX_LENGTH:].lower() == tail
    ]
    return alike[:_MAX_COMPARED]


_LIST_HINT = "see `answerable agents`, `identities` and `credentials` for what is known"

_SpelledIds = Iterator[tuple[str, tuple[str, ...]]]


def _list_agent_names(inventory: Inventory) -> _SpelledIds:
    """Yield each agent with the names it can be called by."""
    for key, entity in inventory.agents.items():
        bare = key.removeprefix("agent:")
        yield key, (bare, entity.agent.name, entity.agent.place)


def _list_tool_names(inventory: Inventory) -> _SpelledIds:
    """Yield each tool with the names it can be called by."""
    for tool in inventory.facts.tools:
        yield tool.id, (tool.server, tool.id.removeprefix("tool:"))


def _list_identity_names(inventory: Inventory) -> _SpelledIds:
    """Yield each identity with the names it can be called by."""
    for identity in inventory.facts.identities:
        tail = identity.id.rpartition(":")[2]
        short = f"{tail.partition('/')[0]}/{identity.name}"
        spellings = (identity.name, tail, short, identity.unique_id)
        yield identity.id, tuple(s for s in spellings if s)


def _list_credential_names(inventory: Inventory) -> _SpelledIds:
    """Yield each credential with the names it can be called by."""
    for key in inventory.credentials:
        bare = key.removeprefix("cred:")
        yield key, (bare, bare.partition("/")[2])


def _list_person_names(inventory: Inventory) -> _SpelledIds:
    """Yield each person with the names and aliases they can be called by."""
    for key, person in inventory.persons.items():
        names = (get_person_handle(key), person.name, *person.aliases)
        yield key, tuple(name for name in names if name)


_NAME_LISTERS = {
    "agent": _list_agent_names,
    "tool": _list_tool_names,
    "identity": _list_identity_names,
    "credential": _list_credential_names,
    "person": _list_person_names,
}

_ID_LISTERS: Mapping[EntityKind, Callable[[Inventory], Collection[str]]] = {
    "agent": lambda inventory: inventory.agents.keys(),
    "tool": lambda inventory: {tool.id for tool in inventory.facts.tools},
    "identity": lambda inventory: {each.id for each in inventory.facts.identities},
    "credential": lambda inventory: inventory.credentials.keys(),
    "person": lambda inventory: inventory.persons.keys(),
}
