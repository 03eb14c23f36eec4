"""Score ownership evidence, and assign an owner or none. See docs/ownership.md.

A score is 1 - prod(1 - w * 0.5 ** (age / half-life) * alive) over records of which no
two share a kind or an act. A person is assigned only if the evidence for them is strong
and no other candidate is close. Inferred ownership is for display and routing; only an
attested owner authorises.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.inventory.person_directory import (
    PersonDirectory,
    is_machine_user,
    is_team_handle,
)
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import ATTESTATION_LIFETIME
from answerable.model.person import (
    OwnerCandidate,
    OwnerEvidence,
    OwnerEvidenceKind,
    OwnerState,
    SubjectOwnership,
)
from answerable.model.time_units import DAY_NS

HALF_LIFE = 540 * DAY_NS
ASSIGN_THRESHOLD = 0.70
MARGIN_THRESHOLD = 0.25


@dataclass(frozen=True, slots=True)
class EvidenceWeight:
    """Weight of fresh evidence of one kind, 0 to 1, with its reason."""

    weight: float
    because: str


# Starting values, to be calibrated on labelled sets: docs/decisions/0008.
WEIGHTS: Mapping[OwnerEvidenceKind, EvidenceWeight] = {
    OwnerEvidenceKind.ATTESTATION: EvidenceWeight(
        0.95, "signed with an enrolled owner key"
    ),
    OwnerEvidenceKind.CONFIRMATION: EvidenceWeight(
        0.95, "a recorded confirmation by a person"
    ),
    OwnerEvidenceKind.HOME: EvidenceWeight(
        0.85, "its configuration is in this person's home"
    ),
    OwnerEvidenceKind.CODEOWNERS: EvidenceWeight(
        0.75, "code owner of the file that declares it"
    ),
    OwnerEvidenceKind.OWNER_TAG: EvidenceWeight(
        0.75, "its Owner tag names this person"
    ),
    OwnerEvidenceKind.CREATOR: EvidenceWeight(0.65, "created it in their own session"),
    OwnerEvidenceKind.OIDC_SUBJECT: EvidenceWeight(
        0.60, "code owner of the pipeline that its trust policy allows"
    ),
    OwnerEvidenceKind.ASSUMER: EvidenceWeight(
        0.40, "the person who assumes it most often"
    ),
    OwnerEvidenceKind.ASSIGNMENT: EvidenceWeight(
        0.30, "can assume it through single sign-on"
    ),
    OwnerEvidenceKind.TEAM_TAG: EvidenceWeight(0.35, "its Team tag names this team"),
    OwnerEvidenceKind.NAME_MATCH: EvidenceWeight(
        0.15, "its name is this person's name"
    ),
}

IsSelfWritten = Callable[[OwnerEvidence], bool]


def get_evidence_weight(
    evidence: OwnerEvidence, now: int, *, alive: bool, is_counted: bool
) -> float:
    """Return the weight of evidence now, 0 to 1; it decays with age.

    Args:
        evidence: The record; it ages from `seen.at`.
        now: UTC nanoseconds. A record from the future counts as fresh.
        alive: False if the person has left.
        is_counted: False if the subject itself could have written it.
    """
    if not alive or not is_counted:
        return 0.0
    age = max(0, now - evidence.seen.at)
    return float(WEIGHTS[evidence.kind].weight * 0.5 ** (age / HALF_LIFE))


def combine_evidence_weights(weights: Iterable[float]) -> float:
    """Return 1 - prod(1 - w): combined weight of independent evidence."""
    doubt = 1.0
    for weight in weights:
        doubt *= 1.0 - weight
    return 1.0 - doubt


def select_evidence_that_counts(
    records: Sequence[tuple[OwnerEvidence, float]],
) -> frozenset[int]:
    """Select the records with the highest score, without two of one kind or act.

    A greedy choice is wrong: taking the heaviest first can use an act for a kind that
    has another record, so that more evidence would lower the score.

    Returns:
        Positions in `records`.
    """
    acts = _group_evidence_by_act(records)
    # Best choice per set of kinds already used: (doubt left, positions chosen).
    best: dict[frozenset[OwnerEvidenceKind], tuple[float, tuple[int, ...]]] = {
        frozenset(): (1.0, ())
    }
    for options in acts:
        for kinds, (doubt, chosen) in list(best.items()):
            for kind, (position, weight) in options.items():
                if kind in kinds:
                    continue
                wider = kinds | {kind}
                offer = (doubt * (1.0 - weight), tuple(sorted((*chosen, position))))
                if wider not in best or offer < best[wider]:
                    best[wider] = offer
    return frozenset(min(best.values())[1])


_RecordsByKind = dict[OwnerEvidenceKind, tuple[int, float]]


def _group_evidence_by_act(
    records: Sequence[tuple[OwnerEvidence, float]],
) -> list[_RecordsByKind]:
    """Group records by act, the heaviest of each kind.

    With K kinds at most K - 1 acts of one kind can be used by the others, so the K
    heaviest acts of each kind always hold the best choice.
    """
    acts: dict[str, _RecordsByKind] = {}
    for position, (item, weight) in enumerate(records):
        if weight <= 0.0:
            continue
        act = f"act:{item.act}" if item.act else f"alone:{position}"
        options = acts.setdefault(act, {})
        if item.kind not in options or options[item.kind][1] < weight:
            options[item.kind] = (position, weight)
    kinds = {kind for options in acts.values() for kind in options}
    kept: set[str] = set()
    for kind in kinds:
        having = [act for act, options in acts.items() if kind in options]
        having.sort(key=lambda act: (-acts[act][kind][1], acts[act][kind][0]))
        kept.update(having[: len(kinds)])
    return [options for act, options in acts.items() if act in kept]


def assign_owner(
    subject: str,
    evidence: Iterable[OwnerEvidence],
    *,
    people: PersonDirectory,
    now: int,
    is_self_written: IsSelfWritten = lambda item: False,
) -> SubjectOwnership:
    """Assign the owner of a subject, with its state and candidates.

    Args:
        subject: Id of an agent, identity or credential.
        evidence: Records about it, in any order; a repeated one counts once.
        people: Persons with aliases merged.
        now: UTC nanoseconds.
        is_self_written: Tells whether the subject could have written a record itself.

    Returns:
        The owner with all candidates, best first. Evidence that the subject could have
        written itself, or that names a pipeline, is shown with weight 0.
    """
    by_person: dict[PersonId, set[OwnerEvidence]] = defaultdict(set)
    for item in evidence:
        person = people(item.person)
        same = item.subject == subject and item.person == person
        by_person[person].add(
            item if same else replace(item, subject=subject, person=person)
        )
    scored = [
        _score_owner_candidate(person, found, people, now, is_self_written)
        for person, found in by_person.items()
    ]
    spoken = _find_newest_attestation(by_person, now)
    first = spoken[1] if spoken else None
    scored.sort(key=lambda c: (c.person != first, -c.score, c.person))
    candidates = tuple(scored)
    if spoken is not None:
        return _build_attested_ownership(subject, *spoken, candidates, people)
    return _infer_owner_from_scores(
        subject, candidates, people, by_person, now, is_self_written
    )


def _score_owner_candidate(
    person: PersonId,
    evidence: set[OwnerEvidence],
    people: PersonDirectory,
    now: int,
    is_self_written: IsSelfWritten,
    *,
    assume_present: bool = False,
) -> OwnerCandidate:
    """Return the score of one person's evidence, with each weight."""
    alive = assume_present or not _has_person_left(person, people)
    machine = is_machine_user(person)
    ordered = list(evidence)
    if len(ordered) > 1:  # the sort key costs more than the score
        ordered.sort(key=lambda e: (-WEIGHTS[e.kind].weight, -e.seen.at, repr(e)))
    weighed = [
        (
            item,
            get_evidence_weight(
                item,
                now,
                alive=alive,
                is_counted=not (machine or is_self_written(item)),
            ),
        )
        for item in ordered
    ]
    taken = select_evidence_that_counts(weighed)
    shown = [(e, w if i in taken else 0.0) for i, (e, w) in enumerate(weighed)]
    shown.sort(key=lambda pair: -pair[1])
    return OwnerCandidate(
        person, combine_evidence_weights(w for _, w in shown), tuple(shown)
    )


def _find_newest_attestation(
    by_person: Mapping[PersonId, set[OwnerEvidence]], now: int
) -> tuple[OwnerState, PersonId] | None:
    """Find the newest valid attestation, else the newest confirmation."""
    said: list[tuple[bool, int, PersonId]] = []
    for person, found in by_person.items():
        for item in () if is_machine_user(person) else found:
            if item.kind is OwnerEvidenceKind.CONFIRMATION:
                said.append((False, item.seen.at, person))
            elif is_valid_attestation(item, now):
                said.append((True, item.seen.at, person))
    if not said:
        return None
    attested, _, person = max(said)
    return (OwnerState.ATTESTED if attested else OwnerState.CONFIRMED), person


def is_valid_attestation(item: OwnerEvidence, now: int) -> bool:
    """Return whether a record is an attestation of its subject that is valid now."""
    if item.kind is not OwnerEvidenceKind.ATTESTATION or item.void or item.said_of:
        return False
    return now < get_attestation_end(item) and item.seen.written_by.is_trusted_author


def get_attestation_end(item: OwnerEvidence) -> int:
    """Return when an attestation expires, UTC nanoseconds."""
    end = item.seen.at + ATTESTATION_LIFETIME
    return min(item.until, end) if item.until else end


def _build_attested_ownership(
    subject: str,
    state: OwnerState,
    person: PersonId,
    candidates: tuple[OwnerCandidate, ...],
    people: PersonDirectory,
) -> SubjectOwnership:
    """Build the ownership that a person has attested or confirmed."""
    if _has_person_left(person, people):
        state = OwnerState.OWNER_LEFT
    top, *rest = candidates
    margin = max(0.0, top.score - max((c.score for c in rest), default=0.0))
    return SubjectOwnership(subject, state, person, top.score, margin, candidates)


def _infer_owner_from_scores(
    subject: str,
    candidates: tuple[OwnerCandidate, ...],
    people: PersonDirectory,
    by_person: Mapping[PersonId, set[OwnerEvidence]],
    now: int,
    is_self_written: IsSelfWritten,
) -> SubjectOwnership:
    """Infer the owner from scores: a person, a team, one who left, or none."""
    single = [c for c in candidates if not _is_team_candidate(c, people)]
    state, person, score, margin = _apply_ownership_thresholds(single)
    if state is not OwnerState.INFERRED:
        here = [
            _score_owner_candidate(
                p, by_person[p], people, now, is_self_written, assume_present=True
            )
            for p in (c.person for c in single)
        ]
        here.sort(key=lambda c: (-c.score, c.person))
        would, heir, _, _ = _apply_ownership_thresholds(here)
        stronger = would is OwnerState.INFERRED or state is OwnerState.NONE
        if stronger and heir is not None and _has_person_left(heir, people):
            state, person = OwnerState.OWNER_LEFT, heir
    if state is OwnerState.NONE:
        teams = [
            c for c in candidates if _is_team_candidate(c, people) and c.score > 0.0
        ]
        if teams:
            state, person, score = OwnerState.TEAM_ONLY, teams[0].person, teams[0].score
    return SubjectOwnership(subject, state, person, score, margin, candidates)


def _has_person_left(person: PersonId, people: PersonDirectory) -> bool:
    """Return whether a person has left the organisation."""
    known = people.get_merged_person(person)
    return known is not None and not known.alive


def _is_team_candidate(candidate: OwnerCandidate, people: PersonDirectory) -> bool:
    """Return whether a candidate is a team, which is never the only owner."""
    known = people.get_merged_person(candidate.person)
    return is_team_handle(candidate.person) or (known is not None and known.team)


def _apply_ownership_thresholds(
    ranked: Sequence[OwnerCandidate],
) -> tuple[OwnerState, PersonId | None, float, float]:
    """Apply the score and margin thresholds to persons, best first."""
    living = [c for c in ranked if c.score > 0.0]
    if not living:
        return OwnerState.NONE, None, 0.0, 0.0
    top = living[0]
    margin = top.score - (living[1].score if len(living) > 1 else 0.0)
    if top.score >= ASSIGN_THRESHOLD and margin >= MARGIN_THRESHOLD:
        return OwnerState.INFERRED, top.person, top.score, margin
    if margin >= MARGIN_THRESHOLD or len(living) == 1:
        return OwnerState.SUGGESTED, top.person, top.score, margin
    return OwnerState.AMBIGUOUS, None, top.score, margin
