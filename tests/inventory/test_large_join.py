"""An inventory that is joined part by part equals the one that is joined at once."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.inventory.fact_division import FactDivision
from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.identity import Identity
from answerable.model.ids import IdentityId
from answerable.model.person import OwnerEvidenceKind
from answerable.model.role_assignment import PERMISSION_SET, RoleAssignment
from answerable.model.sighting import SightedFacts, Sync
from answerable.services.inventory.divided_facts import DividedFacts
from answerable.services.inventory.large_join import LargeJoin
from answerable.store import inventory_cache
from answerable.store.inventory_parts import InventoryParts
from answerable.store.table_runs import TableRuns
from tests.inventory.fact_builders import (
    ACCOUNT,
    NOW,
    agent,
    arn,
    evidence,
    identity,
    person,
    seen,
)
from tests.inventory.test_join_laws import WHO, syncs

ACCOUNTS = (ACCOUNT, "222233334444", "333344445555")
SET = IdentityId("arn:aws:sso:::permissionSet/ssoins-1/ps-1")
SSO_ROLE = "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef"
Rows = dict[str, list[tuple[str, bytes]]]


def encoded(sections: Mapping[str, Iterable[tuple[str, object]]]) -> Rows:
    return {
        name: [(key, msgspec.msgpack.encode(row)) for key, row in rows]
        for name, rows in sections.items()
    }


def joined_at_once(found: list[Sync]) -> Rows:
    pairs = [(each.source, each) for each in found]
    return encoded(
        inventory_cache.encode_inventory(
            join_syncs_into_inventory(pairs, now=NOW, taken_at=NOW, name="one")
        )
    )


def joined_in_parts(found: list[Sync], size: int = 1) -> Rows:
    saved: list[Rows] = []
    with TemporaryDirectory() as folder:
        join = LargeJoin(DividedFacts(Path(folder)), (), size)
        for each in found[:-1]:
            join.add(each)
        parts = InventoryParts(
            TableRuns(Path(folder)), lambda sections: saved.append(encoded(sections))
        )
        join.save(parts, found[-1], taken_at=NOW, name="one")
    return saved[0]


def moved(fact: object, account: str) -> object:
    """Move a fact to another account."""
    text = msgspec.json.encode(fact).replace(ACCOUNT.encode(), account.encode())
    return msgspec.json.decode(text, type=type(fact))


@st.composite
def assignments(draw: st.DrawFn) -> RoleAssignment:
    who = person(draw(st.sampled_from(WHO)))
    return RoleAssignment(SET, "Admin", ACCOUNT, who, "", seen())


@st.composite
def spread_syncs(draw: st.DrawFn) -> Sync:
    """Draw a sync, each fact of which is about one of several accounts."""
    source, made = draw(syncs())
    facts = made.facts
    if draw(st.booleans()):
        role = replace(identity(SSO_ROLE), name=SSO_ROLE.rpartition("/")[2])
        every = (
            *facts.identities,
            role,
            Identity(SET, PERMISSION_SET, "Admin", "", "", (), 0, 0, seen()),
        )
        facts = replace(
            facts,
            identities=every[draw(st.integers(0, 2)) :],
            assignments=tuple(draw(st.lists(assignments(), max_size=2))),
        )
    agents = tuple(
        replace(each, scope=draw(st.sampled_from((each.scope, ""))))
        for each in facts.agents
    )
    facts = replace(facts, agents=agents)
    accounts = st.sampled_from(ACCOUNTS)
    kinds = {
        kind.name: tuple(
            moved(fact, draw(accounts)) for fact in getattr(facts, kind.name)
        )
        for kind in fields(facts)
    }
    spread = SightedFacts(**kinds)  # type: ignore[arg-type]
    return replace(made, source=source, facts=spread)


@given(
    st.lists(spread_syncs(), min_size=2, max_size=5, unique_by=lambda s: s.source),
    st.integers(1, 4),
)
@settings(max_examples=100, deadline=None)
def test_parts_make_the_whole_inventory(found: list[Sync], size: int) -> None:
    whole, parts = joined_at_once(found), joined_in_parts(found, size)
    # The last sync is an audit log, which is no scanned source.
    whole.pop("heading"), parts.pop("heading")
    assert parts == whole


def test_accounts_that_nothing_connects_are_apart() -> None:
    division = FactDivision()
    one, other = (identity("role/a", account=each) for each in ACCOUNTS[:2])
    places = division.divide(SightedFacts(identities=(one, other)), "aws")
    assert sorted(places) == sorted(ACCOUNTS[:2])
    assert division.group(places) == [[""], [ACCOUNTS[0]], [ACCOUNTS[1]]]
    both = agent("x/1", scope="", runs_as=(one.id, other.id))
    division.divide(SightedFacts(agents=(both,)), "aws")
    assert division.group(places) == [[""], sorted(ACCOUNTS[:2])]
    named = evidence("agent:x/1", "ana", OwnerEvidenceKind.OWNER_TAG)
    assert division.place_evidence(named) == ACCOUNTS[0]


@pytest.mark.parametrize("connector", ["home", "repo"])
def test_an_agent_of_a_folder_connects_its_account_with_no_account(
    connector: str,
) -> None:
    division = FactDivision()
    division.divide(
        SightedFacts(agents=(agent("x/1", scope="", runs_as=(arn("role/a"),)),)),
        connector,
    )
    assert division.group([ACCOUNT]) == [["", ACCOUNT]]
