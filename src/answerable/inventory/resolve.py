"""Resolution of user input to an id: an id, an ARN, or an unambiguous name."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal

from answerable.inventory.canonical_ids import Spellings, principal_key
from answerable.inventory.people import handle
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.inventory import Inventory, NameEntry, NameTable

Kind = Literal["agent", "tool", "identity", "credential", "person"]
KINDS: tuple[Kind, ...] = ("agent", "tool", "identity", "credential", "person")

_MOST_COMPARED = 2_000
_ALIKE = 3


def resolve(inventory: Inventory, text: str, kinds: Sequence[Kind] = KINDS) -> str:
    """Find the single entity of some kinds that a text names.

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
        table = inventory.once(f"names {' '.join(kinds)}", _table(kinds))
    entries = [e for e in table.entries.get(asked.lower(), ()) if e.kind in kinds]
    if any(e.id == asked for e in entries if not e.spelling):
        return asked
    if "identity" in kinds:
        principal = _principal(asked, table)
        if principal:
            return principal
    spelled = [e for e in entries if e.spelling]
    found = {e.id for e in spelled if e.spelling == asked} or {e.id for e in spelled}
    if len(found) == 1:
        return found.pop()
    if found:
        raise AmbiguousError(
            f"{asked!r} names {len(found)} things (expected one)",
            tuple(sorted(found)),
        )
    raise _unknown(asked, kinds, _spellings(table, kinds))


def _principal(asked: str, table: NameTable) -> str:
    """Return the canonical id of an IAM user, role or session, else an empty text."""
    key = principal_key(asked)
    return table.principals.get(":".join(key), "") if key is not None else ""


def name_table(inventory: Inventory, kinds: Sequence[Kind] = KINDS) -> NameTable:
    """Index every spelling of all entities of some kinds."""
    entries: dict[str, dict[NameEntry, None]] = defaultdict(dict)
    for kind in kinds:
        for key in _IDS[kind](inventory):
            entries[key.lower()][NameEntry(kind, key, "")] = None
        for key, spellings in _NAMED[kind](inventory):
            for spelling in spellings:
                if spelling:
                    entries[spelling.lower()][NameEntry(kind, key, spelling)] = None
    principals: dict[str, str] = {}
    if "identity" in kinds:
        chosen = Spellings(inventory.facts.identities).by_principal()
        principals = {":".join(key): found for key, found in chosen.items()}
    return NameTable({key: tuple(found) for key, found in entries.items()}, principals)


def _table(kinds: Sequence[Kind]) -> Callable[[Inventory], NameTable]:
    return lambda inventory: name_table(inventory, kinds)


def _spellings(table: NameTable, kinds: Collection[str]) -> set[str]:
    return {
        entry.spelling or entry.id
        for entries in table.entries.values()
        for entry in entries
        if entry.kind in kinds
    }


def _unknown(asked: str, kinds: Sequence[Kind], known: Iterable[str]) -> UsageError:
    what = " or ".join(kinds)
    size = len(asked)
    near = [k for k in known if abs(len(k) - size) <= max(3, size // 2)]
    if near:
        close = get_close_matches(asked, likely(asked, near), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else _LIST
    else:
        hint = (
            _LIST
            if any(True for _ in known)
            else "nothing was scanned yet: run `answerable scan`"
        )
    return UsageError(f"unknown {what} (got {asked[:200]!r})", hint)


def likely(asked: str, names: Sequence[str]) -> Sequence[str]:
    """Select names for comparison: among many, those with an equal prefix or suffix.

    A comparison takes 0.2 ms, and the user waits for it.
    """
    if len(names) <= _MOST_COMPARED:
        return names
    head, tail = asked[:_ALIKE].lower(), asked[-_ALIKE:].lower()
    alike = [
        name
        for name in names
        if name[:_ALIKE].lower() == head or name[-_ALIKE:].lower() == tail
    ]
    return alike[:_MOST_COMPARED]


_LIST = "see `answerable agents`, `identities` and `credentials` for what is known"

_Spelled = Iterator[tuple[str, tuple[str, ...]]]


def _agents(inventory: Inventory) -> _Spelled:
    for key, entity in inventory.agents.items():
        bare = key.removeprefix("agent:")
        yield key, (bare, entity.agent.name, entity.agent.place)


def _tools(inventory: Inventory) -> _Spelled:
    for tool in inventory.facts.tools:
        yield tool.id, (tool.server, tool.id.removeprefix("tool:"))


def _identities(inventory: Inventory) -> _Spelled:
    for identity in inventory.facts.identities:
        tail = identity.id.rpartition(":")[2]
        short = f"{tail.partition('/')[0]}/{identity.name}"
        spellings = (identity.name, tail, short, identity.unique_id)
        yield identity.id, tuple(s for s in spellings if s)


def _credentials(inventory: Inventory) -> _Spelled:
    for key in inventory.credentials:
        bare = key.removeprefix("cred:")
        yield key, (bare, bare.partition("/")[2])


def _persons(inventory: Inventory) -> _Spelled:
    for key, person in inventory.persons.items():
        names = (handle(key), person.name, *person.aliases)
        yield key, tuple(name for name in names if name)


_NAMED = {
    "agent": _agents,
    "tool": _tools,
    "identity": _identities,
    "credential": _credentials,
    "person": _persons,
}

_IDS: Mapping[Kind, Callable[[Inventory], Collection[str]]] = {
    "agent": lambda inventory: inventory.agents.keys(),
    "tool": lambda inventory: {tool.id for tool in inventory.facts.tools},
    "identity": lambda inventory: {each.id for each in inventory.facts.identities},
    "credential": lambda inventory: inventory.credentials.keys(),
    "person": lambda inventory: inventory.persons.keys(),
}
