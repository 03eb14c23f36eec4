"""A long list builds its items when they are read, and equals the list of all."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.inventory import lazy_ownership
from answerable.inventory.lazy_ownership import LazyOwnership, SubjectEvidence
from answerable.inventory.person_directory import PersonDirectory
from answerable.model.documents.shared_shapes import Document
from answerable.model.ids import PersonId
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, OwnerState
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.presentation import serialization
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.presentation.listed_items import Item, ListedItems

NOW = 1_795_000_000_000_000_000
SEEN = FactProvenance("aws:test", "test", WrittenBy.PLATFORM, NOW)


def listed(numbers: list[int]) -> ListedItems:
    def build() -> Iterator[Item]:
        return ({"number": each} for each in numbers)

    return ListedItems(len(numbers), build)


@given(st.lists(st.integers(0, 9)), st.sets(st.integers(0, 9)), st.slices(12))
def test_selected_items_are_those_of_a_list(
    numbers: list[int], kept: set[int], part: slice
) -> None:
    every = [{"number": each} for each in numbers]
    items = listed(numbers)
    assert list(items) == every
    assert list(items[part]) == every[part]
    chosen = items.select(lambda each: each["number"] in kept)
    expected = [each for each in every if each["number"] in kept]
    assert (len(chosen), list(chosen), list(chosen)) == (len(expected), *[expected] * 2)
    again = chosen.select(lambda each: each["number"] != 3)
    assert list(again) == [each for each in expected if each["number"] != 3]
    assert [chosen[at] for at in range(-len(chosen), 0)] == expected


def test_many_owners_are_computed_when_read_and_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def said(subject: str, kind: OwnerEvidenceKind) -> SubjectEvidence:
        item = OwnerEvidence(
            subject, PersonId("person:ana"), kind, "ref", "", standing=True, seen=SEEN
        )
        return SubjectEvidence((item,))

    records = {
        f"arn:{number}": said(f"arn:{number}", OwnerEvidenceKind.OWNER_TAG)
        for number in range(6)
    }
    records["arn:6"] = said("arn:6", OwnerEvidenceKind.ASSIGNMENT)
    people = PersonDirectory(())
    every = dict(LazyOwnership(records, people, NOW).items())
    assert {each.state for each in every.values()} != {OwnerState.NONE}
    monkeypatch.setattr(lazy_ownership, "_MOST_KEPT", 3)
    owners = LazyOwnership(records, people, NOW)
    for _ in range(2):
        assert dict(owners.items()) == every == {key: owners[key] for key in owners}
        assert list(owners.values()) == list(every.values())
        assert len(owners._judged) <= 3
    assigned = dict(owners.iterate_owners(OwnerEvidenceKind.ASSIGNMENT))
    assert assigned == {"arn:6": every["arn:6"]}


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers())),
    st.integers(-1, 3),
)
def test_json_in_parts_is_the_json_of_the_document(
    items: list[dict[str, object]], total: int
) -> None:
    document = Document("agents", items, build_empty_coverage(), total=total)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialization, "_PART_CHARACTERS", 8)
        parts = list(serialization.iterate_json(document))
    assert "".join(parts) == serialization.to_json(document)
