"""What a visitor owns: by attestations that hold now, and by nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.services.statements import owner_keys
from answerable.store.store import Store
from answerable.web import store_cache as desks
from answerable.web.auth.sessions import FRESH, Sessions
from answerable.web.auth.visitors import Visitors
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Role
from tests.inventory.fact_builders import DAY, NOW
from tests.usecases.test_attested_owners import (
    AGENTS,
    ANA,
    BEN,
    A,
    B,
    attest,
    enroll,
    scan,
)
from tests.web.signing.owner_store import Stopped


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stopped]:
    root = tmp_path / "store"
    with Store.open(root, now=NOW) as store:
        scan(store)
        enroll(store, A, ANA)
        enroll(store, B, BEN)
        attest(store, A, ANA, AGENTS[0])
        attest(store, B, BEN, AGENTS[1])
    desk = Stopped(root)
    desk.at = NOW + 1
    yield desk
    desk.close()


def owns(desk: Desk, *roles: Role, person: str | None = ANA) -> frozenset[str]:
    sessions = Sessions(lambda: 0.0)
    _, session = sessions.begin(person, frozenset(roles), "local")  # type: ignore[arg-type]
    return Visitors(desk).visit(session, fresh=False).owns


def test_an_owner_owns_what_they_attested_alone(desk: Stopped) -> None:
    assert owns(desk, Role.OWNER) == {AGENTS[0]}
    assert owns(desk, Role.OWNER, person=BEN) == {AGENTS[1]}
    assert owns(desk, Role.OWNER, person="person:eve@corp.example") == frozenset()


def test_without_the_role_or_a_name_nobody_owns_anything(desk: Stopped) -> None:
    assert owns(desk, Role.ADMIN, Role.INVESTIGATOR, Role.VIEWER) == frozenset()
    assert owns(desk, Role.OWNER, person=None) == frozenset()


def test_it_ends_with_the_attestation(desk: Stopped) -> None:
    desk.at = NOW + 181 * DAY
    assert owns(desk, Role.OWNER) == frozenset()


def test_it_ends_with_the_key(desk: Stopped) -> None:
    assert owns(desk, Role.OWNER) == {AGENTS[0]}
    with Store.open(desk.root, now=NOW) as store:
        owner_keys.revoke(store, A.id, since=NOW - 1, uid=0, now=NOW)
    assert owns(desk, Role.OWNER) == frozenset()


@pytest.fixture
def behind(desk: Stopped, monkeypatch: pytest.MonkeyPatch) -> Stopped:
    """A desk on a store so large that what stands there is read much later."""
    assert owns(desk, Role.OWNER) == {AGENTS[0]}
    monkeypatch.setattr(desks, "_SHORT", -1.0)
    monkeypatch.setattr(desk, "_make_beside", lambda known: None)
    return desk


def test_a_revocation_binds_at_once_where_the_rest_is_read_later(
    behind: Stopped,
) -> None:
    before = behind.standing()
    with Store.open(behind.root, now=NOW) as store:
        owner_keys.revoke(store, A.id, since=NOW - 1, uid=0, now=NOW)
    assert owns(behind, Role.OWNER) == frozenset()
    assert owns(behind, Role.OWNER, person=BEN) == {AGENTS[1]}
    assert behind.standing() is before


def test_what_somebody_else_attests_is_theirs_no_more_at_once(behind: Stopped) -> None:
    with Store.open(behind.root, now=NOW) as store:
        attest(store, B, BEN, AGENTS[0], at=NOW + 1)
    assert owns(behind, Role.OWNER) == frozenset()


def test_it_ends_when_the_person_leaves(desk: Stopped) -> None:
    with Store.open(desk.root, now=NOW) as store:
        scan(store, "ana@corp.example", at=NOW + 1)
    assert owns(desk, Role.OWNER) == frozenset()


def test_a_confirmation_without_a_signature_gives_nothing(desk: Stopped) -> None:
    from answerable.services.inventory import snapshots
    from answerable.usecases.inventory import ownership

    with Store.open(desk.root, now=NOW) as store:
        ownership.attest(
            store, snapshots.load(store), AGENTS[2], "ana@corp.example", now=NOW
        )
    assert owns(desk, Role.OWNER) == {AGENTS[0]}


def test_a_visitor_is_fresh_for_five_minutes_after_they_showed_who_they_are() -> None:
    now = [1000.0]
    sessions = Sessions(lambda: now[0])
    _, session = sessions.begin(ANA, frozenset({Role.OWNER}), "idp#1")
    assert sessions.is_fresh(session)
    now[0] += FRESH
    assert not sessions.is_fresh(session)
    _, session = sessions.begin(ANA, frozenset({Role.OWNER}), "idp#1", proved=0)
    assert not sessions.is_fresh(session)


def test_roles_add_up() -> None:
    may = {
        Role.VIEWER: {May.LOOK},
        Role.INVESTIGATOR: {May.LOOK, May.INVESTIGATE},
        Role.OWNER: {May.LOOK, May.OWN},
        Role.ADMIN: {May.LOOK, May.INVESTIGATE, May.ADMINISTER},
    }
    from answerable.web.visitor import may_of

    assert {role: may_of([role]) for role in Role} == may
    assert may_of([Role.OWNER, Role.ADMIN]) == set(May)
    assert may_of([]) == frozenset()
