"""Derive owners of identities from audit logs: who created and who assumed them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from answerable.lineage.chain_stitching_types import SourcedChainKey
from answerable.lineage.issuance_path import (
    IssuanceIndex,
    index_credential_issuances,
    trace_credential_to_origin,
)
from answerable.model.credential import CredentialLink
from answerable.model.errors import EnvironmentFailure, IdError
from answerable.model.ids import CredentialId, IdentityId, PersonId, build_person_id
from answerable.model.lineage import ChainKey
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import SightedFacts
from answerable.store.cache_generation import compute_events_generation
from answerable.store.ownership_facts import (
    AssumptionPart,
    OwnershipFacts,
    iterate_assumptions,
    load_ownership_facts,
)
from answerable.store.store import EvidenceStore

# An identity that assumes a role at least this often, and most often, may own it.
MIN_ASSUMPTIONS = 3


class _NewestFacts:
    """Facts of the events of one generation: those that were collected last."""

    def __init__(self, _: EvidenceStore) -> None:
        self._known: tuple[str, SightedFacts] | None = None

    def get(self, store: EvidenceStore) -> SightedFacts:
        """Return the facts of all events, collected again after new events."""
        generation = compute_events_generation(store)
        if self._known is None or self._known[0] != generation:
            self._known = generation, _collect_facts(store)
        return self._known[1]


def collect_audit_log_facts(store: EvidenceStore) -> SightedFacts:
    """Collect ownership evidence and credential links of ingested logs."""
    kept = store.get_or_create_cached("audit-log facts", _NewestFacts)
    return kept.get(store)


def _collect_facts(store: EvidenceStore) -> SightedFacts:
    """Collect the facts from the events."""
    known = load_ownership_facts(store)
    return SightedFacts(
        links=tuple(_list_access_key_identities(known)),
        evidence=(
            *_list_creators(known),
            *_list_access_key_creators(known),
            *_list_frequent_assumers(_count_assumers(store)),
        ),
    )


def _list_access_key_identities(facts: OwnershipFacts) -> Iterator[CredentialLink]:
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
    for made in facts.keys:
        if made.identity and made.credential not in used:
            yield CredentialLink(
                CredentialId(made.credential),
                IdentityId(made.identity),
                "trail",
                _build_provenance(made.source, f"event {made.event}", made.at),
            )


def _list_creators(facts: OwnershipFacts) -> Iterator[OwnerEvidence]:
    """Yield the person who created each identity."""
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


def _list_access_key_creators(facts: OwnershipFacts) -> Iterator[OwnerEvidence]:
    """Yield the person who created each long-lived access key."""
    issued = index_credential_issuances(facts.issuances)
    for made in facts.keys:
        person, by = _find_origin_person(made.parent, made.source, issued)
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


@dataclass(slots=True)
class _Assumer:
    """Sessions of an identity that a person opened: number and the last one.

    Attributes:
        count: Number of the sessions.
        last: Time and event id of the last one.
        source: Log source of the last one.
        by: Identity at the origin of the last one.
    """

    count: int = 0
    last: tuple[int, str] = (0, "")
    source: str = ""
    by: str = ""


def _count_assumers(store: EvidenceStore) -> dict[str, dict[PersonId, _Assumer]]:
    """Count the sessions of each identity by the person who opened them."""
    try:
        return _count_assumers_of(iterate_assumptions(store))
    except EnvironmentFailure:  # another process has removed a file of a day
        return _count_assumers_of(iterate_assumptions(store, from_files=False))


def _count_assumers_of(
    parts: Iterable[AssumptionPart],
) -> dict[str, dict[PersonId, _Assumer]]:
    """Count the sessions of parts of the role assumptions."""
    found: dict[str, dict[PersonId, _Assumer]] = {}
    for part in parts:
        issued = index_credential_issuances(part.issuances)
        origins: dict[ChainKey, tuple[PersonId | None, str]] = {}
        for each in part.assumptions:
            if each.caller not in origins:  # few callers open most sessions
                origins[each.caller] = _find_origin_person(
                    each.caller, each.source, issued
                )
            person, by = origins[each.caller]
            if person is None:
                continue
            known = found.setdefault(each.identity, {}).setdefault(person, _Assumer())
            is_last = not known.count or (each.at, each.event) > known.last
            known.count += each.count
            if is_last:
                known.last = each.at, each.event
                known.source, known.by = each.source, by
    return found


def _list_frequent_assumers(
    counts: Mapping[str, Mapping[PersonId, _Assumer]],
) -> Iterator[OwnerEvidence]:
    """Yield the person who assumes a role most often, if clearly ahead."""
    for identity, persons in sorted(counts.items()):
        ranked = sorted(persons.items(), key=lambda item: -item[1].count)[:2]
        person, most = ranked[0]
        alone = len(ranked) == 1 or ranked[1][1].count < most.count
        if most.count >= MIN_ASSUMPTIONS and alone and most.by != identity:
            at, event = most.last
            yield OwnerEvidence(
                subject=identity,
                person=person,
                kind=OwnerEvidenceKind.ASSUMER,
                reference=f"assumed {most.count} times by {most.by}",
                act=f"assume {identity}",
                standing=False,
                seen=_build_provenance(most.source, f"event {event}", at),
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
