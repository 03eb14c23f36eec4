"""Resolve names of persons, agents, tools, identities and credentials in a query."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from answerable.inventory.name_resolution import EntityKind, resolve_entity_by_name
from answerable.inventory.person_directory import PersonDirectory, get_person_handle
from answerable.lineage.chain_index import ChainIndex, ShortNameIndex
from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.model.errors import AmbiguousError, IdError, UsageError
from answerable.model.event import AuditEvent
from answerable.model.ids import (
    PersonId,
    build_aws_credential_id,
    build_person_id,
    is_access_key_id,
)
from answerable.model.inventory import Inventory
from answerable.model.lineage import ChainKey, LineageChain
from answerable.services.lineage.name_predicates import (
    EqualsId,
    HasHopValue,
    HasMatchingId,
    IdTest,
    build_pattern_predicate,
    get_exact_value,
    is_glob,
)
from answerable.services.lineage.similar_names import (
    build_unknown_name_error,
    find_ids_containing,
    list_ids_of_kind,
)

ChainTest = Callable[[LineageChain], bool]
FIELDS = ("person", "agent", "tool", "identity", "credential")


class NameQuery(Protocol):
    """Part of a query that names the actor."""

    @property
    def person(self) -> str:
        """Name or pattern of a person."""

    @property
    def agent(self) -> str:
        """Name or pattern of an agent."""

    @property
    def tool(self) -> str:
        """Name or pattern of a tool."""

    @property
    def identity(self) -> str:
        """Name or pattern of an identity."""

    @property
    def credential(self) -> str:
        """Name or pattern of a credential."""


def get_event_chain_key(event: AuditEvent) -> SourcedChainKey:
    """Return the key and source of an event, by which it is joined with its chain."""
    key = ChainKey(
        identity=event.identity,
        credential=event.credential,
        session=event.session,
        person=event.person,
        run=event.run,
        agent=event.agent,
        tool=event.tool,
    )
    return SourcedChainKey(key, event.source, event.written_by.is_trusted_author)


def build_chain_predicates(
    inventory: Inventory, chains: Sequence[ChainTimeline], names: NameQuery
) -> list[ChainTest]:
    """Build the predicates that a chain must pass to match the names of a query.

    Raises:
        UsageError: A name is unknown or ambiguous.
    """
    found: list[ChainTest] = []
    for field, (build_predicate, list_ids) in _FIELD_TESTS.items():
        text = getattr(names, field)
        exact = get_exact_value(text)
        if exact is not None:
            found.append(HasHopValue(field, exact))
        elif text:
            found.append(
                HasMatchingId(build_predicate(inventory, chains, text), list_ids)
            )
    return found


def list_required_ids(
    inventory: Inventory, chains: Sequence[ChainTimeline], names: NameQuery
) -> list[str]:
    """List ids that every matching chain contains; none if names are patterns.

    Raises:
        UsageError: A name is unknown or ambiguous.
    """
    found = []
    for field, (build_predicate, _) in _FIELD_TESTS.items():
        text = getattr(names, field)
        exact = get_exact_value(text)
        if field == "person" or not text:
            continue
        if exact is not None:
            found.append(exact)
        elif isinstance(fits := build_predicate(inventory, chains, text), EqualsId):
            found.append(fits.id)
    return [each for each in found if each]


def resolve_query_name(
    inventory: Inventory, chains: Sequence[ChainTimeline], field: str, text: str
) -> frozenset[str]:
    """Resolve the name in one field of a query to the ids that chains may contain.

    Args:
        inventory: The snapshot.
        chains: Chains with all ids that are equal or similar to the name.
        field: Name in `FIELDS`.
        text: The name, no pattern.

    Raises:
        UsageError: It is unknown or ambiguous.
    """
    if field == "person":
        return _list_person_aliases(inventory, chains, text)
    resolve = {
        "agent": resolve_agent,
        "tool": _resolve_tool,
        "identity": resolve_identity,
        "credential": _resolve_credential,
    }[field]
    return frozenset({resolve(inventory, chains, text)})


def _build_agent_predicate(
    inventory: Inventory, chains: Sequence[ChainTimeline], text: str
) -> IdTest:
    """Build a predicate for the agent of a chain, by id, name or pattern."""
    if is_glob(text):
        return build_pattern_predicate(text)
    return EqualsId(resolve_agent(inventory, chains, text))


def _build_identity_predicate(
    inventory: Inventory, chains: Sequence[ChainTimeline], text: str
) -> IdTest:
    """Build a predicate for an identity of a chain, by ARN, name or pattern."""
    return (
        build_pattern_predicate(text)
        if is_glob(text)
        else EqualsId(resolve_identity(inventory, chains, text))
    )


def _build_credential_predicate(
    inventory: Inventory, chains: Sequence[ChainTimeline], text: str
) -> IdTest:
    """Build a predicate for a credential of a chain, by id or pattern."""
    if is_glob(text):
        return build_pattern_predicate(text)
    return EqualsId(_resolve_credential(inventory, chains, text))


def _build_person_predicate(
    inventory: Inventory, chains: Sequence[ChainTimeline], text: str
) -> IdTest:
    """Build a predicate for the person of a chain, by any id or alias."""
    if is_glob(text):
        return build_pattern_predicate(text)
    return _list_person_aliases(inventory, chains, text).__contains__


_BuildPredicate = Callable[[Inventory, Sequence[ChainTimeline], str], IdTest]
_ListIds = Callable[[LineageChain], Iterable[str]]


def resolve_agent(
    inventory: Inventory, chains: Sequence[ChainTimeline], text: str
) -> str:
    """Resolve an agent by id or name, from the snapshot or the audit logs.

    Raises:
        UsageError: It is unknown or ambiguous.
    """
    return _resolve_logged_name(
        inventory, text, "agent", ChainIndex.wrap_chains(chains).agents
    )


def resolve_identity(
    inventory: Inventory, chains: Sequence[ChainTimeline], text: str
) -> str:
    """Resolve an identity by ARN or name, deleted ones included.

    Raises:
        UsageError: It is unknown or ambiguous.
    """
    if text.startswith("arn:"):
        return text  # an ARN names one thing, whether or not it ever acted
    chains = ChainIndex.wrap_chains(chains)
    # Identities that were created in an audit log and never acted have owners.
    owned = inventory.get_or_compute_value("owned identities", _index_owned_identities)
    return _resolve_logged_name(inventory, text, "identity", chains.identities, owned)


def _resolve_credential(
    inventory: Inventory, chains: Sequence[ChainTimeline], text: str
) -> str:
    """Resolve a credential by access key id or name."""
    if is_access_key_id(text.removeprefix("cred:aws/")):
        # A key that was issued and never used is an answer, too.
        return build_aws_credential_id(text.removeprefix("cred:aws/"))
    return _resolve_logged_name(
        inventory, text, "credential", ChainIndex.wrap_chains(chains).credentials
    )


def _resolve_logged_name(
    inventory: Inventory, text: str, kind: EntityKind, *known_names: ShortNameIndex
) -> str:
    """Resolve a name among ids in the audit logs, else in the inventory."""
    asked = text.strip()
    if any(asked in names.ids for names in known_names):
        return asked
    short = {
        key for names in known_names for key in names.ids_by_short_name.get(asked, ())
    }
    try:
        short.add(resolve_entity_by_name(inventory, asked, (kind,)))
    except AmbiguousError as error:
        short |= set(error.candidates)
    except UsageError:
        if not short:
            ids = {key for names in known_names for key in names.ids}
            short = find_ids_containing(
                asked, {*ids, *list_ids_of_kind(inventory, kind)}
            )
            if not short:
                raise build_unknown_name_error(asked, kind, ids) from None
    if len(short) > 1:
        raise AmbiguousError(
            f"{asked!r} matches {len(short)} items (expected one)", tuple(sorted(short))
        )
    return short.pop()


def _index_owned_identities(inventory: Inventory) -> ShortNameIndex:
    """Index the identities that have owner evidence by their short names."""
    return ShortNameIndex(key for key in inventory.owners if key.startswith("arn:"))


def _build_tool_predicate(
    inventory: Inventory, chains: Sequence[ChainTimeline], text: str
) -> IdTest:
    """Build a predicate for the tool of a chain, by name or pattern."""
    if is_glob(text):
        return build_pattern_predicate(text)
    return EqualsId(_resolve_tool(inventory, chains, text))


def _resolve_tool(
    inventory: Inventory, chains: Sequence[ChainTimeline], text: str
) -> str:
    """Resolve a tool by id or name."""
    return _resolve_logged_name(
        inventory, text, "tool", ChainIndex.wrap_chains(chains).tools
    )


# Of each field: the predicate of its names, and the ids of a chain that it tests.
_FIELD_TESTS: Mapping[str, tuple[_BuildPredicate, _ListIds]] = {
    "person": (_build_person_predicate, lambda chain: (chain.person.value,)),
    "agent": (_build_agent_predicate, lambda chain: chain.agent_path),
    "tool": (_build_tool_predicate, lambda chain: (chain.tool.value,)),
    "identity": (_build_identity_predicate, lambda chain: chain.identity_path),
    "credential": (
        _build_credential_predicate,
        lambda chain: (*chain.credential_path, chain.key.credential),
    ),
}


def list_unconfirmed_aliases(
    inventory: Inventory, chains: Sequence[ChainTimeline], names: NameQuery
) -> list[str]:
    """List persons whose rows are included only because of an unconfirmed alias.

    An alias that an agent could have written finds rows; only a trusted source can
    confirm that both are one person.
    """
    if not names.person or names.person.startswith("=") or is_glob(names.person):
        return []
    try:
        known = _resolve_person(inventory, names.person)
    except UsageError:  # no scanned person has this alias
        return []
    seen = ChainIndex.wrap_chains(chains).persons
    aliases = inventory.persons[PersonId(known)].aliases
    others = [each for each in aliases if f"person:{each}" in seen]
    if not others:
        return []
    joined = inventory.get_or_compute_value("people joined", _build_person_directory)
    return [
        f"a trusted statement that {other} is {get_person_handle(known)}"
        for other in others
        if joined(f"person:{other}") != joined(known)
    ]


def _resolve_person(inventory: Inventory, text: str) -> str:
    """Resolve a person: own ids and handles go before aliases of others.

    Raises:
        UsageError: The name is unknown or ambiguous.
    """
    own = f"person:{text.strip().lower()}"
    return (
        own
        if own in inventory.persons
        else resolve_entity_by_name(inventory, text, ("person",))
    )


def _build_person_directory(inventory: Inventory) -> PersonDirectory:
    """Build the directory that joins ids and aliases of each person."""
    return PersonDirectory(inventory.facts.persons)


def _list_person_aliases(
    inventory: Inventory, chains: Sequence[ChainTimeline], text: str
) -> frozenset[str]:
    """List the ids and aliases of a person that chains may contain."""
    seen = ChainIndex.wrap_chains(chains).persons
    try:
        known = _resolve_person(inventory, text)
    except AmbiguousError:
        raise
    except UsageError:
        known = ""
    spelled = {known} if known else set()
    for key, person in inventory.persons.items():
        if key == known:
            spelled |= {f"person:{alias}" for alias in person.aliases}
    try:
        spelled.add(build_person_id(text))
    except IdError as error:
        if not spelled:
            raise error from None
    if not spelled & seen and not known:
        people = {*seen, *inventory.persons}
        handles = {p for p in people if p.partition("@")[0] == build_person_id(text)}
        if len(handles) > 1:
            raise AmbiguousError(
                f"{text!r} matches {len(handles)} people (expected one)",
                tuple(sorted(handles)),
            )
        if not handles:
            raise build_unknown_name_error(text, "person", people)
        spelled |= handles
    return frozenset(spelled)
