"""Resolve the subject of a question to the identities that it acts through."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from answerable.model.ids import AgentId, CredentialId, IdentityId, PersonId
from answerable.model.inventory import AgentEntity, CredentialEntity, Inventory, ToolUse
from answerable.model.role_assignment import PERMISSION_SET, SSO_GROUP
from answerable.model.tool import Tool
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin_hops,
    disjoin,
)
from answerable.reach.platform import PathHop, SubjectIdentity, UnknownSubject

if TYPE_CHECKING:
    from answerable.reach.person_identities import IdentityUses


class IdentityResolver(Protocol):
    """Knowledge of the platforms about identities and credentials."""

    def resolve_identity(
        self, start: SubjectIdentity
    ) -> SubjectIdentity | UnknownSubject:
        """Return an identity with `unknown` if its data is missing, or the reason."""

    def list_entries(self, identity: IdentityId) -> Sequence[PathHop]:
        """List the steps by which a workflow's token enters an identity."""

    def explain_credential(self, entity: CredentialEntity) -> UnknownSubject:
        """Explain why the identity of a credential is not known."""


@dataclass(frozen=True, slots=True)
class SubjectIdentities:
    """Identities of a subject, and the missing data.

    Attributes:
        starts: Identities that can be evaluated.
        apart: Identities and credentials of the subject that cannot be evaluated.
    """

    starts: tuple[SubjectIdentity, ...] = ()
    apart: tuple[UnknownSubject, ...] = ()

    @property
    def unknown(self) -> tuple[UnknownSubject, ...]:
        """Missing data about the subject's permissions."""
        within = (each.unknown for each in self.starts)
        return (*(each for each in within if each), *self.apart)

    @property
    def not_collected(self) -> tuple[str, ...]:
        """Descriptions of the subjects that cannot be evaluated."""
        return tuple(f"{each.id}: {each.because}" for each in self.apart)


CLIENT_RULE = "answerable:client-rule"
INDIRECT_USE = "answerable:indirect-use"
_MAX_NAMED_TOOLS = 4  # tools whose rules a condition names


def find_identities_of_subject(
    resolver: IdentityResolver, inventory: Inventory, subject: str
) -> SubjectIdentities:
    """Find the identities of an agent, credential, person, identity or outside caller.

    An outside caller is `*`, a service, an identity provider or a principal of an
    account that was not scanned: resource and trust policies decide.
    """
    agent = inventory.agents.get(AgentId(subject))
    if agent:
        return _resolve_identities_of_agent(resolver, inventory, agent)
    credential = inventory.credentials.get(CredentialId(subject))
    if credential:
        return _resolve_identity_of_credential(resolver, inventory, credential)
    person = PersonId(subject)
    if person in inventory.persons:
        from answerable.reach.person_identities import list_identities_person_can_use

        return _resolve_identities_in_use(
            resolver,
            inventory,
            subject,
            list_identities_person_can_use(inventory, person),
        )
    fact = inventory.facts.identities_by_id().get(subject)
    if fact and fact.kind in (PERMISSION_SET, SSO_GROUP):
        from answerable.reach.person_identities import list_assigned_roles

        uses = list_assigned_roles(inventory, fact)
        if uses is not None:
            return _resolve_identities_in_use(resolver, inventory, subject, uses)
    return _resolve_identity_of_subject(
        resolver, SubjectIdentity(subject, IdentityId(subject))
    )


def _resolve_identity_of_subject(
    resolver: IdentityResolver, start: SubjectIdentity
) -> SubjectIdentities:
    """Resolve an identity, with the reason if its policies are not known."""
    found = resolver.resolve_identity(start)
    if isinstance(found, SubjectIdentity):
        return SubjectIdentities((found,))
    return SubjectIdentities(apart=(found,))


def _resolve_identity_of_credential(
    resolver: IdentityResolver, inventory: Inventory, entity: CredentialEntity
) -> SubjectIdentities:
    """Resolve a credential to the identity that it authenticates."""
    if entity.identity is None:
        return SubjectIdentities(apart=(resolver.explain_credential(entity),))
    hop = PathHop(
        entity.id,
        entity.how,
        entity.identity,
        _build_credential_status_condition(entity),
        (),
    )
    return _resolve_identity_of_subject(
        resolver, SubjectIdentity(entity.id, entity.identity, (hop,))
    )


def _resolve_identities_in_use(
    resolver: IdentityResolver,
    inventory: Inventory,
    subject: str,
    identity_uses: "IdentityUses",
) -> SubjectIdentities:
    """Resolve every identity of a person, a group or a permission set."""
    found: list[SubjectIdentity] = []
    apart = list(identity_uses.missing)
    person = inventory.persons.get(PersonId(subject))
    enabled = TRUE
    if person is not None and not person.alive:
        enabled = build_atom("answerable:person-status", "Equals", ("enabled",))
    for use in identity_uses.found:
        hop = PathHop(subject, use.via, use.identity, enabled, ())
        start = SubjectIdentity(subject, use.identity, (hop,))
        each = _resolve_identity_of_subject(resolver, start)
        found += each.starts
        apart += each.apart
    if not found and not apart:
        from answerable.reach.person_identities import AWS_ORG

        what = "no assignment and no agent leads to an identity"
        apart.append(UnknownSubject(subject, what, AWS_ORG))
    return SubjectIdentities(tuple(found), tuple(dict.fromkeys(apart)))


def _build_credential_status_condition(entity: CredentialEntity) -> Formula:
    """Return the condition that an inactive key is activated; true if it is active."""
    statuses = {sighting.status.lower() for sighting in entity.sightings} - {""}
    if statuses == {"inactive"}:
        return build_atom("answerable:credential-status", "Equals", ("active",))
    return TRUE


def _resolve_identities_of_agent(
    resolver: IdentityResolver, inventory: Inventory, entity: AgentEntity
) -> SubjectIdentities:
    """Resolve an agent to the identities that it and its tools act through."""
    from answerable.reach.unknown_subjects import explain_unknown_agent

    subject = entity.agent.id
    found: list[SubjectIdentity] = []
    apart: list[UnknownSubject] = []
    for identity in entity.identities:
        for hop in _list_hops_from_agent_to_identity(
            resolver, inventory, entity, identity
        ):
            start = SubjectIdentity(subject, identity, (hop,))
            each = _resolve_identity_of_subject(resolver, start)
            found += each.starts
            apart += each.apart
    apart += _list_unresolved_credentials(resolver, inventory, entity)
    if not found and not apart:
        apart.append(explain_unknown_agent(subject))
    return SubjectIdentities(tuple(found), tuple(dict.fromkeys(apart)))


def _list_unresolved_credentials(
    resolver: IdentityResolver, inventory: Inventory, entity: AgentEntity
) -> Iterator[UnknownSubject]:
    """List the agent's credentials whose identity is not known."""
    used = dict.fromkeys(
        c for use in entity.tools for c in (*use.credentials, *use.readable)
    )
    found = (inventory.credentials.get(credential) for credential in used)
    for each in found:
        if each and each.identity is None and each.how:
            yield resolver.explain_credential(each)


def _list_hops_from_agent_to_identity(
    resolver: IdentityResolver,
    inventory: Inventory,
    entity: AgentEntity,
    identity: IdentityId,
) -> Iterator[PathHop]:
    """List the path steps by which an agent comes to act as an identity.

    A workflow enters with its OIDC token, under the conditions of the trust policy.
    """
    subject = entity.agent.id
    uses = [use for use in entity.tools if identity in use.identities]
    reads = [
        use for use in entity.tools if _only_reads_credential(inventory, use, identity)
    ]
    hop = PathHop(subject, "runs as", identity, TRUE, ())
    if uses or (reads and identity not in entity.agent.runs_as):
        hop = _build_hop_through_tools(subject, identity, uses, reads)
    is_workflow = entity.agent.kind.startswith("github")
    entries = (
        resolver.list_entries(identity)
        if is_workflow and identity in entity.agent.runs_as
        else ()
    )
    for entry in entries:
        formula = conjoin_hops(hop.formula, entry.formula)
        yield replace(entry, origin=subject, formula=formula)
    if not entries:
        yield hop


def _only_reads_credential(
    inventory: Inventory, tool_use: ToolUse, identity: IdentityId
) -> bool:
    """Return whether a tool reaches an identity only by reading its key."""
    if tool_use.tool.has_only_indirect_identities:
        return identity in tool_use.identities
    if identity in tool_use.identities:
        return False
    found = (inventory.credentials.get(key) for key in tool_use.readable)
    return any(each is not None and each.identity == identity for each in found)


def _build_hop_through_tools(
    subject: str,
    identity: IdentityId,
    tool_uses: Sequence[ToolUse],
    credential_reads: Sequence[ToolUse],
) -> PathHop:
    """Build the path step from an agent, through its tools, to an identity.

    A rule of the agent's client is in a file that the agent can edit: it becomes a
    condition of the path and never blocks it.
    """
    acting = [use for use in tool_uses if not use.tool.has_only_indirect_identities]
    free = next(
        (use for use in acting if not _get_client_rule_for_tool(use.tool)), None
    )
    if free is not None:
        return PathHop(subject, free.tool.id, identity, TRUE, ())
    condition = disjoin(
        _build_client_rule_condition(acting),
        _build_indirect_use_condition(credential_reads),
    )
    return PathHop(
        subject, (*acting, *credential_reads)[0].tool.id, identity, condition, ()
    )


def _build_client_rule_condition(tool_uses: Iterable[ToolUse]) -> Formula:
    """Build the condition that the agent's client allows one of the tools."""
    asked = sorted(
        {f"{use.tool.id}: {_get_client_rule_for_tool(use.tool)}" for use in tool_uses}
    )
    return disjoin(
        *(
            build_atom(CLIENT_RULE, "Allows", (each,))
            for each in asked[:_MAX_NAMED_TOOLS]
        )
    )


def _build_indirect_use_condition(credential_reads: Sequence[ToolUse]) -> Formula:
    """Build the condition that a credential a tool can read is used elsewhere.

    A file tool or a shell reads files, a fetch tool the instance metadata service.
    """
    if not credential_reads:
        return FALSE
    free = [use for use in credential_reads if not _get_client_rule_for_tool(use.tool)]
    tools = tuple(sorted({use.tool.id for use in free or credential_reads}))[
        :_MAX_NAMED_TOOLS
    ]
    read = build_atom(INDIRECT_USE, "Allows", tools)
    return (
        read
        if free
        else conjoin_hops(_build_client_rule_condition(credential_reads), read)
    )


def _get_client_rule_for_tool(tool: Tool) -> str:
    """Return the client's rule for a tool, or `switched off`, or an empty text."""
    return tool.rule or ("" if tool.enabled else "switched off")
