"""Build the rows of `show` for an entity of the inventory: its facts and its links."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from answerable.model.agent import FactStatus
from answerable.model.credential import CredentialClass
from answerable.model.ids import AgentId, CredentialId, PersonId
from answerable.model.inventory import Inventory, ToolUse
from answerable.model.person import OwnerEvidenceKind, OwnerState
from answerable.model.provenance import FactProvenance
from answerable.model.resource import Resource
from answerable.model.tool import Tool
from answerable.presentation.answer_coverage import select_uncollected_data
from answerable.presentation.coverage_text import describe_collecting_commands
from answerable.presentation.entity_rows import (
    FACT,
    MISSING,
    SUBJECT,
    EntityRows,
    LinkEvidence,
    get_id_kind,
)
from answerable.presentation.inventory_items import index_owned_subjects

# Data that tells which agents, credentials and identities are linked, and their owners.
_AGENTS = ("agent-configs", "workflows")
_CREDENTIALS = (*_AGENTS, "ambient-credentials")
_PROOFS = ("access-keys",)
_IDENTITIES = (*_CREDENTIALS, *_PROOFS)
_OWNERS = (*_AGENTS, "codeowners", "identity-policies")
_STATED_OWNER = (OwnerState.ATTESTED, OwnerState.CONFIRMED)


def add_entity_rows(rows: EntityRows, kind: str) -> None:
    """Add facts and links of an agent, tool, identity, credential, person or resource."""
    if not _BUILDERS[kind](rows):
        evidence = LinkEvidence(FactStatus.OBSERVED.value, "logs and statements")
        rows.add(kind, SUBJECT, rows.subject, evidence, "no scan found it")


def _add_subject_row(
    rows: EntityRows,
    kind: str,
    seen: FactProvenance,
    detail: str = "",
    status: str = "",
) -> LinkEvidence:
    """Add the row on the entity itself to its links; return its evidence."""
    evidence = LinkEvidence.from_scanned_fact(seen, status)
    rows.is_scanned = True
    rows.add(kind, SUBJECT, rows.subject, evidence, detail)
    return evidence


def _add_owner_row(rows: EntityRows, subject: str, relation: str = "owner") -> None:
    """Add the owner of a subject, or the way to record one."""
    owner = rows.inventory.owners.get(subject)
    state = OwnerState.NONE if owner is None else owner.state
    if owner is not None and owner.person is not None:
        stated = FactStatus.DECLARED if state in _STATED_OWNER else FactStatus.INFERRED
        detail = f"{state.value} {owner.score:.2f}"
        evidence = LinkEvidence(
            stated.value, "see answerable who-owns for the evidence"
        )
        rows.add("person", relation, owner.person, evidence, detail)
        return
    names = [] if owner is None else [each.person for each in owner.candidates]
    how = "answerable attest ID --owner PERSON records one"
    lacking = describe_collecting_commands(
        select_uncollected_data(_OWNERS, rows.inventory)
    )
    evidence = LinkEvidence(MISSING, f"{lacking}; {how}" if lacking else how)
    rows.add("person", relation, None, evidence, ": ".join([state.value, *names[:1]]))


def _iterate_agent_tools(inventory: Inventory) -> Iterator[tuple[AgentId, ToolUse]]:
    """Yield each agent with each of its tools."""
    for key, entity in inventory.agents.items():
        for use in entity.tools:
            yield key, use


def _describe_tool(tool: Tool) -> str:
    """Describe an agent's tool by transport (stdio, HTTP) and state."""
    runs = "unattended" if tool.unattended else "attended"
    return f"{tool.transport}, {runs if tool.enabled else 'disabled'}"


def _add_tool_credential_rows(rows: EntityRows, use: ToolUse) -> None:
    """Add the credentials and identities that a tool acts through."""
    status = FactStatus.INFERRED.value if use.inherited else ""
    evidence = LinkEvidence.from_scanned_fact(use.tool.seen, status)
    detail = f"through {use.tool.id}"
    for credential in use.credentials:
        rows.add("credential", "uses", credential, evidence, detail)
    if use.tool.has_only_indirect_identities:
        detail += ", only if it reads a credential"
    for identity in use.identities:
        rows.add("identity", "acts as", identity, evidence, detail)


def _add_tool_and_agent_rows(
    rows: EntityRows, does_use: Callable[[ToolUse], bool]
) -> None:
    """Add the tools that a predicate selects, and their agents."""
    for agent, use in _iterate_agent_tools(rows.inventory):
        if does_use(use):
            status = FactStatus.INFERRED.value if use.inherited else ""
            evidence = LinkEvidence.from_scanned_fact(use.tool.seen, status)
            rows.add("agent", "used by", agent, evidence, f"through {use.tool.id}")
            rows.add("tool", "used by", use.tool.id, evidence, _describe_tool(use.tool))


def _add_agent_rows(rows: EntityRows) -> bool:
    """Add rows that link an agent to its tools, owner and credentials."""
    inventory, key = rows.inventory, AgentId(rows.subject)
    entity = inventory.agents.get(key)
    if entity is not None:
        agent = entity.agent
        own = _add_subject_row(rows, "agent", agent.seen, agent.note, agent.known.value)
        alone = agent.unattended or any(use.tool.unattended for use in entity.tools)
        runs = "unattended" if alone else "attended"
        facts = {"kind": agent.kind, "name": agent.name, "place": agent.place}
        rows.add_facts({**facts, "runs": runs, **dict(agent.facts)}, own)
        if agent.parent:
            rows.add("agent", "parent", agent.parent, own)
        for use in entity.tools:
            evidence = LinkEvidence.from_scanned_fact(use.tool.seen)
            rows.add("tool", "has", use.tool.id, evidence, _describe_tool(use.tool))
            _add_tool_credential_rows(rows, use)
        for identity in entity.identities:
            if not rows.has_link_to(identity):
                rows.add("identity", "acts as", identity, own)
    for other, each in inventory.agents.items():
        if each.agent.parent == key:
            evidence = LinkEvidence.from_scanned_fact(
                each.agent.seen, each.agent.known.value
            )
            rows.add("agent", "sub-agent", other, evidence)
    _add_owner_row(rows, rows.subject)
    rows.end_scanned_relation("agent", "sub-agent", _AGENTS)
    rows.end_scanned_relation("tool", "has", _AGENTS)
    rows.end_scanned_relation("identity", "acts as", _IDENTITIES)
    rows.end_scanned_relation("credential", "uses", _CREDENTIALS)
    return entity is not None


def _add_tool_rows(rows: EntityRows) -> bool:
    """Add a row for each agent that declares the tool."""
    found = [
        u for u in _iterate_agent_tools(rows.inventory) if u[1].tool.id == rows.subject
    ]
    for agent, use in found:
        tool = use.tool
        own = _add_subject_row(rows, "tool", tool.seen)
        rows.add_facts({"server": tool.server, "target": tool.target}, own)
        rows.add_facts({"client's rule": tool.rule}, own)
        evidence = LinkEvidence.from_scanned_fact(tool.seen)
        rows.add("agent", "used by", agent, evidence, _describe_tool(tool))
        _add_tool_credential_rows(rows, use)
        _add_owner_row(rows, agent, f"owner of {agent}")
    rows.end_scanned_relation("agent", "used by", _AGENTS)
    rows.end_scanned_relation("identity", "acts as", _IDENTITIES)
    rows.end_scanned_relation("credential", "uses", _CREDENTIALS)
    return bool(found)


def _add_identity_rows(rows: EntityRows) -> bool:
    """Add rows that link an identity to its credentials, tools and agents."""
    inventory, key = rows.inventory, rows.subject
    identity = inventory.facts.identities_by_id().get(key)
    if identity is not None:
        own = _add_subject_row(rows, "identity", identity.seen)
        facts = {"kind": identity.kind, "name": identity.name}
        tags = {f"tag {name}": value for name, value in identity.tags}
        rows.add_facts({**facts, "account": identity.account, **tags}, own)
        rows.add_time("created", identity.created_at, own)
        rows.add_time("last used", identity.last_used_at, own)
    _add_owner_row(rows, key)
    _add_role_assignee_rows(rows)
    _add_tool_and_agent_rows(rows, lambda use: key in use.identities)
    for agent, entity in inventory.agents.items():
        if key in entity.identities:
            evidence = LinkEvidence.from_scanned_fact(entity.agent.seen)
            rows.add("agent", "used by", agent, evidence)
    for credential in inventory.credentials.values():
        if credential.identity == key:
            evidence = _get_proof_evidence(inventory, credential.id, credential.how)
            rows.add("credential", "proven by", credential.id, evidence)
    rows.end_scanned_relation("agent", "used by", _IDENTITIES)
    rows.end_scanned_relation("tool", "used by", _IDENTITIES)
    rows.end_scanned_relation("credential", "proven by", _IDENTITIES)
    return identity is not None


def _add_role_assignee_rows(rows: EntityRows) -> None:
    """Add the people who may assume a role by an assignment."""
    owner = rows.inventory.owners.get(rows.subject)
    for candidate in () if owner is None else owner.candidates:
        for item, _ in candidate.evidence:
            if item.kind is OwnerEvidenceKind.ASSIGNMENT:
                evidence = LinkEvidence.from_scanned_fact(item.seen)
                rows.add(
                    "person",
                    "may assume it",
                    candidate.person,
                    evidence,
                    item.reference,
                )


def _get_proof_evidence(
    inventory: Inventory, credential: CredentialId, how: str
) -> LinkEvidence:
    """Return the evidence that a credential proves its identity."""
    links = (each for each in inventory.facts.links if each.credential == credential)
    link = next(links, None)
    if link is None:
        return LinkEvidence(FactStatus.INFERRED.value, how)
    return LinkEvidence.from_scanned_fact(link.seen)


def _add_credential_rows(rows: EntityRows) -> bool:
    """Add the rows of a credential: places and fingerprints, never a value."""
    inventory, key = rows.inventory, CredentialId(rows.subject)
    entity = inventory.credentials.get(key)
    for sighting in () if entity is None else entity.sightings:
        own = _add_subject_row(rows, "credential", sighting.seen)
        rows.add_facts(
            {
                "kind": sighting.kind,
                "lives": sighting.lifetime.value,
                "ends in": sighting.hint,
                "account": sighting.account,
                "state": sighting.status,
            },
            own,
        )
        if sighting.cls is not CredentialClass.RECORD:
            detail = f"{sighting.cls.value} {sighting.name}".strip()
            rows.add(FACT, "place", sighting.place, own, detail)
    if entity is not None:
        _add_credential_time_rows(rows)
    _add_owner_row(rows, key)
    _add_tool_and_agent_rows(rows, lambda use: key in use.credentials)
    identity = None if entity is None else entity.identity
    how = "" if entity is None else entity.how
    if identity is not None:
        evidence = _get_proof_evidence(inventory, key, how)
        rows.add("identity", "proves", identity, evidence)
    rows.end_scanned_relation("identity", "proves", _PROOFS, how or "a log of its use")
    rows.end_scanned_relation("agent", "used by", _CREDENTIALS)
    rows.end_scanned_relation("tool", "used by", _CREDENTIALS)
    return entity is not None


def _add_credential_time_rows(rows: EntityRows) -> None:
    """Add creation, expiry and last use of a credential, the latest that is known."""
    found = rows.inventory.credentials[CredentialId(rows.subject)].sightings
    times: Sequence[tuple[str, Sequence[tuple[int, FactProvenance]]]] = (
        ("created", [(each.created_at, each.seen) for each in found]),
        ("expires", [(each.expires_at, each.seen) for each in found]),
        ("last used", [(each.last_used_at, each.seen) for each in found]),
    )
    for name, known in times:
        at, seen = max(known, key=lambda each: each[0])
        rows.add_time(name, at, LinkEvidence.from_scanned_fact(seen))


def _add_same_person_rows(rows: EntityRows) -> None:
    """Add the ids that statements merged into a person, with the authors."""
    for merge in rows.inventory.merges:
        evidence = LinkEvidence(
            FactStatus.DECLARED.value,
            f"{merge.written_by.value} statement of {merge.by}",
        )
        for other in set(merge.pair) & set(rows.merged_ids):
            rows.add("person", "same person as", other, evidence)


def _add_person_rows(rows: EntityRows) -> bool:
    """Add the rows of a person: owned things, and roles they may assume."""
    inventory, key = rows.inventory, PersonId(rows.subject)
    ids = (key, *rows.merged_ids)
    person = rows.person or inventory.persons.get(key)
    if person is not None:
        own = _add_subject_row(
            rows, "person", person.seen, "team" if person.team else ""
        )
        left = "" if person.alive else "yes"
        rows.add_facts({"name": person.name, "left": left}, own)
        if person.manager:
            rows.add("person", "manager", person.manager, own)
        for sponsor in person.sponsors:
            rows.add("person", "sponsor", sponsor, own)
        for alias in person.aliases:
            rows.add(FACT, "also known as", alias, own)
    _add_same_person_rows(rows)
    owned = inventory.get_or_compute_value("owned by person", index_owned_subjects)
    for subject, state in sorted(
        {entry for each in ids for entry in owned.get(each, ())}
    ):
        stated = FactStatus.DECLARED if state in _STATED_OWNER else FactStatus.INFERRED
        evidence = LinkEvidence(
            stated.value, "see answerable who-owns for the evidence"
        )
        rows.add(get_id_kind(subject), "owns", subject, evidence, state.value)
    for item in inventory.facts.evidence:
        if item.person in ids and item.kind is OwnerEvidenceKind.ASSIGNMENT:
            evidence = LinkEvidence.from_scanned_fact(item.seen)
            rows.add("identity", "may assume", item.subject, evidence, item.reference)
    for kind in ("agent", "identity", "credential"):
        rows.end_scanned_relation(kind, "owns", (*_OWNERS, "ambient-credentials"))
    return person is not None or bool(owned.get(key))


def _add_resource_rows(rows: EntityRows) -> bool:
    """Add the rows of a scanned resource."""
    facts = rows.inventory.facts
    resource = facts.resources_by_id().get(rows.subject)
    if resource is not None:
        own = _add_subject_row(rows, "resource", resource.seen)
        tags = {f"tag {name}": value for name, value in resource.tags}
        described = {"kind": resource.kind, "account": resource.account, **tags}
        rows.add_facts({**described, "only from network": resource.network}, own)
        if resource.runs_as:
            rows.add("identity", "runs as", resource.runs_as, own)
        if resource.behind:
            rows.add("resource", "gives access to", resource.behind, own)
    in_front = rows.inventory.get_or_compute_value(
        "resources in front", _group_resources_in_front
    )
    for each in in_front.get(rows.subject, ()):
        evidence = LinkEvidence.from_scanned_fact(each.seen)
        rows.add("resource", "reached through", each.id, evidence)
    return resource is not None


def _group_resources_in_front(inventory: Inventory) -> Mapping[str, Sequence[Resource]]:
    """Group the resources that give access to another one, by that one."""
    found: dict[str, list[Resource]] = defaultdict(list)
    for each in inventory.facts.resources_by_id().values():
        if each.behind:
            found[each.behind].append(each)
    return dict(found)


_BUILDERS: Mapping[str, Callable[[EntityRows], bool]] = {
    "agent": _add_agent_rows,
    "tool": _add_tool_rows,
    "identity": _add_identity_rows,
    "credential": _add_credential_rows,
    "person": _add_person_rows,
    "resource": _add_resource_rows,
}
