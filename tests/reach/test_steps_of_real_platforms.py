"""AWS and PostgreSQL find the paths on both sides of a step between them."""

from dataclasses import replace
from typing import Any

import pytest

from answerable.connectors.postgres.parse import ServerName, parse
from answerable.model.inventory import Inventory
from answerable.services.reach import platform_registry
from answerable.usecases.reach.permissions import (
    check_permission,
    list_subject_permissions,
    list_who_can,
)
from tests.reach.account_builder import AccountBuilder, role, statement, user
from tests.reach.cross_platform import TinySteps, step

DUMP = b"""-- Dumped from database version 15.1
-- Dumped by pg_dump version 15.1
CREATE ROLE app LOGIN;
CREATE ROLE migrator;
CREATE ROLE stranger LOGIN;
GRANT migrator TO app;
CREATE TABLE public.orders (id integer);
ALTER TABLE public.orders OWNER TO migrator;
"""
APP, MIGRATOR, STRANGER = (
    f"postgres:h/shop/role/{name}" for name in ("app", "migrator", "stranger")
)
DROP = ("DROP", "postgres:h/shop/table/public.orders")
READ = ("s3:GetObject", "arn:aws:s3:::data/a")
ANA, FIRST, READER = user("ana"), role("first"), role("reader")
NOW = 1_772_323_300 * 10**9


def assumes(account: AccountBuilder, who: str, target: str) -> None:
    assume = "sts:AssumeRole"
    account.policy(who, "identity", statement("a", action=assume, resource=target))
    trust = statement("t", action=assume, principal={"AWS": who})
    account.policy(account.identity(target), "trust", trust)


@pytest.fixture
def inventory() -> Inventory:
    """A user who assumes a role that assumes another, and roles of a database."""
    account = AccountBuilder()
    account.identity(ANA)
    assumes(account, ANA, FIRST)
    assumes(account, FIRST, READER)
    read = statement("r", action=READ[0], resource=READ[1])
    account.policy(READER, "identity", read, policy="read")
    server = ServerName("h", "shop", "x")
    parsed = parse([("shop.sql", DUMP)], server, source="pg:x", now=1).facts
    found = account.inventory()
    identities = (*found.facts.identities, *parsed.identities)
    facts = replace(found.facts, identities=identities, catalogues=parsed.catalogues)
    return replace(found, facts=facts)


def register(patch: pytest.MonkeyPatch, *sources: TinySteps) -> None:
    patch.setattr(platform_registry, "STEP_SOURCES", sources)


def can(inventory: Inventory, subject: str, call: tuple[str, str]) -> Any:
    return check_permission(inventory, subject, *call, now=NOW).items[0]


def test_a_role_of_a_database_enters_a_role_of_aws(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert can(inventory, APP, READ)["verdict"] == "not-known"
    register(monkeypatch, TinySteps("postgres", "aws", (step(MIGRATOR, FIRST),)))
    item = can(inventory, APP, READ)
    assert item["verdict"] == "always"
    assert [hop["to"] for hop in item["path"]] == [MIGRATOR, FIRST, READER]
    assert can(inventory, STRANGER, READ)["verdict"] == "never"
    rows = list_subject_permissions(inventory, APP, now=NOW, action=READ[0]).items
    assert READ[1] in {row["resource"] for row in rows}
    subjects = [row["subject"] for row in list_who_can(inventory, *READ, now=NOW).items]
    assert set(subjects) == {READER, FIRST, ANA, MIGRATOR, APP}
    assert len(subjects) == 5


def test_a_user_of_aws_enters_a_role_of_a_database(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert can(inventory, ANA, DROP)["verdict"] == "not-known"
    register(monkeypatch, TinySteps("aws", "postgres", (step(FIRST, APP),)))
    item = can(inventory, ANA, DROP)
    assert item["verdict"] == "always"
    assert [hop["to"] for hop in item["path"]] == [FIRST, APP]
    assert can(inventory, READER, DROP)["verdict"] == "never"
    document = list_who_can(inventory, *DROP, now=NOW)
    assert {row["subject"] for row in document.items} == {MIGRATOR, APP, FIRST, ANA}
    assert document.coverage["looked"]["not_evaluated"] == []


def test_a_search_names_the_identities_that_it_does_not_evaluate(
    inventory: Inventory,
) -> None:
    looked = list_who_can(inventory, *DROP, now=NOW).coverage["looked"]
    assert looked["not_evaluated"] == [
        {"kind": "aws-role", "count": 2, "source": ""},
        {"kind": "aws-user", "count": 1, "source": ""},
    ]
    alone = list_who_can(inventory, *DROP, now=NOW, direct=True).coverage["looked"]
    assert alone["not_evaluated"] == []


def test_a_list_names_the_steps_that_are_not_modelled(inventory: Inventory) -> None:
    missing = list_subject_permissions(inventory, APP, now=NOW).coverage[
        "not_collected"
    ]
    assert "cross-platform-steps (postgres, aws)" in missing
    assert not any(
        "cross-platform" in word
        for word in list_subject_permissions(
            inventory, APP, now=NOW, direct=True
        ).coverage["not_collected"]
    )
