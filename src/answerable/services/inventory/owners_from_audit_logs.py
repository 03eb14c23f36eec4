"""Derive owners of identities from audit logs: who created and who assumed them."""

from collections import Counter
from collections.abc import Iterator

from answerable.lineage.chain_stitching_types import SourcedChainKey
from answerable.lineage.issuance_path import (
    IssuanceIndex,
    index_credential_issuances,
    trace_credential_to_origin,
)
from answerable.model.credential import CredentialLink
from answerable.model.errors import IdError
from answerable.model.ids import CredentialId, IdentityId, PersonId, build_person_id
from answerable.model.lineage import ChainKey, CredentialIssuance
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import SightedFacts
from answerable.store import lineage_facts
from answerable.store.lineage_facts import LineageFacts
from answerable.store.store import EvidenceStore

# An identity that assumes a role at least this often, and most often, may own it.
MIN_ASSUMPTIONS = 3


def collect_audit_log_facts(store: EvidenceStore) -> SightedFacts:
    """Collect ownership evidence and credential links of ingested logs."""
    known = lineage_facts.load_ownership_facts(store)
    return SightedFacts(
        links=tuple(_list_access_key_identities(known)),
        evidence=tuple(_list_owner_evidence(known)),
    )


def _list_access_key_identities(facts: LineageFacts) -> Iterator[CredentialLink]:
    """Link each access key in the audit log to the identity that used or got it."""
    used: dict[str, set[str]] = {}
    for use in facts.uses:
        used.setdefault(use.credential, set()).add(use.identity)
        yield CredentialLink(
            CredentialId(use.credential),
            IdentityId(use.identity),
            "trail",
            _build_provenance(use.source, f"{use.count} events", use.last),
        )
    for made in facts.issuances:
        created = made.credential.startswith("cred:aws/AKIA") and made.identity
        if created and made.credential not in used:
            yield CredentialLink(
                CredentialId(made.credential),
                IdentityId(made.identity),
                "trail",
                _build_provenance(made.source, f"event {made.event}", made.at),
            )


def _list_owner_evidence(facts: LineageFacts) -> Iterator[OwnerEvidence]:
    """Yield creators and frequent assumers of identities as owner evidence."""
    issued = index_credential_issuances(facts.issuances)
    for change in facts.changes:
        if change.created:
            person, by = _find_origin_person(change.key, change.source, issued)
            if person:
                yield OwnerEvidence(
                    subject=change.created,
                    person=person,
                    kind=OwnerEvidenceKind.CREATOR,
                    reference=f"{change.action} by {by}",
                    act=f"event {change.event}",
                    standing=False,
                    seen=_build_provenance(
                        change.source, f"event {change.event}", change.at
                    ),
                )
    yield from _list_access_key_creators(facts, issued)
    yield from _list_frequent_assumers(facts, issued)


def _list_access_key_creators(
    facts: LineageFacts, issuances: IssuanceIndex
) -> Iterator[OwnerEvidence]:
    """Yield the person who created each long-lived access key."""
    for made in facts.issuances:
        if not made.credential.startswith("cred:aws/AKIA"):
            continue
        person, by = _find_origin_person(made.parent, made.source, issuances)
        if person:
            yield OwnerEvidence(
                subject=made.credential,
                person=person,
                kind=OwnerEvidenceKind.CREATOR,
                reference=f"access key created by {by}",
                act=f"event {made.event}",
                standing=False,
                seen=_build_provenance(made.source, f"event {made.event}", made.at),
            )


def _list_frequent_assumers(
    facts: LineageFacts, issuances: IssuanceIndex
) -> Iterator[OwnerEvidence]:
    """Yield the person who assumes a role most often, if clearly ahead."""
    counts: dict[str, Counter[PersonId]] = {}
    last: dict[tuple[str, PersonId], tuple[CredentialIssuance, str]] = {}
    origins: dict[tuple[ChainKey, str], tuple[PersonId | None, str]] = {}
    for made in facts.issuances:
        if not made.credential.startswith("cred:aws/ASIA") or not made.identity:
            continue
        caller = (made.parent, made.source)
        if caller not in origins:  # few callers open most sessions
            origins[caller] = _find_origin_person(made.parent, made.source, issuances)
        person, by = origins[caller]
        if person:
            counts.setdefault(made.identity, Counter())[person] += 1
            last[made.identity, person] = (made, by)
    for identity, persons in sorted(counts.items()):
        ranked = persons.most_common(2)
        person, most = ranked[0]
        alone = len(ranked) == 1 or ranked[1][1] < most
        made, by = last[identity, person]
        if most >= MIN_ASSUMPTIONS and alone and by != identity:
            yield OwnerEvidence(
                subject=identity,
                person=person,
                kind=OwnerEvidenceKind.ASSUMER,
                reference=f"assumed {most} times by {by}",
                act=f"assume {identity}",
                standing=False,
                seen=_build_provenance(made.source, f"event {made.event}", made.at),
            )


def _find_origin_person(
    key: ChainKey, source: str, issuances: IssuanceIndex
) -> tuple[PersonId | None, str]:
    """Follow sessions back to a person: a signed-in person or an IAM user."""
    path = trace_credential_to_origin(
        SourcedChainKey(key, source, believed=True), issuances
    )
    for step in path.steps:
        if step.person:
            return PersonId(step.person), step.identity
    origin = path.steps[-1].identity
    account_and_kind, slash, name = origin.partition(":user/")
    if not slash or not account_and_kind.startswith("arn:"):
        return None, origin
    try:
        return build_person_id(name.rpartition("/")[2]), origin
    except IdError:
        return None, origin


def _build_provenance(source: str, location: str, at: int) -> FactProvenance:
    """Build the provenance of a fact from an audit log."""
    return FactProvenance(f"{source}:", location, WrittenBy.PLATFORM, at)
