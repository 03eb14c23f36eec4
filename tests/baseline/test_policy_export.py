"""Laws of exported policies: never wider than the profile, never shorter by more data."""

import json
import time
from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.baseline.policy_export.aws_limits import AWS_LIMITS
from answerable.baseline.policy_export.aws_policy import compile_aws_policy
from answerable.baseline.policy_export.aws_statements import (
    build_allow_statement,
    group_statements,
)
from answerable.model.baseline import (
    BaselineProfile,
    BaselineSubject,
    CapabilityEntry,
    EntityEntry,
    EntityPattern,
    GeneralisationLevel,
    ObservationCounts,
)
from answerable.model.behaviour import EntityKind
from answerable.model.policy import Statement
from answerable.model.policy_export import ClauseReason, ExportTarget
from answerable.services.baseline.policy_export import export_profiles

ROLE = "arn:aws:iam::111122223333:role/reporter"
ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "sqs:SendMessage")
NAMES = ("arn:aws:s3:::a/x", "arn:aws:s3:::a/y", "arn:aws:s3:::a/*", "arn:aws:s3:::b/x")
COUNTS = ObservationCounts(1, 1, 1)
grants = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.sampled_from(NAMES)), min_size=1
)


def atoms(pairs: list[tuple[str, str]]) -> list[Statement]:
    return [build_allow_statement([action], [name]) for action, name in pairs]


def allowed(statements: list[Statement]) -> set[tuple[str, str]]:
    """The meaning of statements over all names that the grants use."""
    return {
        (action, name)
        for each in statements
        for action, name in product(ACTIONS, (*NAMES, "arn:aws:s3:::a/z"))
        if action in each.actions
        and any(fnmatchcase(name, pattern) for pattern in each.resources)
    }


def profile(
    *actions: str, entities: tuple[tuple[str, EntityPattern], ...] = ()
) -> BaselineProfile:
    return BaselineProfile(
        BaselineSubject(ROLE, "agent:declared/reporter", "cloud"),
        runs=3,
        capabilities=tuple(
            CapabilityEntry(f"cloud/{each}", "", False, COUNTS) for each in actions
        ),
        entities=tuple(
            EntityEntry(f"cloud/{action}", "resource", pattern, False, True, COUNTS)
            for action, pattern in entities
        ),
    )


def arn(text: str, level: str = "exact") -> EntityPattern:
    return EntityPattern(EntityKind.ARN, GeneralisationLevel(level), text)


@given(grants)
@settings(max_examples=200)
def test_grouping_keeps_the_meaning(pairs) -> None:
    assert allowed(group_statements(atoms(pairs))) == allowed(atoms(pairs))


@given(grants, st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_order_and_repetition_of_grants_do_not_matter(pairs, random) -> None:
    again = [*pairs, *pairs]
    random.shuffle(again)
    assert group_statements(atoms(again)) == group_statements(atoms(pairs))


@given(grants, st.tuples(st.sampled_from(ACTIONS), st.sampled_from(NAMES)))
@settings(max_examples=100)
def test_one_more_grant_never_shrinks_a_policy(pairs, one) -> None:
    more = group_statements(atoms([*pairs, one]))
    assert allowed(group_statements(atoms(pairs))) <= allowed(more)


@pytest.mark.parametrize("target", AWS_LIMITS)
@pytest.mark.parametrize("count", [1, 40, 100, 200, 2_000])
def test_a_policy_keeps_its_size_or_is_refused(target, count) -> None:
    pairs = [
        (f"s3:Get{number}", f"arn:aws:s3:::bucket-{number}/*")
        for number in range(count)
    ]
    exported = compile_aws_policy(atoms(pairs), target)
    assert bool(exported.documents) is not bool(exported.refusals)
    limit = AWS_LIMITS[target]
    assert len(exported.documents) <= limit.documents
    said = set()
    for each in exported.documents:
        read = json.loads(each.text)
        compact = json.dumps(read, separators=(",", ":"))
        assert len(compact) == each.size <= limit.characters
        for one in read["Statement"]:
            said |= set(
                product(
                    [one["Action"]]
                    if isinstance(one["Action"], str)
                    else one["Action"],
                    [one["Resource"]]
                    if isinstance(one["Resource"], str)
                    else one["Resource"],
                )
            )
    if exported.documents:
        assert said == set(pairs)


def test_a_wildcard_in_a_name_is_a_letter() -> None:
    """An agent chooses the keys that it writes: none of them is a pattern."""
    named = profile(
        "s3:PutObject", entities=(("s3:PutObject", arn("arn:aws:s3:::logs/*?$")),)
    )
    (document,) = export_profiles([named], ExportTarget.AWS_POLICY).documents
    (statement,) = json.loads(document.text)["Statement"]
    assert statement["Resource"] == "arn:aws:s3:::logs/${*}${?}${$}"


def test_sessions_roles_and_iam_writes_need_a_signature() -> None:
    names = ("sts:AssumeRole", "iam:PassRole", "iam:CreateUser", "iam:TagRole")
    role = arn("arn:aws:iam::111122223333:role/x")
    user = arn("arn:aws:iam::111122223333:user/x")
    learned = profile(
        *names,
        "iam:GetRole",
        entities=(
            *((each, role) for each in (*names, "iam:GetRole")),
            (names[2], user),
        ),
    )
    exported = export_profiles([learned], ExportTarget.AWS_POLICY)
    left = {
        each.action
        for each in exported.omitted
        if each.reason is ClauseReason.NEEDS_SIGNATURE
    }
    assert left == set(names)
    assert "iam:GetRole" in exported.documents[0].text
    signed = export_profiles([learned], ExportTarget.AWS_POLICY, is_signed=True)
    assert all(each in signed.documents[0].text for each in names)


def test_a_pattern_that_the_target_cannot_say_is_omitted_instead_of_widened() -> None:
    learned = profile(
        "s3:GetObject",
        "sqs:SendMessage",
        entities=(
            ("s3:GetObject", arn("arn:aws:s3:::b/2026-##", "template")),
            ("s3:GetObject", arn("arn:aws:s3:::b/in/", "prefix")),
        ),
    )
    exported = export_profiles([learned], ExportTarget.AWS_POLICY)
    (statement,) = json.loads(exported.documents[0].text)["Statement"]
    assert statement["Action"] == "s3:GetObject"
    assert statement["Resource"] == "arn:aws:s3:::b/in/*"
    reasons = {(each.reason, each.action) for each in exported.omitted}
    assert reasons >= {
        (ClauseReason.WOULD_WIDEN, "s3:GetObject"),
        (ClauseReason.RESOURCE_NOT_RECORDED, "sqs:SendMessage"),
    }
    wide = export_profiles(
        [learned], ExportTarget.AWS_POLICY, any_resource=("sqs:SendMessage",)
    )
    assert "sqs:SendMessage" in wide.documents[0].text
    # A resource that logs name is kept, and so is the limit of a signed IAM write.
    narrow = profile(
        "s3:GetObject",
        "iam:PutUserPolicy",
        entities=(("s3:GetObject", arn("arn:aws:s3:::b/k")),),
    )
    exported = export_profiles(
        [narrow],
        ExportTarget.AWS_POLICY,
        is_signed=True,
        any_resource=("s3:GetObject", "iam:PutUserPolicy"),
    )
    (statement,) = json.loads(exported.documents[0].text)["Statement"]
    assert statement["Resource"] == "arn:aws:s3:::b/k"


def test_a_bucket_is_no_resource_of_an_object_action() -> None:
    learned = profile(
        "s3:GetObject",
        "s3:ListBucket",
        entities=tuple(
            (action, arn(name))
            for action in ("s3:GetObject", "s3:ListBucket")
            for name in ("arn:aws:s3:::b", "arn:aws:s3:::b/k")
        ),
    )
    exported = export_profiles([learned], ExportTarget.AWS_POLICY)
    said = {
        one["Action"]: one["Resource"]
        for one in json.loads(exported.documents[0].text)["Statement"]
    }
    assert said == {
        "s3:GetObject": "arn:aws:s3:::b/k",
        "s3:ListBucket": "arn:aws:s3:::b",
    }


@pytest.mark.parametrize(
    "excluded",
    [
        ("*", "arn:aws:s3:::*"),
        ("arn:aws:s3:::in/*", "arn:aws:s3:::in/a"),
        ("arn:aws:s3:::a", "arn:aws:s3:::b"),
    ],
)
def test_grants_on_all_but_some_resources_are_never_joined(
    excluded: tuple[str, str],
) -> None:
    """A call that one of them allows stays allowed."""
    statements = [
        build_allow_statement(["s3:GetObject"], (), (), [each]) for each in excluded
    ]
    grouped = group_statements(statements)
    assert sorted(each.not_resources for each in grouped) == sorted(
        (each,) for each in excluded
    )
    same = build_allow_statement(["s3:PutObject"], (), (), [excluded[0]])
    assert len(group_statements([*statements, same])) == 2


def compile_profiles_of_actions(count: int) -> int:
    """Compile profiles of 200 actions and 40 objects; return the number of documents."""
    names = [f"arn:aws:s3:::bucket-{number}/2026/" for number in range(400)]
    documents = 0
    for number in range(count):
        learned = profile(
            "s3:GetObject",
            "s3:PutObject",
            *(f"ec2:Describe{each}" for each in range(198)),
            entities=tuple(
                (action, arn(f"{names[(number + at) % 400]}{at}"))
                for at in range(40)
                for action in ("s3:GetObject", "s3:PutObject")
            ),
        )
        found = export_profiles([learned], ExportTarget.AWS_POLICY).documents
        assert found
        documents += len(found)
    return documents


@pytest.mark.bench
def test_a_thousand_profiles_are_compiled_in_a_minute() -> None:
    begun = time.monotonic()
    compile_profiles_of_actions(1_000)
    assert time.monotonic() - begun <= 60
