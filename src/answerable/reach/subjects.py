"""Subjects of a question, resolved to the identities they act through."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.model.ids import AgentId, CredentialId, IdentityId, PersonId
from answerable.model.inventory import AgentEntity, CredentialEntity, Inventory, ToolUse
from answerable.model.sighting import Facts
from answerable.model.tool import Tool
from answerable.reach.aws.compiled.external_callers import caller_of
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.paths.search import Hop
from answerable.reach.formula import FALSE, TRUE, Formula, atom, chained, either
from answerable.reach.person_identities import (
    AWS_ORG,
    Uses,
    uses_of_assigned,
    uses_of_person,
)
from answerable.reach.queries import Reply, entry_hop
from answerable.reach.unknown_subjects import (
    UnknownSubject,
    rests_on_missing,
    unknown_agent,
    unknown_credential,
    unknown_identity,
    unknown_platform,
)


@dataclass(frozen=True, slots=True)
class Start:
    """Identity that a subject acts through, with the steps to it.

    Attributes:
        subject: The subject of the question.
        hops: Steps from the subject to the identity.
        unknown: Reason why the identity's policies are not known, None where they are.
            Grants of resource policies are evaluated in both cases.
    """

    subject: str
    identity: IdentityId
    hops: tuple[Hop, ...] = ()
    unknown: UnknownSubject | None = None


@dataclass(frozen=True, slots=True)
class Starts:
    """Identities of a subject, and the missing data.

    Attributes:
        starts: Identities that can be evaluated.
        apart: Identities and credentials of the subject that cannot be evaluated.
    """

    starts: tuple[Start, ...] = ()
    apart: tuple[UnknownSubject, ...] = ()

    @property
    def unknown(self) -> tuple[UnknownSubject, ...]:
        """Missing data about the subject's permissions."""
        within = (each.unknown for each in self.starts)
        return (*(each for each in within if each), *self.apart)

    @property
    def not_collected(self) -> tuple[str, ...]:
        """Texts for the subjects that cannot be evaluated."""
        return tuple(f"{each.id}: {each.because}" for each in self.apart)


CLIENT_RULE = "answerable:client-rule"
INDIRECT_USE = "answerable:indirect-use"
_MOST = 4  # tools whose rules a condition names


def starts(graph: Graph, inventory: Inventory, subject: str) -> Starts:
    """Find the identities of an agent, credential, person, identity or outside caller.

    An outside caller is `*`, a service, an identity provider or a principal of an
    account that was not scanned: resource and trust policies decide.
    """
    agent = inventory.agents.get(AgentId(subject))
    if agent:
        return _of_agent(graph, inventory, agent)
    credential = inventory.credentials.get(CredentialId(subject))
    if credential:
        return _of_credential(graph, inventory, credential)
    person = PersonId(subject)
    if person in inventory.persons:
        return _of_uses(graph, inventory, subject, uses_of_person(inventory, person))
    fact = inventory.facts.identities_by_id().get(subject)
    uses = uses_of_assigned(inventory, fact) if fact else None
    if uses:
        return _of_uses(graph, inventory, subject, uses)
    return _of_identity(graph, inventory, Start(subject, IdentityId(subject)))


def _of_identity(graph: Graph, inventory: Inventory, start: Start) -> Starts:
    """Resolve an identity, with the reason where its policies are not known."""
    estate, identity = graph.estate, start.identity
    caller = caller_of(identity, estate.accounts)
    if identity not in estate.principals and caller:
        identity = IdentityId(caller.id)
        start = replace(start, identity=identity)
    if caller and not caller.account:  # anonymous, a service or a provider
        return Starts((replace(start, unknown=unknown_platform(estate)),))
    unknown = unknown_identity(estate, identity, inventory.facts.identities_by_id)
    if unknown is None or identity in estate.principals:
        return Starts((replace(start, unknown=unknown),))
    if caller and not estate.is_collected(caller.account):
        return Starts((replace(start, unknown=unknown),))
    return Starts(apart=(unknown,))


def _of_credential(
    graph: Graph, inventory: Inventory, entity: CredentialEntity
) -> Starts:
    if entity.identity is None:
        return Starts(apart=(unknown_credential(graph.estate, entity),))
    hop = Hop(entity.id, entity.how, entity.identity, _active(entity), ())
    return _of_identity(graph, inventory, Start(entity.id, entity.identity, (hop,)))


def _of_uses(graph: Graph, inventory: Inventory, subject: str, uses: Uses) -> Starts:
    """Resolve every identity of a person, a group or a permission set."""
    found: list[Start] = []
    apart = list(uses.missing)
    person = inventory.persons.get(PersonId(subject))
    enabled = TRUE
    if person is not None and not person.alive:
        enabled = atom("answerable:person-status", "Equals", ("enabled",))
    for use in uses.found:
        hop = Hop(subject, use.via, use.identity, enabled, ())
        start = Start(subject, use.identity, (hop,))
        each = _of_identity(graph, inventory, start)
        found += each.starts
        apart += each.apart
    if not found and not apart:
        what = "no assignment and no agent leads to an identity"
        apart.append(UnknownSubject(subject, what, AWS_ORG))
    return Starts(tuple(found), tuple(dict.fromkeys(apart)))


def _active(entity: CredentialEntity) -> Formula:
    statuses = {sighting.status.lower() for sighting in entity.sightings} - {""}
    if statuses == {"inactive"}:
        return atom("answerable:credential-status", "Equals", ("active",))
    return TRUE


def _of_agent(graph: Graph, inventory: Inventory, entity: AgentEntity) -> Starts:
    subject = entity.agent.id
    found: list[Start] = []
    apart: list[UnknownSubject] = []
    for identity in entity.identities:
        for hop in _hops(graph, inventory, entity, identity):
            start = Start(subject, identity, (hop,))
            each = _of_identity(graph, inventory, start)
            found += each.starts
            apart += each.apart
    apart += _unresolved(graph, inventory, entity)
    if not found and not apart:
        apart.append(unknown_agent(subject))
    return Starts(tuple(found), tuple(dict.fromkeys(apart)))


def _unresolved(
    graph: Graph, inventory: Inventory, entity: AgentEntity
) -> Iterator[UnknownSubject]:
    used = dict.fromkeys(
        c for use in entity.tools for c in (*use.credentials, *use.readable)
    )
    found = (inventory.credentials.get(credential) for credential in used)
    for each in found:
        if each and each.identity is None and each.how:
            yield unknown_credential(graph.estate, each)


def _hops(
    graph: Graph, inventory: Inventory, entity: AgentEntity, identity: IdentityId
) -> Iterator[Hop]:
    """Yield the hops by which an agent acts as an identity.

    A workflow enters with its OIDC token, under the conditions of the trust policy.
    """
    subject = entity.agent.id
    uses = [use for use in entity.tools if identity in use.identities]
    reads = [use for use in entity.tools if _reads(inventory, use, identity)]
    hop = Hop(subject, "runs as", identity, TRUE, ())
    if uses or (reads and identity not in entity.agent.runs_as):
        hop = _through_tools(subject, identity, uses, reads)
    entries = _entries(graph, entity, identity)
    for entry in entries:
        formula = chained(hop.formula, entry.formula)
        yield replace(entry, origin=subject, formula=formula)
    if not entries:
        yield hop


def _entries(graph: Graph, entity: AgentEntity, identity: IdentityId) -> list[Hop]:
    """List the hops by which a workflow's token enters a role that it runs as."""
    trusted = identity in graph.estate.trusts and identity in entity.agent.runs_as
    if not trusted or not entity.agent.kind.startswith("github"):
        return []
    return [
        entry_hop(entry, identity)
        for entry in graph.outsiders(identity)
        if entry.kind == "Federated"
    ]


def _reads(inventory: Inventory, use: ToolUse, identity: IdentityId) -> bool:
    """Tell whether a tool acts as an identity only through a key that it could read."""
    if use.tool.is_indirect:
        return identity in use.identities
    if identity in use.identities:
        return False
    found = (inventory.credentials.get(key) for key in use.readable)
    return any(each is not None and each.identity == identity for each in found)


def _through_tools(
    subject: str,
    identity: IdentityId,
    uses: Sequence[ToolUse],
    reads: Sequence[ToolUse],
) -> Hop:
    """Build the hop through an agent's tool, if possible one without a client rule.

    A rule of the agent's client is in a file that the agent can edit: it becomes a
    condition of the path and never blocks it.
    """
    acting = [use for use in uses if not use.tool.is_indirect]
    free = next((use for use in acting if not _rule(use.tool)), None)
    if free is not None:
        return Hop(subject, free.tool.id, identity, TRUE, ())
    condition = either(_lifted_rules(acting), _indirect_use(reads))
    return Hop(subject, (*acting, *reads)[0].tool.id, identity, condition, ())


def _lifted_rules(uses: Iterable[ToolUse]) -> Formula:
    """Build the condition that the client's rule allows one of its tools."""
    asked = sorted({f"{use.tool.id}: {_rule(use.tool)}" for use in uses})
    return either(*(atom(CLIENT_RULE, "Allows", (each,)) for each in asked[:_MOST]))


def _indirect_use(reading: Sequence[ToolUse]) -> Formula:
    """Build the condition that a credential read by a tool is used outside the tool.

    A file tool or a shell reads files, a fetch tool the instance metadata service.
    """
    if not reading:
        return FALSE
    free = [use for use in reading if not _rule(use.tool)]
    tools = tuple(sorted({use.tool.id for use in free or reading}))[:_MOST]
    read = atom(INDIRECT_USE, "Allows", tools)
    return read if free else chained(_lifted_rules(reading), read)


def _rule(tool: Tool) -> str:
    return tool.rule or ("" if tool.enabled else "switched off")


def through(start: Start, reply: Reply) -> Reply:
    """Prepend the subject's steps to the answer of an identity."""
    if not start.hops:
        return reply
    formula = chained(*(hop.formula for hop in start.hops), reply.formula)
    path = (*start.hops, *reply.path)
    parts = tuple(through(start, part) for part in reply.parts)
    return replace(
        reply, subject=start.subject, formula=formula, path=path, parts=parts
    )


def known_rows(start: Start, rows: Iterable[Reply]) -> Iterator[Reply]:
    """Prepend the subject to rows, without those that depend on uncollected allows."""
    for reply in rows:
        if start.unknown is None or not rests_on_missing(reply.formula):
            yield through(start, reply)


def best(replies: Sequence[Reply]) -> Reply:
    """Choose the best answer: unconditional before conditional, short before long."""

    def rank(reply: Reply) -> tuple[bool, bool, bool, int]:
        formula = reply.formula
        open_ = formula != TRUE
        return open_, formula == FALSE, rests_on_missing(formula), len(reply.path)

    return min(replies, key=rank)


def services_of(facts: Facts) -> frozenset[str]:
    """List the services that policies name."""
    return frozenset(
        action.partition(":")[0].lower()
        for policy in facts.policies
        for statement in policy.statements
        for action in statement.actions + statement.not_actions
    )
