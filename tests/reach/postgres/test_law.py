"""The engine and the reference agree on random servers, and a planted mistake is found."""

from collections.abc import Iterator

import pytest

from answerable.reach.condition_formula import get_verdict
from answerable.reach.postgres import privilege_check
from answerable.reach.postgres import server_index as server_module
from answerable.reach.postgres.catalogue import Catalogue, DatabaseObject
from answerable.reach.postgres.privilege_check import Session, decide_privilege
from answerable.reach.postgres.privileges import PRIVILEGES
from answerable.reach.postgres.server_index import PostgresServer
from tests.reach.postgres.strategies import DATABASE, random_catalogue, seeded
from tests.reference.postgres import grants as reference

SEEDS = range(60)


def questions(
    catalogue: Catalogue,
) -> Iterator[tuple[str, str, DatabaseObject, str]]:
    """Yield every question about a small server: role, privilege, object, column."""
    every = [*catalogue.databases, *catalogue.contents[0].objects]
    for role in catalogue.roles or ():
        for target in every:
            for privilege in (*PRIVILEGES[target.kind], "ALTER", "DROP"):
                yield role.name, privilege, target, ""
            for column in target.columns or ():
                for privilege in PRIVILEGES["column"]:
                    yield role.name, privilege, target, column


def disagreements(seed: int) -> list[str]:
    """Name each question that engine and reference answer differently."""
    rng = seeded(seed)
    catalogue = random_catalogue(rng, rng.choice([15, 16]))
    index = PostgresServer([catalogue])
    found = []
    for role, privilege, target, column in questions(catalogue):
        session = Session(index, DATABASE, role, role)
        got = get_verdict(decide_privilege(session, privilege, target, column).formula)
        want = reference.may_call(catalogue, DATABASE, role, privilege, target, column)
        if got.value != want:
            found.append(f"{role} {privilege} {target.name}.{column}: {got} not {want}")
    return found


def role_disagreements(seed: int) -> list[str]:
    """Name each pair of roles whose memberships are answered differently."""
    rng = seeded(seed)
    catalogue = random_catalogue(rng, rng.choice([15, 16]))
    index = PostgresServer([catalogue])
    names = [role.name for role in catalogue.roles or ()]
    found = []
    for role in names:
        if reference.role_of(catalogue, role).superuser:
            continue
        for other in names:
            for closure, rule in (
                (index.list_roles_inherited_from, reference.has_usage),
                (index.list_roles_settable_with_set_role, reference.may_set_role),
            ):
                got = other in closure(DATABASE, role)
                if got != rule(catalogue, DATABASE, role, other):
                    found.append(f"{rule.__name__} {role} {other}: {got}")
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_every_answer_about_a_random_server_is_the_references(seed: int) -> None:
    assert disagreements(seed) == []
    assert role_disagreements(seed) == []


@pytest.mark.parametrize(
    ("owner", "name", "mistake"),
    [
        (
            server_module.PostgresServer,
            "does_member_inherit_privileges",
            lambda self, each: True,
        ),
        (privilege_check, "_KINDS_IN_SCHEMAS", ()),
        (privilege_check, "_PREDEFINED", {}),
        (privilege_check, "_is_current_role_superuser", lambda session: False),
        (
            privilege_check,
            "_is_restricted_by_row_security",
            lambda session, table: False,
        ),
        (privilege_check, "_needs_connect_privilege", lambda session: False),
        (privilege_check, "PUBLIC", "nobody-at-all"),
        (server_module, "DATABASE_OWNER", "another"),
    ],
)
def test_a_planted_mistake_is_found(
    owner: object, name: str, mistake: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, mistake)
    assert any(disagreements(seed) or role_disagreements(seed) for seed in SEEDS)
