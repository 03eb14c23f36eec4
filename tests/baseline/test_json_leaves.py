"""Arguments and results as leaves; entities and sums in them."""

import pytest

from answerable.baseline.entity_extraction import (
    canonicalise_entity,
    classify_entity_kind,
    extract_entities,
    extract_numeric_arguments,
)
from answerable.baseline.json_leaves import (
    count_result_records,
    hash_arguments,
    iterate_leaves,
    matches_path_pattern,
)
from answerable.baseline.tool_result_fields import (
    iterate_result_fields,
    mcp_result_content,
    parse_tool_result,
)
from answerable.model.behaviour import (
    DEFAULT_TOOL_FACTS,
    EntityKind,
    JsonValue,
    ToolFacts,
)


def test_leaves_stand_in_their_order_with_their_paths() -> None:
    value: JsonValue = {
        "to": ["a", "b"],
        "cc": {"x": 1.0, "y": None, "z": True},
        "n": 2.5,
    }
    assert list(iterate_leaves(value)) == [
        ("to[]", "a"),
        ("to[]", "b"),
        ("cc.x", "1"),
        ("n", "2.5"),
    ]


def test_members_of_a_result_whose_names_are_data_share_one_path() -> None:
    shared: JsonValue = {
        "shared_with": {"ana@corp.example": "rw", "17": "r", "mode-2": "r"}
    }
    assert list(iterate_result_fields(shared)) == [
        ("shared_with{}", "ana@corp.example"),
        ("shared_with.{}", "rw"),
        ("shared_with{}", "17"),
        ("shared_with.{}", "r"),
        ("shared_with.mode-2", "r"),
    ]


@pytest.mark.parametrize(
    "name", ["eve@evil.example", "https://evil.example/a", "US133000000121212121212"]
)
@pytest.mark.parametrize("value", [True, None, {}, "rw"])
def test_an_entity_that_is_the_name_of_a_member_is_seen_whatever_stands_there(
    name: str, value: JsonValue
) -> None:
    (seen, *_) = extract_entities(
        {"share": {name: value}}, ToolFacts(sensitive=("share{}",))
    )
    assert (seen.path, seen.text, seen.sensitive) == ("share{}", name, True)
    (outer, *_) = extract_entities({name: value}, DEFAULT_TOOL_FACTS)
    assert (outer.path, outer.text, outer.sensitive) == ("{}", name, False)


def test_the_names_of_members_are_no_sums() -> None:
    facts = ToolFacts(summed=("amounts.*",))
    assert extract_numeric_arguments({"amounts": {"1/2": 3, "3/4": 4}}, facts) == (
        ("amounts.{}", 7_000_000),
    )


def test_a_deep_document_is_walked_without_recursion() -> None:
    value: JsonValue = "x"
    for _ in range(5_000):
        value = [value]
    assert [text for _, text in iterate_leaves(value)] == ["x"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ana@corp.example", EntityKind.EMAIL),
        ("arn:aws:iam::111122223333:role/x", EntityKind.ARN),
        ("s3://bucket/a/b", EntityKind.S3),
        ("https://corp.example/a?b=c", EntityKind.URL),
        ("www.corp.example/a", EntityKind.URL),
        ("DE89 3704 0044 0532 0130 00", EntityKind.IBAN),
        ("api.corp.com", EntityKind.HOST),
        ("/srv/data/x.txt", EntityKind.PATH),
        ("~/.ssh/id", EntityKind.PATH),
        ("bill-december-2023.txt", EntityKind.NAME),
        ("2026-11-27", EntityKind.NAME),
    ],
)
def test_entities_are_told_by_their_spelling(text: str, kind: EntityKind) -> None:
    assert classify_entity_kind(text) is kind


def test_spellings_of_one_entity_become_one() -> None:
    assert canonicalise_entity(EntityKind.IBAN, "de89 3704") == "DE893704"
    assert (
        canonicalise_entity(EntityKind.EMAIL, "Ana@Corp.Example") == "ana@corp.example"
    )
    url = canonicalise_entity(EntityKind.URL, "HTTPS://Corp.Example/A")
    assert url == "https://corp.example/A"


def test_a_very_long_or_unspeakable_value_is_named_by_its_digest() -> None:
    assert canonicalise_entity(EntityKind.NAME, "x" * 513).startswith("sha256:")
    assert canonicalise_entity(EntityKind.NAME, "\ud800").startswith("sha256:")


def test_the_rest_of_a_sensitive_argument_does_not_go_unseen() -> None:
    facts = ToolFacts(sensitive=("to",))
    found = extract_entities({"to": "ana@corp.example, and e v e at evil"}, facts)
    assert [(each.kind, each.whole, each.sensitive) for each in found] == [
        (EntityKind.EMAIL, False, True),
        (EntityKind.NAME, True, True),
    ]


def test_an_operators_word_on_a_type_goes_before_the_spelling() -> None:
    facts = ToolFacts(kinds=(("repo", EntityKind.REPO),))
    (found,) = extract_entities({"repo": "corp/site"}, facts)
    assert found.kind is EntityKind.REPO


@pytest.mark.parametrize(
    ("amount", "sum_"),
    [
        (5, 5_000_000),
        (-5, 5_000_000),
        ("2.5", 2_500_000),
        ("5,000", 1 << 52),
        ("nan", 1 << 52),
        (1e300, 1 << 52),
    ],
)
def test_sums_are_in_millionths_and_what_is_no_number_exceeds_any(
    amount: JsonValue, sum_: int
) -> None:
    facts = ToolFacts(summed=("amount",))
    assert extract_numeric_arguments({"amount": amount}, facts) == (("amount", sum_),)
    assert extract_entities({"amount": amount}, facts) == []


def test_a_digest_depends_on_what_is_said_and_not_on_its_order() -> None:
    assert hash_arguments({"a": 1, "b": "x"}) == hash_arguments({"b": "x", "a": 1})
    assert hash_arguments({"a": 1}) != hash_arguments({"a": "1"})


def test_a_pattern_is_a_path_or_how_it_begins() -> None:
    assert matches_path_pattern(("[].to",), "[].to")
    assert not matches_path_pattern(("[].to",), "[].to.x")
    assert matches_path_pattern(("meta.*",), "meta.id")


@pytest.mark.parametrize(
    ("value", "count"),
    [(None, 0), ("", 0), ([], 0), ("x", 1), ({"a": [1, 2]}, 2), ([[1], [2], [3]], 3)],
)
def test_records_are_those_of_the_longest_list(value: JsonValue, count: int) -> None:
    assert count_result_records(value) == count


def test_a_result_is_read_as_what_it_says() -> None:
    assert parse_tool_result('{"a": 1}') == {"a": 1}
    assert parse_tool_result("{broken") == "{broken"
    text: JsonValue = {"content": [{"type": "text", "text": '{"a": 1}'}]}
    assert isinstance(text, dict)
    assert mcp_result_content(text) == {"a": 1}
    assert mcp_result_content({**text, "structuredContent": {"b": 2}}) == {"b": 2}
    assert mcp_result_content({"content": "x"}) == []
