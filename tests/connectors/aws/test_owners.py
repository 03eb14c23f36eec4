"""Who the tags of an identity name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.formats.owner_tags import find_tag_owners
from answerable.model.person import OwnerEvidenceKind
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import Sync

SEEN = FactProvenance("aws:x", "x", WrittenBy.PLATFORM, 1)


def named(key: str, value: str) -> list[tuple[str, bool]]:
    people, evidence = find_tag_owners(["arn:x"], [(key, value)], SEEN)
    assert [p.id for p in people] == [e.person for e in evidence]
    for person, each in zip(people, evidence, strict=True):
        kind = (
            OwnerEvidenceKind.TEAM_TAG if person.team else OwnerEvidenceKind.OWNER_TAG
        )
        assert each.kind is kind
    return [(person.id, person.team) for person in people]


@pytest.mark.parametrize(
    "key",
    ["Owner", "owner", "OwnedBy", "owned-by", "corp:Owner", "Contact", "CreatedBy"],
)
def test_an_owner_tag_names_a_person(key: str) -> None:
    assert named(key, "Ana@Corp.example") == [("person:ana@corp.example", False)]


@pytest.mark.parametrize(
    ("value", "who"),
    [
        ("ana", "person:ana"),
        ("@ana", "person:ana"),
        ("<ana@corp.example>", "person:ana@corp.example"),
        ("arn:aws:sts::1:assumed-role/SSO/ana@corp.example", "person:ana@corp.example"),
    ],
)
def test_a_person_may_be_a_handle_or_a_session(value: str, who: str) -> None:
    assert named("Owner", value) == [(who, False)]


def test_several_addresses_are_several_people() -> None:
    assert named("Owner", "ana@corp.example, ben@corp.example") == [
        ("person:ana@corp.example", False),
        ("person:ben@corp.example", False),
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Team", "care"),
        ("owning-team", "care"),
        ("Owner", "platform-team"),
        ("Owner", "platform"),
        ("Owner", "devops@corp.example"),
        ("Owner", "Data Products"),
    ],
)
def test_a_team_key_or_a_value_that_looks_like_one_names_a_team(
    key: str, value: str
) -> None:
    ((_, team),) = named(key, value)
    assert team


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Owner", ""),
        ("Owner", "  "),
        ("Owner", "unknown"),
        ("Owner", "N/A"),
        ("CreatedBy", "terraform"),
        ("CreatedBy", "arn:aws:iam::123456789012:role/ci"),
        ("Owner", "\x1b[31mana"),
        ("Name", "ana@corp.example"),
        ("CostCenter", "4711"),
    ],
)
def test_machines_nobody_and_other_tags_name_no_one(key: str, value: str) -> None:
    assert named(key, value) == []


@given(st.sampled_from(["Owner", "Team", "CreatedBy"]), st.text())
def test_any_value_is_taken_without_an_error(key: str, value: str) -> None:
    named(key, value)


def test_evidence_quotes_the_tag_and_stands(account: Sync) -> None:
    (tag,) = (e for e in account.facts.evidence if e.subject.endswith("user/team/etl"))
    assert tag.reference == "Owner=ana@corp.example"
    assert tag.standing
    assert tag.seen.at > 0


def test_an_agents_role_tags_speak_of_the_agent_too(account: Sync) -> None:
    agent = "agent:bedrock/123456789012/support"
    found = {(e.person, e.kind) for e in account.facts.evidence if e.subject == agent}
    assert found == {
        ("person:ben@corp.example", OwnerEvidenceKind.OWNER_TAG),
        ("person:care", OwnerEvidenceKind.TEAM_TAG),
    }
