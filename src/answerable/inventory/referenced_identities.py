"""Add identities that credentials or agents refer to, but no source has described."""

from collections.abc import Iterable, Mapping

from answerable.inventory.canonical_ids import parse_iam_principal_arn
from answerable.model.errors import IdError
from answerable.model.identity import Identity
from answerable.model.ids import AgentId, Arn, CredentialId, IdentityId
from answerable.model.inventory import AgentEntity, CredentialEntity
from answerable.model.provenance import FactProvenance
from answerable.model.sighting import SightedFacts


def add_referenced_identities(
    facts: SightedFacts,
    agents: Mapping[AgentId, AgentEntity],
    credentials: Mapping[CredentialId, CredentialEntity],
) -> tuple[Identity, ...]:
    """Return collected and merely referenced identities, sorted by id."""
    known = {identity.id for identity in facts.identities}
    seen: dict[IdentityId, FactProvenance] = {}
    for identity, where in _list_referenced_identities(facts, agents, credentials):
        if identity not in known:
            seen.setdefault(identity, where)
    named = [
        _build_identity_from_id(identity, where) for identity, where in seen.items()
    ]
    return tuple(sorted((*facts.identities, *named), key=lambda each: each.id))


def _list_referenced_identities(
    facts: SightedFacts,
    agents: Mapping[AgentId, AgentEntity],
    credentials: Mapping[CredentialId, CredentialEntity],
) -> Iterable[tuple[IdentityId, FactProvenance]]:
    """Yield the identities that credential links and agents refer to."""
    proved = {each.identity for each in credentials.values()}
    for link in sorted(facts.links, key=repr):
        if link.identity in proved:
            yield link.identity, link.seen
    for _, entity in sorted(agents.items()):
        for identity in entity.agent.runs_as:
            yield identity, entity.agent.seen


def _build_identity_from_id(identity: IdentityId, seen: FactProvenance) -> Identity:
    """Build an identity from its id alone."""
    key = parse_iam_principal_arn(identity)
    account, kind, name = key or ("", "", "")
    try:
        arn = Arn.parse(identity)
        account, name = account or arn.account, arn.resource.rpartition("/")[2]
        kind = kind or arn.resource.partition("/")[0]
    except IdError:
        name = identity
    return Identity(
        id=identity,
        kind=f"aws-{kind}" if kind else "unknown",
        name=name,
        account=account,
        unique_id="",
        tags=(),
        created_at=0,
        last_used_at=0,
        seen=seen,
    )
