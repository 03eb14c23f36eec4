import pytest

from answerable.inventory.name_resolution import resolve_entity_by_name
from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.inventory import Inventory
from tests.inventory.fact_builders import (
    NOW,
    agent,
    arn,
    credential,
    human,
    identity,
    sync,
    tool,
)

KEY = "AKIARTX3GSDSRRFJNQSQ"


@pytest.fixture
def inventory() -> Inventory:
    return join_syncs_into_inventory(
        [
            sync(
                "home:h",
                persons=(human("ana@corp.example", "ana"),),
                agents=(agent(), agent("cursor/home/ana")),
                tools=(tool("claude-code/home/ana", "db"),),
                credentials=(credential(f"cred:aws/{KEY}"),),
                identities=(
                    identity("role/team/data-reader", unique="AROA1"),
                    identity("user/data-reader", unique="AIDA1"),
                    identity("user/report-bot", unique="AIDA2"),
                ),
            )
        ],
        now=NOW,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent:claude-code/home/ana", "agent:claude-code/home/ana"),
        ("claude-code/home/ana", "agent:claude-code/home/ana"),
        ("report-bot", arn("user/report-bot")),
        ("REPORT-BOT", arn("user/report-bot")),
        (" report-bot ", arn("user/report-bot")),
        ("user/report-bot", arn("user/report-bot")),
        (str(arn("user/report-bot")), arn("user/report-bot")),
        ("role/data-reader", arn("role/team/data-reader")),
        (str(arn("role/data-reader")), arn("role/team/data-reader")),
        (
            "arn:aws:sts::111122223333:assumed-role/data-reader/session",
            arn("role/team/data-reader"),
        ),
        ("AIDA2", arn("user/report-bot")),
        (KEY, f"cred:aws/{KEY}"),
        (f"cred:aws/{KEY}", f"cred:aws/{KEY}"),
        ("db", "tool:mcp/db/*"),
        ("person:ana@corp.example", "person:ana@corp.example"),
        ("ana@corp.example", "person:ana@corp.example"),
    ],
)
def test_an_id_an_arn_or_a_name_finds_its_thing(
    inventory: Inventory, text: str, expected: str
) -> None:
    assert resolve_entity_by_name(inventory, text) == expected


def test_an_ambiguous_name_lists_what_it_could_be(inventory: Inventory) -> None:
    with pytest.raises(AmbiguousError) as caught:
        resolve_entity_by_name(inventory, "data-reader", ("identity",))
    assert caught.value.candidates == (
        arn("role/team/data-reader"),
        arn("user/data-reader"),
    )


def test_only_the_kinds_asked_for_are_meant(inventory: Inventory) -> None:
    assert (
        resolve_entity_by_name(inventory, "ana", ("person",))
        == "person:ana@corp.example"
    )
    with pytest.raises(UsageError, match="unknown person"):
        resolve_entity_by_name(inventory, "report-bot", ("person",))


def test_a_near_miss_is_told_the_nearest_spelling(inventory: Inventory) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_entity_by_name(inventory, "report-bto", ("identity", "agent"))
    assert caught.value.message == "unknown identity or agent (got 'report-bto')"
    assert caught.value.hint == "did you mean report-bot?"


def test_an_empty_inventory_says_to_scan() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_entity_by_name(join_syncs_into_inventory([], now=NOW), "anything")
    assert "answerable scan" in caught.value.hint


def test_a_long_hostile_text_is_cut_in_the_message(inventory: Inventory) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_entity_by_name(inventory, "x" * 100_000)
    assert len(caught.value.message) < 400
