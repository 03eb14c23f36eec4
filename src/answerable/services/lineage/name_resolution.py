"""Resolution of names in a query, by inventory and audit logs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Protocol

import re2

from answerable.inventory.people import People, handle
from answerable.inventory.resolve import Kind, likely, resolve
from answerable.lineage.chain_index import Chains, Names, spellings
from answerable.lineage.stitch_inputs import Joint, JointChains
from answerable.model.errors import AmbiguousError, IdError, UsageError
from answerable.model.event import AuditEvent
from answerable.model.ids import (
    PersonId,
    aws_credential_id,
    is_access_key_id,
    person_id,
)
from answerable.model.inventory import Inventory
from answerable.model.lineage import Chain, ChainKey

Test = Callable[[Chain], bool]
Fits = Callable[[str], bool]
FIELDS = ("person", "agent", "tool", "identity", "credential")


class Named(Protocol):
    """Part of a query that names the actor."""

    @property
    def person(self) -> str:
        """Name or pattern of a person."""
        ...

    @property
    def agent(self) -> str:
        """Name or pattern of an agent."""
        ...

    @property
    def tool(self) -> str:
        """Name or pattern of a tool."""
        ...

    @property
    def identity(self) -> str:
        """Name or pattern of an identity."""
        ...

    @property
    def credential(self) -> str:
        """Name or pattern of a credential."""
        ...


def joint_of(event: AuditEvent) -> Joint:
    """Return the joint of an event."""
    key = ChainKey(
        event.identity,
        event.credential,
        event.session,
        event.person,
        event.run,
        event.agent,
        event.tool,
    )
    return Joint(key, event.source, event.written_by.believed)


def tests(
    inventory: Inventory, chains: Sequence[JointChains], asked: Named
) -> list[Test]:
    """Build the tests that a matching chain passes.

    Raises:
        UsageError: A name is unknown or ambiguous.
    """
    found: list[Test] = []
    if asked.person:
        person = _person(inventory, chains, asked.person)
        found.append(lambda chain: person(chain.person.value))
    if asked.agent:
        agent = _agent(inventory, chains, asked.agent)
        found.append(lambda chain: any(map(agent, chain.agent_path)))
    if asked.tool:
        tool = _tool(inventory, chains, asked.tool)
        found.append(lambda chain: tool(chain.tool.value))
    if asked.identity:
        name = _identity(inventory, chains, asked.identity)
        found.append(lambda chain: any(map(name, chain.identity_path)))
    if asked.credential:
        key = _key(inventory, chains, asked.credential)
        found.append(
            lambda chain: any(map(key, (*chain.credential_path, chain.key.credential)))
        )
    return found


def ids(inventory: Inventory, chains: Sequence[JointChains], asked: Named) -> list[str]:
    """List ids that every matching chain holds; none if the names are patterns.

    Raises:
        UsageError: A name is unknown or ambiguous.
    """
    fits = (
        find(inventory, chains, text)
        for find, text in (
            (_agent, asked.agent),
            (_tool, asked.tool),
            (_identity, asked.identity),
            (_key, asked.credential),
        )
        if text
    )
    return [each.id for each in fits if isinstance(each, Same)]


def is_pattern(text: str) -> bool:
    """Return whether a name is a pattern."""
    return "*" in text or "?" in text


def fitting(pattern: str) -> Fits:
    """Build the test whether an id matches a pattern, whole or by a short name."""
    spelled = "".join({"*": ".*", "?": "."}.get(c) or re2.escape(c) for c in pattern)
    compiled = re2.compile(f"(?s){spelled}")

    @cache
    def fits(key: str) -> bool:
        names = (key, *spellings(key)) if key else ()
        return any(compiled.fullmatch(name) is not None for name in names)

    return fits


@dataclass(frozen=True, slots=True)
class Same:
    """Test for one id."""

    id: str

    def __call__(self, key: str) -> bool:
        """Tell whether that is it."""
        return key == self.id


def _agent(inventory: Inventory, chains: Sequence[JointChains], text: str) -> Fits:
    if is_pattern(text):
        return fitting(text)
    return Same(agent(inventory, chains, text))


def _identity(inventory: Inventory, chains: Sequence[JointChains], text: str) -> Fits:
    return (
        fitting(text) if is_pattern(text) else Same(identity(inventory, chains, text))
    )


def _key(inventory: Inventory, chains: Sequence[JointChains], text: str) -> Fits:
    if is_pattern(text):
        return fitting(text)
    return Same(_credential(inventory, chains, text))


def _person(inventory: Inventory, chains: Sequence[JointChains], text: str) -> Fits:
    if is_pattern(text):
        return fitting(text)
    return _persons(inventory, chains, text).__contains__


def agent(inventory: Inventory, chains: Sequence[JointChains], text: str) -> str:
    """Find an agent by id or name, of the snapshot or of the trail.

    Raises:
        UsageError: It is unknown or ambiguous.
    """
    return _known(inventory, text, "agent", Chains.of(chains).agents)


def identity(inventory: Inventory, chains: Sequence[JointChains], text: str) -> str:
    """Resolve an identity by ARN or name, deleted ones included.

    Raises:
        UsageError: It is unknown or ambiguous.
    """
    if text.startswith("arn:"):
        return text  # an ARN names one thing, whether or not it ever acted
    chains = Chains.of(chains)
    # Identities that were created in an audit log and never acted have owners.
    owned = inventory.once("owned identities", _owned)
    return _known(inventory, text, "identity", chains.identities, owned)


def _credential(inventory: Inventory, chains: Sequence[JointChains], text: str) -> str:
    if is_access_key_id(text.removeprefix("cred:aws/")):
        # A key that was issued and never used is an answer, too.
        return aws_credential_id(text.removeprefix("cred:aws/"))
    return _known(inventory, text, "credential", Chains.of(chains).credentials)


def _known(inventory: Inventory, text: str, kind: Kind, *seen: Names) -> str:
    """Resolve a name among ids in the audit logs, else in the inventory."""
    asked = text.strip()
    if any(asked in names.ids for names in seen):
        return asked
    short = {key for names in seen for key in names.by_spelling.get(asked, ())}
    try:
        short.add(resolve(inventory, asked, (kind,)))
    except AmbiguousError as error:
        short |= set(error.candidates)
    except UsageError:
        if not short:
            ids = {key for names in seen for key in names.ids}
            short = _holding(asked, {*ids, *_ids_of(inventory, kind)})
            if not short:
                raise _unknown(asked, kind, ids) from None
    if len(short) > 1:
        raise AmbiguousError(
            f"{asked!r} names {len(short)} things (expected one)", tuple(sorted(short))
        )
    return short.pop()


_LEAST = 3  # characters of a name part


def _holding(part: str, ids: Iterable[str]) -> set[str]:
    """Return the ids that contain part of a name, ignoring case."""
    folded = part.lower()
    if len(folded) < _LEAST:
        return set()
    return {key for key in ids if folded in key.partition(":")[2].lower()}


def _ids_of(inventory: Inventory, kind: Kind) -> Iterable[str]:
    match kind:
        case "agent":
            return inventory.agents
        case "credential":
            return inventory.credentials
        case "tool":
            return {tool.id for tool in inventory.facts.tools}
        case _:
            return {identity.id for identity in inventory.facts.identities}


def _unknown(asked: str, kind: str, ids: set[str]) -> UsageError:
    names = sorted({name for each in ids for name in (each, *spellings(each))})
    close = get_close_matches(asked, likely(asked, names), n=1, cutoff=0.5)
    hint = "it is in no audit log and no scan: ingest or scan first"
    if kind == "identity":
        hint = "no scanned or acting identity has that name; an ARN names any other"
    if close:
        hint = f"did you mean {close[0]}?"
    return UsageError(f"unknown {kind} (got {asked[:200]!r})", hint)


def _owned(inventory: Inventory) -> Names:
    return Names(key for key in inventory.owners if key.startswith("arn:"))


def _tool(inventory: Inventory, chains: Sequence[JointChains], text: str) -> Fits:
    if is_pattern(text):
        return fitting(text)
    return Same(_known(inventory, text, "tool", Chains.of(chains).tools))


def doubted(
    inventory: Inventory, chains: Sequence[JointChains], asked: Named
) -> list[str]:
    """List persons whose rows are included only because of an unconfirmed alias.

    An alias that an agent could have written finds rows; only a trusted source can
    confirm that both are one person.
    """
    if not asked.person or is_pattern(asked.person):
        return []
    try:
        known = _resolved(inventory, asked.person)
    except UsageError:  # no scanned person has this alias
        return []
    seen = Chains.of(chains).persons
    aliases = inventory.persons[PersonId(known)].aliases
    others = [each for each in aliases if f"person:{each}" in seen]
    if not others:
        return []
    joined = inventory.once("people joined", _joined)
    return [
        f"a believed word that {other} is {handle(known)}"
        for other in others
        if joined(f"person:{other}") != joined(known)
    ]


def _resolved(inventory: Inventory, text: str) -> str:
    """Resolve a person: own ids and handles go before aliases of others.

    Raises:
        UsageError: The name is unknown or ambiguous.
    """
    own = f"person:{text.strip().lower()}"
    return own if own in inventory.persons else resolve(inventory, text, ("person",))


def _joined(inventory: Inventory) -> People:
    return People(inventory.facts.persons)


def _persons(
    inventory: Inventory, chains: Sequence[JointChains], text: str
) -> frozenset[str]:
    """List the ids and aliases of a person that chains may hold."""
    seen = Chains.of(chains).persons
    try:
        known = _resolved(inventory, text)
    except AmbiguousError:
        raise
    except UsageError:
        known = ""
    spelled = {known} if known else set()
    for key, person in inventory.persons.items():
        if key == known:
            spelled |= {f"person:{alias}" for alias in person.aliases}
    try:
        spelled.add(person_id(text))
    except IdError as error:
        if not spelled:
            raise error from None
    if not spelled & seen and not known:
        people = {*seen, *inventory.persons}
        handles = {p for p in people if p.partition("@")[0] == person_id(text)}
        if len(handles) > 1:
            raise AmbiguousError(
                f"{text!r} names {len(handles)} people (expected one)",
                tuple(sorted(handles)),
            )
        if not handles:
            raise _unknown(text, "person", people)
        spelled |= handles
    return frozenset(spelled)
