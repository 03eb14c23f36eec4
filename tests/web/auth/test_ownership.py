"""What a visitor owns: by attestations that hold now, and by nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.services.statements import key_enrolment
from answerable.store.store import EvidenceStore
from answerable.web import store_cache as desks
from answerable.web.auth.sessions import FRESH_PERIOD, SessionStore
from answerable.web.auth.visitor_factory import VisitorFactory
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebPermission, WebRole
from tests.inventory.fact_builders import DAY, NOW
from tests.usecases.owned_store import (
    AGENTS,
    ANA,
    BEN,
    A,
    B,
    attest,
    enroll,
    scan,
)
from tests.web.signing.owner_store import FrozenStoreCache


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[FrozenStoreCache]:
    root = tmp_path / "store"
    with EvidenceStore.open(root, now=NOW) as store:
        scan(store)
        enroll(store, A, ANA)
        enroll(store, B, BEN)
        attest(store, A, ANA, AGENTS[0])
        attest(store, B, BEN, AGENTS[1])
    desk = FrozenStoreCache(root)
    desk.at = NOW + 1
    yield desk
    desk.close()


def owns(desk: StoreCache, *roles: WebRole, person: str | None = ANA) -> frozenset[str]:
    sessions = SessionStore(lambda: 0.0)
    _, session = sessions.create(person, frozenset(roles), "local")  # type: ignore[arg-type]
    return VisitorFactory(desk).from_session(session, fresh=False).owns


def test_an_owner_owns_what_they_attested_alone(desk: FrozenStoreCache) -> None:
    assert owns(desk, WebRole.OWNER) == {AGENTS[0]}
    assert owns(desk, WebRole.OWNER, person=BEN) == {AGENTS[1]}
    assert owns(desk, WebRole.OWNER, person="person:eve@corp.example") == frozenset()


def test_without_the_role_or_a_name_nobody_owns_anything(
    desk: FrozenStoreCache,
) -> None:
    assert (
        owns(desk, WebRole.ADMIN, WebRole.INVESTIGATOR, WebRole.VIEWER) == frozenset()
    )
    assert owns(desk, WebRole.OWNER, person=None) == frozenset()


def test_it_ends_with_the_attestation(desk: FrozenStoreCache) -> None:
    desk.at = NOW + 181 * DAY
    assert owns(desk, WebRole.OWNER) == frozenset()


def test_it_ends_with_the_key(desk: FrozenStoreCache) -> None:
    assert owns(desk, WebRole.OWNER) == {AGENTS[0]}
    with EvidenceStore.open(desk.root, now=NOW) as store:
        key_enrolment.revoke_owner_key(store, A.id, since=NOW - 1, uid=0, now=NOW)
    assert owns(desk, WebRole.OWNER) == frozenset()


@pytest.fixture
def behind(desk: FrozenStoreCache, monkeypatch: pytest.MonkeyPatch) -> FrozenStoreCache:
    """A desk on a store so large that what stands there is read much later."""
    assert owns(desk, WebRole.OWNER) == {AGENTS[0]}
    monkeypatch.setattr(desks, "_INLINE_SECONDS", -1.0)
    monkeypatch.setattr(desk, "_rebuild_in_background", lambda known: None)
    return desk


def test_a_revocation_binds_at_once_where_the_rest_is_read_later(
    behind: FrozenStoreCache,
) -> None:
    before = behind.current_view()
    with EvidenceStore.open(behind.root, now=NOW) as store:
        key_enrolment.revoke_owner_key(store, A.id, since=NOW - 1, uid=0, now=NOW)
    assert owns(behind, WebRole.OWNER) == frozenset()
    assert owns(behind, WebRole.OWNER, person=BEN) == {AGENTS[1]}
    assert behind.current_view() is before


def test_what_somebody_else_attests_is_theirs_no_more_at_once(
    behind: FrozenStoreCache,
) -> None:
    with EvidenceStore.open(behind.root, now=NOW) as store:
        attest(store, B, BEN, AGENTS[0], at=NOW + 1)
    assert owns(behind, WebRole.OWNER) == frozenset()


def test_it_ends_when_the_person_leaves(desk: FrozenStoreCache) -> None:
    with EvidenceStore.open(desk.root, now=NOW) as store:
        scan(store, "ana@corp.example", at=NOW + 1)
    assert owns(desk, WebRole.OWNER) == frozenset()


def test_a_confirmation_without_a_signature_gives_nothing(
    desk: FrozenStoreCache,
) -> None:
    from answerable.services.inventory import snapshots
    from answerable.usecases.inventory import ownership

    with EvidenceStore.open(desk.root, now=NOW) as store:
        ownership.attest_unsigned(
            store,
            snapshots.load_inventory(store),
            AGENTS[2],
            "ana@corp.example",
            now=NOW,
        )
    assert owns(desk, WebRole.OWNER) == {AGENTS[0]}


def test_a_visitor_is_fresh_for_five_minutes_after_they_showed_who_they_are() -> None:
    now = [1000.0]
    sessions = SessionStore(lambda: now[0])
    _, session = sessions.create(ANA, frozenset({WebRole.OWNER}), "idp#1")
    assert sessions.is_recently_authenticated(session)
    now[0] += FRESH_PERIOD
    assert not sessions.is_recently_authenticated(session)
    _, session = sessions.create(
        ANA, frozenset({WebRole.OWNER}), "idp#1", authenticated_at=0
    )
    assert not sessions.is_recently_authenticated(session)


def test_roles_add_up() -> None:
    may = {
        WebRole.VIEWER: {WebPermission.LOOK},
        WebRole.INVESTIGATOR: {WebPermission.LOOK, WebPermission.INVESTIGATE},
        WebRole.OWNER: {WebPermission.LOOK, WebPermission.OWN},
        WebRole.ADMIN: {
            WebPermission.LOOK,
            WebPermission.INVESTIGATE,
            WebPermission.ADMINISTER,
        },
    }
    from answerable.web.visitor import permissions_of_roles

    assert {role: permissions_of_roles([role]) for role in WebRole} == may
    assert permissions_of_roles([WebRole.OWNER, WebRole.ADMIN]) == set(WebPermission)
    assert permissions_of_roles([]) == frozenset()
