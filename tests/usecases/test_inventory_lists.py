import pytest

from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.credential import CredentialClass
from answerable.model.errors import UsageError
from answerable.model.ids import CredentialId
from answerable.model.inventory import Inventory
from answerable.model.person import OwnerEvidenceKind
from answerable.model.sighting import ReadProblem, ReadProblemKind, SightedFacts, Sync
from answerable.presentation import answer_coverage
from answerable.usecases.inventory import inventory_listing
from tests.inventory.fact_builders import (
    DAY,
    NOW,
    agent,
    arn,
    credential,
    evidence,
    human,
    identity,
    link,
    sync,
    tool,
)

KEY = CredentialId("cred:aws/AKIARTX3GSDSRRFJNQSQ")
TOKEN = CredentialId("cred:fp/token")
USER = arn("user/report-bot")
CLAUDE = "agent:claude-code/home/ana"


@pytest.fixture
def inventory() -> Inventory:
    record = credential(KEY, cls=CredentialClass.RECORD, place="iam:ListAccessKeys")
    return join_syncs_into_inventory(
        [
            sync(
                "home:h",
                NOW - 60 * 10**9,
                persons=(human("ana"),),
                agents=(agent(),),
                tools=(
                    tool("claude-code/home/ana", "db", TOKEN, KEY),
                    tool("claude-code/home/ana", "off", enabled=False),
                ),
                credentials=(credential(KEY), credential(TOKEN, kind="api-key")),
                evidence=(evidence(CLAUDE, "ana", OwnerEvidenceKind.HOME),),
                collected=("agent-configs",),
            ),
            sync(
                "aws-keys:k",
                credentials=(record,),
                links=(link(KEY, USER),),
                collected=("access-keys",),
            ),
            sync("aws:a", identities=(identity("user/report-bot"),)),
        ],
        now=NOW,
        name="n",
    )


def test_an_agent_shows_owner_tools_credentials_and_identities(
    inventory: Inventory,
) -> None:
    (item,) = inventory_listing.list_agents(inventory, now=NOW).items
    assert item["owner"] == {"state": "inferred", "person": "person:ana", "score": 0.85}
    assert item["identities"] == [USER]
    db, off = item["tools"]  # type: ignore[misc]  # a list
    # What proves an identity tells most.
    assert db["credential"]["id"] == KEY
    assert [c["id"] for c in db["credentials"]] == [KEY, TOKEN]
    assert (db["identity"], db["inherited"]) == (USER, False)
    assert (off["credential"], off["inherited"]) == (None, True)


def test_an_identity_shows_who_reaches_it(inventory: Inventory) -> None:
    (item,) = inventory_listing.list_identities(inventory, now=NOW).items
    assert (item["agents"], item["credentials"]) == ([CLAUDE], [KEY])
    # Its account was not scanned, so nothing could name its owner.
    assert item["owner"] == {"state": "not-known", "person": None, "score": 0.0}


def test_a_credential_shows_where_it_lies_and_a_list_of_it_is_no_place(
    inventory: Inventory,
) -> None:
    found = {
        item["id"]: item
        for item in inventory_listing.list_credentials(inventory, now=NOW).items
    }
    key = found[KEY]
    assert (key["identity"], key["how"]) == (USER, "list-access-keys")
    assert key["class"] == "literal"
    assert [p["place"] for p in key["places"]] == ["/home/ana/.claude.json#/x"]  # type: ignore[attr-defined]
    assert found[TOKEN]["how"] == "principal not collected"


def test_people_show_what_they_answer_for(inventory: Inventory) -> None:
    (item,) = inventory_listing.list_people(inventory, now=NOW).items
    assert item["id"] == "person:ana"
    assert item["owns"] == [CLAUDE, KEY, TOKEN]
    assert inventory_listing.list_people(inventory, now=NOW, kind="team").items == []


def test_tools_list_those_of_every_agent(inventory: Inventory) -> None:
    items = inventory_listing.list_tools(inventory, now=NOW).items
    assert [(i["server"], i["enabled"]) for i in items] == [
        ("db", True),
        ("off", False),
    ]
    assert inventory_listing.list_tools(inventory, now=NOW, kind="http").items == []


def test_lists_are_filtered_by_kind_and_owner_state(inventory: Inventory) -> None:
    assert not inventory_listing.list_agents(inventory, now=NOW, kind="cursor").items
    assert (
        len(inventory_listing.list_agents(inventory, now=NOW, kind="claude-code").items)
        == 1
    )
    assert (
        len(
            inventory_listing.list_identities(
                inventory, now=NOW, owner_state="not-known"
            ).items
        )
        == 1
    )
    assert not (
        inventory_listing.list_identities(
            inventory, now=NOW, owner_state="inferred"
        ).items
    )
    with pytest.raises(UsageError, match="unknown owner state"):
        inventory_listing.list_agents(inventory, now=NOW, owner_state="mine")


def test_a_kind_that_nothing_is_of_is_told_which_there_are(
    inventory: Inventory,
) -> None:
    said = inventory_listing.list_agents(inventory, now=NOW, kind="nope").searched
    assert said == "no item is of kind 'nope'; the kinds are: claude-code"
    said = inventory_listing.list_people(inventory, now=NOW, kind="nope").searched
    assert said.endswith("the kinds are: person, team")
    assert inventory_listing.list_tools(inventory, now=NOW, kind="nope").searched


def test_what_a_filter_leaves_out_is_counted_and_not_denied(
    inventory: Inventory,
) -> None:
    for each in (
        inventory_listing.list_agents,
        inventory_listing.list_identities,
        inventory_listing.list_credentials,
        inventory_listing.list_tools,
    ):
        count = len(each(inventory, now=NOW).items)
        none = each(inventory, now=NOW, owner_state="owner-left")
        assert count
        assert (list(none.items), none.searched) == ([], f"0 of {count} match")
        assert each(inventory, now=NOW).searched == ""
    teams = inventory_listing.list_people(inventory, now=NOW, kind="team")
    assert (teams.items, teams.searched) == ([], "0 of 1 match")
    assert (
        inventory_listing.list_agents(
            join_syncs_into_inventory([], now=NOW), now=NOW, owner_state="none"
        ).searched
        == ""
    )


def test_an_owner_in_a_list_has_the_age_of_now(inventory: Inventory) -> None:
    (item,) = inventory_listing.list_agents(inventory, now=NOW + 540 * DAY).items
    assert item["owner"]["state"] == "suggested"  # type: ignore[index]


def test_coverage_tells_age_problems_and_what_was_not_collected(
    inventory: Inventory,
) -> None:
    coverage = answer_coverage.build_coverage(inventory, NOW, ("scp", "rcp", "scp"))
    assert coverage["partial"] is False
    assert [(s["source"], s["age_s"]) for s in coverage["sources"]] == [
        ("aws-keys:k", 0),
        ("aws:a", 0),
        ("home:h", 60),
    ]
    assert coverage["seen"] == ["access-keys", "agent-configs"]
    assert coverage["not_collected"] == ["rcp", "scp"]
    bad = ReadProblem(ReadProblemKind.PERMISSION, "iam:ListUsers", "denied")
    partial = join_syncs_into_inventory(
        [("aws:a", Sync("aws:a", "aws", NOW, problems=(bad,)))], now=NOW
    )
    assert answer_coverage.build_coverage(partial, NOW)["partial"] is True


def test_an_empty_inventory_lists_nothing_and_says_what_would_fill_it() -> None:
    empty = join_syncs_into_inventory(
        [("x", Sync("x", "x", NOW, SightedFacts()))], now=NOW
    )
    assert not inventory_listing.list_agents(empty, now=NOW).items
    assert (
        inventory_listing.list_agents(
            join_syncs_into_inventory([], now=NOW), now=NOW
        ).next
        == "answerable scan"
    )
