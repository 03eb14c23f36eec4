"""Whom a question is about: an agent or a credential acts through identities."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.model.errors import UsageError
from answerable.model.ids import AgentId, CredentialId, IdentityId
from answerable.model.inventory import AgentEntity, CredentialEntity, Inventory
from answerable.model.sighting import Facts
from answerable.reach.estate.outside import caller_of
from answerable.reach.paths.graph import Graph
from answerable.reach.paths.paths import Hop
from answerable.reach.questions import Reply, entry_hop
from answerable.reach.verdict.formula import FALSE, TRUE, Formula, atom, chained


@dataclass(frozen=True, slots=True)
class Start:
    """An identity to begin with, and how the subject comes to act as it."""

    subject: str
    identity: IdentityId
    hops: tuple[Hop, ...] = ()


@dataclass(frozen=True, slots=True)
class Starts:
    """Every identity of a subject, and what is missing to know more.

    Attributes:
        starts: At least one.
        not_collected: One text per credential whose principal is not known.
    """

    starts: tuple[Start, ...]
    not_collected: tuple[str, ...] = ()


_KEYS_HINT = "scan the account's key list too: answerable scan aws-keys:FILE"


def starts(graph: Graph, inventory: Inventory, subject: str) -> Starts:
    """Find the identities of an agent, credential or identity; or take a caller.

    A caller is `*`, a service, an identity provider or a principal of an account that
    was not scanned: resources' own policies and trusts judge it.

    Raises:
        UsageError: None is known; the message says what was not collected.
    """
    agent = inventory.agents.get(AgentId(subject))
    if agent:
        return _of_agent(graph, inventory, agent)
    credential = inventory.credentials.get(CredentialId(subject))
    if credential:
        return _of_credential(graph, credential)
    return Starts((Start(subject, _caller(graph, subject)),))


def _caller(graph: Graph, subject: str) -> IdentityId:
    """Return an identity of the snapshot, or a caller from outside it."""
    identity = IdentityId(subject)
    if identity not in graph.estate.principals:
        caller = caller_of(subject, graph.estate.accounts)
        if caller and not graph.estate.is_collected(caller.account):
            return IdentityId(caller.id)
    return _known(graph, identity)


def _known(graph: Graph, identity: IdentityId) -> IdentityId:
    if identity not in graph.estate.principals:
        raise UsageError(
            f"{identity}: principal not collected",
            "scan its account: answerable scan aws:FILE",
        )
    return identity


def _of_credential(graph: Graph, entity: CredentialEntity) -> Starts:
    if entity.identity is None:
        raise UsageError(f"{entity.id}: {entity.how}", _KEYS_HINT)
    hop = Hop(entity.id, entity.how, entity.identity, _active(entity), ())
    identity = _known(graph, entity.identity)
    return Starts((Start(entity.id, identity, (hop,)),))


def _active(entity: CredentialEntity) -> Formula:
    statuses = {sighting.status.lower() for sighting in entity.sightings} - {""}
    if statuses == {"inactive"}:
        return atom("answerable:credential-status", "Equals", ("active",))
    return TRUE


def _of_agent(graph: Graph, inventory: Inventory, entity: AgentEntity) -> Starts:
    subject = entity.agent.id
    known = [i for i in entity.identities if i in graph.estate.principals]
    missing = [f"{i}: principal not collected" for i in entity.identities]
    missing = [text for text in missing if text.split(": ")[0] not in known]
    missing += _unresolved(inventory, entity)
    if not known:
        said = "; ".join(missing) or "no identity known"
        raise UsageError(f"{subject}: {said}", _KEYS_HINT)
    found = [
        Start(subject, identity, (hop,))
        for identity in known
        for hop in _hops(graph, entity, identity)
    ]
    return Starts(tuple(found), tuple(missing))


def _unresolved(inventory: Inventory, entity: AgentEntity) -> list[str]:
    used = dict.fromkeys(c for use in entity.tools for c in use.credentials)
    found = (inventory.credentials.get(credential) for credential in used)
    return [f"{c.id}: {c.how}" for c in found if c and c.identity is None and c.how]


def _hops(graph: Graph, entity: AgentEntity, identity: IdentityId) -> Iterator[Hop]:
    """Say how an agent comes to act as an identity.

    A workflow enters with its token: then the trust's conditions stand on the path.
    """
    subject = entity.agent.id
    for use in entity.tools:
        if identity in use.identities:
            yield Hop(subject, use.tool.id, identity, TRUE, ())
            return
    entered = False
    if entity.agent.kind.startswith("github"):
        for entry in graph.outsiders(identity):
            if entry.kind == "Federated":
                entered = True
                yield replace(entry_hop(entry, identity), origin=subject)
    if not entered:
        yield Hop(subject, "runs as", identity, TRUE, ())


def through(start: Start, reply: Reply) -> Reply:
    """Put the subject before an identity's reply."""
    if not start.hops:
        return reply
    formula = chained(*(hop.formula for hop in start.hops), reply.formula)
    path = (*start.hops, *reply.path)
    return replace(reply, subject=start.subject, formula=formula, path=path)


def best(replies: Sequence[Reply]) -> Reply:
    """Pick the reply that says most: sure before open, short before long."""

    def rank(reply: Reply) -> tuple[bool, bool, int]:
        return reply.formula != TRUE, reply.formula == FALSE, len(reply.path)

    return min(replies, key=rank)


def services_of(facts: Facts) -> frozenset[str]:
    """List the services that policies speak of, `*` aside."""
    return frozenset(
        action.partition(":")[0].lower()
        for policy in facts.policies
        for statement in policy.statements
        for action in statement.actions + statement.not_actions
    )
