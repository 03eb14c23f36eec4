import pytest

from answerable.inventory.tag_authorship import TagAuthorship, match_iam_pattern
from answerable.model.policy import PolicyEffect, PolicyLayer
from tests.inventory.fact_builders import arn, policy, statement

ROLE = arn("role/agent")
OTHER = arn("role/other")


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("*", "", True),
        ("iam:*", "iam:tagrole", True),
        ("iam:tag????", "iam:tagrole", True),
        ("iam:tag???", "iam:tagrole", False),
        ("*role", "iam:tagrole", True),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "axxbyy", False),
        ("", "x", False),
    ],
)
def test_iam_patterns_match_as_iam_says(pattern: str, text: str, fits: bool) -> None:
    assert match_iam_pattern(pattern, text) is fits


def test_a_mean_pattern_takes_no_time() -> None:
    assert not match_iam_pattern("*a" * 300 + "b", "a" * 2000)


@pytest.mark.parametrize(
    ("action", "resource", "may"),
    [
        ("iam:TagRole", ROLE, True),
        ("iam:tagrole", "*", True),
        ("iam:Tag*", "arn:aws:iam::*:role/age*", True),
        ("*", "*", True),
        ("iam:TagUser", "*", False),
        ("iam:TagRole", OTHER, False),
        ("s3:*", "*", False),
        ("iam:TagRole", "arn:aws:iam::111122223333:role/${aws:username}", True),
    ],
)
def test_an_allow_of_tagging_oneself_counts(
    action: str, resource: str, may: bool
) -> None:
    made, attached = policy(ROLE, statement(action, resource))
    assert TagAuthorship([made], [attached]).may_identity_tag_target(ROLE, ROLE) is may


def test_an_unconditional_deny_is_believed() -> None:
    made, attached = policy(
        ROLE, statement("*", "*"), statement("iam:*", "*", PolicyEffect.DENY)
    )
    assert not TagAuthorship([made], [attached]).may_identity_tag_target(ROLE, ROLE)


def test_a_boundary_that_allows_nothing_of_it_is_believed() -> None:
    made, attached = policy(ROLE, statement("*", "*"))
    bound, bounded = policy(ROLE, statement("s3:*", "*"), layer=PolicyLayer.BOUNDARY)
    assert TagAuthorship([made], [attached]).may_identity_tag_target(ROLE, ROLE)
    assert not TagAuthorship(
        [made, bound], [attached, bounded]
    ).may_identity_tag_target(ROLE, ROLE)
    # A boundary that was not collected could allow it.
    assert TagAuthorship([made], [attached, bounded]).may_identity_tag_target(
        ROLE, ROLE
    )


def test_another_accounts_roles_cannot_be_tagged() -> None:
    made, attached = policy(ROLE, statement("*", "*"))
    there = arn("role/agent", "999999999999")
    assert not TagAuthorship([made], [attached]).may_identity_tag_target(ROLE, there)


@pytest.mark.parametrize("target", ["cred:aws/AKIA", "arn:aws:s3:::b", "", "agent:x"])
def test_what_has_no_tags_of_iam_is_never_written(target: str) -> None:
    made, attached = policy(ROLE, statement("*", "*"))
    assert not TagAuthorship([made], [attached]).may_identity_tag_target(ROLE, target)
