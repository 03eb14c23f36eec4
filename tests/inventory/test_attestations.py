"""Attestations as evidence: what attests, for how long, and for what alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.inventory.ownership_score import assign_owner
from answerable.inventory.person_directory import PersonDirectory
from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.owner_signing_key import ATTESTATION_LIFETIME
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, OwnerState
from answerable.model.provenance import WrittenBy
from tests.inventory.fact_builders import (
    DAY,
    NOW,
    agent,
    credential,
    evidence,
    human,
    person,
    sync,
    tool,
)

AGENT = "agent:claude-code/home/ana"
PEOPLE = ("ana@corp.example", "ben@corp.example", "cleo@corp.example")


def attested(
    who: str = PEOPLE[0],
    *,
    subject: str = AGENT,
    age: int = 0,
    void: str = "",
    until: int | None = None,
    said_of: str = "",
) -> OwnerEvidence:
    by = WrittenBy.SELF_REPORTED if void else WrittenBy.PERSON
    made = evidence(
        subject, who, OwnerEvidenceKind.ATTESTATION, age=age, by=by, standing=False
    )
    end = made.seen.at + ATTESTATION_LIFETIME if until is None else until
    return replace(
        made, key="owner-key:x", until=end, void=void, said_of=said_of, digest="d"
    )


def judged(
    items: list[OwnerEvidence], now: int = NOW, **people: bool
) -> tuple[OwnerState, object]:
    persons = [
        human(f"{name}@corp.example", alive=alive) for name, alive in people.items()
    ]
    owner = assign_owner(
        AGENT,
        items,
        people=PersonDirectory(persons, items),
        now=now,
        is_self_written=lambda item: (
            not item.seen.written_by.is_trusted_author
            and item.kind is not OwnerEvidenceKind.CONFIRMATION
        ),
    )
    return owner.state, owner.person


one = st.builds(
    attested,
    st.sampled_from(PEOPLE),
    age=st.integers(0, 400),
    void=st.sampled_from(("", "", "key-revoked", "key-of-another-person")),
    until=st.sampled_from((None, None, NOW - DAY, NOW + DAY)),
    said_of=st.sampled_from(("", "", "agent:declared/parent")),
)
other = st.builds(
    evidence,
    st.just(AGENT),
    st.sampled_from(PEOPLE),
    st.sampled_from(
        [k for k in OwnerEvidenceKind if k is not OwnerEvidenceKind.ATTESTATION]
    ),
    age=st.integers(0, 400),
)


def holds(item: OwnerEvidence) -> bool:
    """Say slowly whether one attests now."""
    if item.kind is not OwnerEvidenceKind.ATTESTATION or item.void or item.said_of:
        return False
    return NOW - item.seen.at < ATTESTATION_LIFETIME and item.until > NOW


@given(
    st.lists(one, max_size=6),
    st.lists(other, max_size=4),
    st.randoms(use_true_random=False),
)
def test_the_newest_that_holds_attests_in_any_order(
    signed: list[OwnerEvidence], rest: list[OwnerEvidence], shuffle: st.DataObject
) -> None:
    mixed = [*signed, *rest, *signed[:2]]
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]  # a random.Random
    assert judged(mixed) == judged([*signed, *rest])
    state, who = judged(mixed)
    held = [item for item in signed if holds(item)]
    assert (state is OwnerState.ATTESTED) == bool(held)
    if held:
        assert who == max((item.seen.at, item.person) for item in held)[1]


@given(st.lists(one, max_size=4), st.lists(other, max_size=4))
def test_what_is_void_changes_nothing(
    signed: list[OwnerEvidence], rest: list[OwnerEvidence]
) -> None:
    good = [item for item in signed if not item.void]
    assert judged([*signed, *rest]) == judged([*good, *rest])


@given(st.lists(one, min_size=1, max_size=4), st.lists(other, max_size=3))
def test_who_has_left_attests_nothing(
    signed: list[OwnerEvidence], rest: list[OwnerEvidence]
) -> None:
    state, _ = judged([*signed, *rest], ana=False, ben=False, cleo=False)
    assert state is not OwnerState.ATTESTED
    if any(holds(item) for item in signed):
        assert state is OwnerState.OWNER_LEFT


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (0, OwnerState.ATTESTED),
        (179, OwnerState.ATTESTED),
        (180, OwnerState.INFERRED),
        (400, OwnerState.SUGGESTED),
    ],
)
def test_an_attestation_falls_back_to_evidence_after_180_days(
    age: int, state: OwnerState
) -> None:
    assert judged([attested(age=age)])[0] is state


def test_a_later_confirmation_does_not_stand_above() -> None:
    later = evidence(AGENT, PEOPLE[1], OwnerEvidenceKind.CONFIRMATION)
    assert judged([attested(age=10), later]) == (
        OwnerState.ATTESTED,
        person(PEOPLE[0]),
    )


def test_a_machine_attests_nothing() -> None:
    assert judged([attested("deploy-bot")])[0] is OwnerState.NONE


def test_an_attestation_is_of_one_subject_alone() -> None:
    child = "claude-code/home/ana/reporter"
    key = "cred:fp/x"
    inventory = join_syncs_into_inventory(
        [
            sync(
                "home:h",
                agents=(agent(), agent(child, parent="claude-code/home/ana")),
                tools=(tool("claude-code/home/ana", "db", key),),  # type: ignore[arg-type]  # an id
                credentials=(credential(key),),
            )
        ],
        now=NOW,
        attestations=[attested()],
    )
    states = {subject: owner.state for subject, owner in inventory.owners.items()}
    assert states[AGENT] is OwnerState.ATTESTED
    assert states[f"agent:{child}"] is OwnerState.INFERRED
    assert OwnerState.ATTESTED not in {
        state for subject, state in states.items() if subject != AGENT
    }


def test_a_void_attestation_does_not_take_a_parents_owner_away() -> None:
    child = "claude-code/home/ana/reporter"
    home = evidence(AGENT, PEOPLE[1], OwnerEvidenceKind.HOME)
    inventory = join_syncs_into_inventory(
        [
            sync(
                "home:h",
                agents=(agent(), agent(child, parent="claude-code/home/ana")),
                evidence=(home,),
            )
        ],
        now=NOW,
        attestations=[attested(subject=f"agent:{child}", void="key-revoked")],
    )
    owner = inventory.owners[f"agent:{child}"]
    assert (owner.state, owner.person) == (OwnerState.INFERRED, person(PEOPLE[1]))


def test_no_source_can_bring_an_attestation() -> None:
    inventory = join_syncs_into_inventory(
        [sync("home:h", agents=(agent(),), evidence=(attested(),))], now=NOW
    )
    assert inventory.owners[AGENT].state is OwnerState.NONE
