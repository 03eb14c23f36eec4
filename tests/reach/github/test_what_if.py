"""An edit takes away a grant, a bypass or a protection, as answers print them."""

from dataclasses import replace

import pytest

from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.reach.github.platform import GithubPlatform
from answerable.reach.platform import PolicyEdit, Question, SubjectIdentity
from tests.reach.account_builder import AccountBuilder
from tests.reach.github.organization_builder import build_organization, encode

ANA = "github:user/ana"
MAIN = "github:acme/repo/shop/branch/main"
REPOSITORY = {
    "place": "dump/orgs/acme/shop.json#1",
    "collaborators": [["ana", "write"]],
    "protections": [
        {"pattern": "main", "restricts_pushes": True, "push_allowances": ["user/ana"]}
    ],
}


def build() -> Inventory:
    """An organization in which one allowance lets a user push."""
    found = AccountBuilder().inventory()
    organization = build_organization({"repositories": [REPOSITORY]})
    catalogues = (encode(organization),)
    return replace(found, facts=replace(found.facts, catalogues=catalogues))


def list_changes(statement: str) -> dict[tuple[str, str], str]:
    """List what an edit changes for the user."""
    question = Question(
        now=1, subject=ANA, identities=(SubjectIdentity(ANA, IdentityId(ANA)),)
    )
    edit = PolicyEdit(statements=(statement,))
    applied = GithubPlatform().open_edit(build(), question, edit)
    found = applied.list_changes(question, question.identities, 0)
    return {(row["action"], row["resource"]): row["change"] for row in found.items}


@pytest.mark.parametrize(
    "statement",
    [
        "shop: branch protection main: push allowance user/ana",
        "repository shop#shop: branch protection main: push allowance user/ana",
    ],
)
def test_without_the_allowance_the_branch_takes_no_push(statement: str) -> None:
    assert list_changes(statement)["push", MAIN] == "falls-away"


def test_without_the_grant_nothing_is_left() -> None:
    changes = list_changes("shop: role write for user/ana [shop.json#1]")
    assert set(changes.values()) == {"falls-away"}
    assert ("read", "github:acme/repo/shop") in changes


def test_without_the_protection_nothing_falls_away() -> None:
    changes = list_changes("shop: branch protection main")
    assert "falls-away" not in changes.values()


def test_an_unknown_statement_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError) as refused:
        list_changes("shop: role write for user/anna")
    assert "shop: role write for user/ana" in str(refused.value.hint)
