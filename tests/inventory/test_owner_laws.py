"""Laws of the score, on made-up evidence; the reference is tests/reference/inventory."""

from hypothesis import given
from hypothesis import strategies as st

from answerable.inventory import ownership_score
from answerable.inventory.ownership_score import (
    assign_owner,
    combine_evidence_weights,
    get_evidence_weight,
    select_evidence_that_counts,
)
from answerable.inventory.person_directory import PersonDirectory
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, OwnerState
from answerable.model.provenance import WrittenBy
from tests.inventory.fact_builders import NOW, evidence
from tests.reference.inventory import owners as spec

PEOPLE = ("ana@corp.example", "ben@corp.example", "cleo@corp.example")


def records(
    *people: str, most: int = 7, by: tuple[WrittenBy, ...] = (WrittenBy.PLATFORM,)
) -> st.SearchStrategy[list[OwnerEvidence]]:
    one = st.builds(
        evidence,
        st.just("subject"),
        st.sampled_from(people or PEOPLE[:1]),
        st.sampled_from(OwnerEvidenceKind),
        age=st.floats(-10, 5_000),
        act=st.sampled_from(("", "", "one", "two", "three")),
        reference=st.sampled_from(("a", "b")),
        by=st.sampled_from(by),
    )
    return st.lists(one, max_size=most)


def fast(items: list[OwnerEvidence], *, alive: bool = True) -> float:
    weighed = [
        (e, get_evidence_weight(e, NOW, alive=alive, is_counted=True)) for e in items
    ]
    taken = select_evidence_that_counts(weighed)
    return combine_evidence_weights(
        weight for i, (_, weight) in enumerate(weighed) if i in taken
    )


def test_the_weights_are_those_of_the_slow_twin() -> None:
    assert {
        kind.value: w.weight for kind, w in ownership_score.WEIGHTS.items()
    } == spec.WEIGHTS
    assert set(ownership_score.WEIGHTS) == set(OwnerEvidenceKind)


@given(records(), st.booleans())
def test_the_score_equals_the_best_of_every_choice(
    items: list[OwnerEvidence], alive: bool
) -> None:
    expected = spec.score(items, NOW, alive=alive)
    assert abs(fast(items, alive=alive) - expected) < 1e-9


@given(records(most=40), records(most=1))
def test_more_evidence_never_lowers_a_score(
    items: list[OwnerEvidence], more: list[OwnerEvidence]
) -> None:
    assert fast(items + more) >= fast(items) - 1e-12


@given(records(most=40))
def test_a_score_lies_between_none_and_all(items: list[OwnerEvidence]) -> None:
    assert 0.0 <= fast(items) <= 1.0


@given(records(*PEOPLE, most=12), st.randoms(use_true_random=False))
def test_order_and_repetition_never_matter(
    items: list[OwnerEvidence], shuffle: st.DataObject
) -> None:
    people = PersonDirectory([], items)
    first = assign_owner("subject", items, people=people, now=NOW)
    mixed = [*items, *items[:3]]
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]  # a random.Random
    assert (
        assign_owner("subject", mixed, people=PersonDirectory([], mixed), now=NOW)
        == first
    )


@given(records(*PEOPLE, most=12))
def test_only_strong_and_clear_evidence_assigns(items: list[OwnerEvidence]) -> None:
    owner = assign_owner("subject", items, people=PersonDirectory([], items), now=NOW)
    if owner.state is OwnerState.INFERRED:
        top, *rest = owner.candidates
        assert top.person == owner.person
        assert top.score >= 0.70
        assert all(top.score - other.score >= 0.25 for other in rest)
    if owner.state in (OwnerState.NONE, OwnerState.AMBIGUOUS):
        assert owner.person is None


@given(
    records(*PEOPLE, most=8), records(*PEOPLE, most=4, by=(WrittenBy.SELF_REPORTED,))
)
def test_self_reported_evidence_never_changes_the_owner(
    items: list[OwnerEvidence], own: list[OwnerEvidence]
) -> None:
    own = [item for item in own if item.kind is not OwnerEvidenceKind.CONFIRMATION]

    def judged(found: list[OwnerEvidence]) -> tuple[object, ...]:
        owner = assign_owner(
            "subject",
            found,
            people=PersonDirectory([], found),
            now=NOW,
            is_self_written=lambda item: not item.seen.written_by.is_trusted_author,
        )
        return (owner.state, owner.person, round(owner.score, 9))

    assert judged(items + own) == judged(items)


def test_greed_would_lose_what_the_best_choice_keeps() -> None:
    alone = evidence("s", PEOPLE[0], OwnerEvidenceKind.CODEOWNERS, age=10)
    taken = evidence("s", PEOPLE[0], OwnerEvidenceKind.CODEOWNERS, act="x")
    other = evidence("s", PEOPLE[0], OwnerEvidenceKind.CREATOR, act="x")
    assert fast([alone, taken, other]) > combine_evidence_weights([0.75])
    assert fast([alone, taken, other]) >= fast([alone, other])


def test_hundreds_of_acts_are_weighed_at_once() -> None:
    items = [
        evidence("s", PEOPLE[0], kind, act=f"act-{number}", age=number)
        for number in range(500)
        for kind in OwnerEvidenceKind
    ]
    assert fast(items) > 0.99
