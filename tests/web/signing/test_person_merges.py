"""Two names of one person: listed as one, by whom it says, and nothing else changes."""

from dataclasses import replace

import pytest

from answerable.inventory.person_directory import merge_listed_persons
from answerable.model.errors import UsageError
from answerable.model.ids import build_person_id
from answerable.model.provenance import WrittenBy
from answerable.services.inventory import snapshots
from answerable.services.lineage.lineage_search import SearchScope
from answerable.services.statements.attested_owners import read_attested_owners
from answerable.services.statements.person_merges import (
    put_unsigned_merge,
    read_person_merges,
)
from answerable.usecases.inventory import inventory_listing
from answerable.usecases.inventory.ownership import show_owner
from answerable.usecases.inventory.show import show_subject
from answerable.web.http.errors import RequestRejected
from answerable.web.pages import inventory_list_definitions
from answerable.web.routing import Forbidden, Redirect
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.usecases import owned_store
from tests.usecases.owned_store import AGENT, ANA, BEN, OTHER
from tests.web.api.conftest import told
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import markup_faults
from tests.web.signing.owner_store import ADMIN, INVESTIGATOR, LATER, OWNER, owner
from tests.web.signing.test_signing import signed

PAIR = {"person": ANA, "other": BEN}
SIGNED = {"act": "merge-person", "id": ANA, "other": BEN}


def listed(desk: StoreCache) -> dict[str, set[str]]:
    """Return the other names and owned subjects of each listed person."""
    return {
        key: {*item["aliases"], *item["owns"]}
        for key, item in inventory_list_definitions.people(desk).by_key.items()
    }


def test_a_merge_without_a_signature_is_self_reported_and_ends_again(
    desk: StoreCache,
) -> None:
    before = listed(desk)
    assert set(before) == {ANA, BEN}
    moved = answer(desk, INVESTIGATOR, "/person/merge", "POST", **PAIR)
    assert isinstance(moved, Redirect)
    assert "self-reported" in moved.confirmation
    assert listed(desk) == {ANA: {*before[ANA], *before[BEN], "ben@corp.example"}}
    page = shown(desk, visitor(), "/person", id=ANA)
    assert markup_faults(page) == []
    assert "self-reported</span> by ben@corp.example, web page" in page
    assert "/person/split" not in page  # a viewer ends nothing
    (item,) = told(desk, INVESTIGATOR, "/people/merges").document.items
    assert (item["person"], item["other"], item["written_by"]) == (
        *(ANA, BEN),
        "self-reported",
    )
    with desk.open_store() as store:
        inventory = snapshots.load_inventory(store, now=LATER)
    (person,) = inventory_listing.list_people(inventory, now=LATER).items
    assert person["merged"] == [item]  # the command line lists the same
    answer(desk, ADMIN, "/person/split", "POST", person=BEN, other=ANA)
    assert listed(desk) == before


def test_a_merge_gives_no_permission_and_confirms_no_owner(desk: StoreCache) -> None:
    def facts() -> tuple[object, ...]:
        inventory = desk.current_view().inventory
        with desk.open_store() as store:
            owners = read_attested_owners(store, LATER)
        return (
            inventory.owners,
            inventory.persons,
            owners,
            [show_owner(inventory, each, now=LATER).items for each in (AGENT, OTHER)],
        )

    before = facts()
    answer(desk, INVESTIGATOR, "/person/merge", "POST", **PAIR)
    signed(desk, OWNER, **SIGNED)
    assert facts() == before
    with pytest.raises(Forbidden):
        answer(desk, OWNER, "/sign", act="attest", id=OTHER)
    with pytest.raises(Forbidden):
        answer(desk, OWNER, "/kill", "POST", subject=OTHER)
    # Keys of the other id are no keys of this one: each names its own id.
    page = shown(desk, OWNER, "/person", id=ANA).partition('id="keys-of"')[2]
    for key, person in ((owned_store.A, ANA), (owned_store.B, BEN)):
        row = page.partition(key.id)[2].partition("</tr>")[0]
        assert [each in row for each in (ANA, BEN)] == [person == ANA, person == BEN]


def test_a_merged_person_is_not_known_as_itself(desk: StoreCache) -> None:
    answer(desk, INVESTIGATOR, "/person/merge", "POST", **PAIR)
    with desk.open_store() as store:
        inventory = snapshots.load_inventory(store, now=LATER)
    # The other id states the address of the id under which both are listed.
    ben = replace(inventory.persons[BEN], aliases=("Ana@corp.example", "benny"))
    known = replace(inventory, persons={**inventory.persons, BEN: ben})
    person = merge_listed_persons(known, ANA, (ANA, BEN))
    assert person.aliases == ("ana", "ben@corp.example", "benny")


@pytest.mark.parametrize("said", [PAIR, {"person": BEN, "other": ANA}])
def test_both_ids_lead_to_one_person_with_one_list(
    desk: StoreCache, said: dict[str, str]
) -> None:
    def shown_rows(text: str) -> set[tuple[str, str, str | None]]:
        with desk.open_store() as store:
            inventory = snapshots.load_inventory(store, now=LATER)
            scope = SearchScope(inventory, desk.current_view().chains)
            rows = show_subject(store, scope, text, now=LATER).items
        return {(row["kind"], row["relation"], row["value"]) for row in rows}

    answer(desk, INVESTIGATOR, "/person/merge", "POST", **said)
    (item,) = told(desk, INVESTIGATOR, "/people").document.items
    assert item["id"] == ANA
    pages = [shown(desk, ADMIN, "/person", id=each) for each in (ANA, BEN)]
    bodies = [page.partition("<h1>")[2] for page in pages]
    assert bodies[0] == bodies[1]
    for page in pages:
        perhaps = page.partition("<dt>perhaps</dt>")[2].partition("</dd>")[0]
        assert BEN.removeprefix("person:") not in perhaps
        assert "They are two persons" in page
        for subject in (AGENT, OTHER):
            assert subject in page
    rows = shown_rows(ANA)
    assert rows == shown_rows(BEN)
    assert ("person", "same person as", BEN) in rows
    assert {("agent", "owns", AGENT), ("agent", "owns", OTHER)} <= rows


def test_a_signed_merge_names_its_signer_and_only_a_signature_ends_it(
    desk: StoreCache,
) -> None:
    moved = signed(desk, OWNER, **SIGNED)
    assert moved.confirmation == f"Signed: {ANA} and {BEN} are one person."
    with desk.open_store() as store:
        (merge,) = read_person_merges(store, LATER)
    assert (merge.by, merge.written_by) == (ANA, WrittenBy.PERSON)
    assert "attested</span> by" in shown(desk, INVESTIGATOR, "/person", id=ANA)
    with pytest.raises(UsageError, match="only a signature ends it"):
        answer(desk, ADMIN, "/person/split", "POST", **PAIR)
    # A weaker statement does not replace it either.
    with pytest.raises(UsageError, match="the merge is recorded"):
        answer(desk, ADMIN, "/person/merge", "POST", **PAIR)
    with desk.open_store() as store:
        put_unsigned_merge(store, replace(merge, merged=False, at=LATER + 1))
    with desk.open_store() as store:
        assert read_person_merges(store, LATER) == (merge,)
    signed(desk, OWNER, **{**SIGNED, "act": "split-person"})
    with desk.open_store() as store:
        assert read_person_merges(store, LATER) == ()
    assert set(listed(desk)) == {ANA, BEN}


def test_a_person_who_left_is_not_hidden_by_a_merge(desk: StoreCache) -> None:
    answer(desk, INVESTIGATOR, "/person/merge", "POST", **PAIR)
    with desk.open_store() as store:
        owned_store.scan(store, BEN.removeprefix("person:"), at=LATER)
    (person,) = told(desk, ADMIN, "/people").document.items
    assert (person["id"], person["alive"]) == (ANA, False)


def test_a_merge_names_two_known_persons(desk: StoreCache) -> None:
    eve = owner(build_person_id("eve@corp.example"))
    for other in (ANA, "nobody@corp.example", "", "github-actions[bot]", "two words"):
        for visit in (ADMIN, OWNER, eve):
            with pytest.raises(UsageError):
                answer(desk, visit, "/person/merge", "POST", person=ANA, other=other)
        with pytest.raises(UsageError):
            answer(desk, OWNER, "/sign", act="merge-person", id=ANA, other=other)
    with pytest.raises(UsageError, match="is in force"):
        answer(desk, OWNER, "/sign", act="split-person", id=ANA, other=BEN)
    unnamed: Visitor = ADMIN
    with pytest.raises(Forbidden):
        answer(desk, unnamed, "/sign", **SIGNED)
    with pytest.raises(RequestRejected):
        told(desk, OWNER, "/sign", act="merge-person", id=ANA, other=ANA)
