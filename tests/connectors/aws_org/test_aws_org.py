"""An organisation's accounts, their place in the tree, and its control policies."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.aws_org import fetch
from answerable.connectors.aws_org.parse import parse
from answerable.model.connector import SyncContext
from answerable.model.errors import AnswerableError, ParseError, UsageError
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.model.sighting import Sync

MANAGEMENT = "111111111111"
PROD = "123456789012"
Whole = dict[str, dict[str, object]]


@pytest.fixture
def context() -> SyncContext:
    return SyncContext(1, lambda value: "0" * 24)


@pytest.fixture
def path(root: Path) -> Path:
    return root / "tests" / "data" / "aws" / "organization.json"


@pytest.fixture
def whole(path: Path) -> Whole:
    found: Whole = json.loads(path.read_text())
    return found


@pytest.fixture
def organization(path: Path, context: SyncContext) -> Sync:
    return fetch.sync(str(path), context)


def read(content: object) -> "tuple[object, list[str], tuple[str, ...]]":
    text = content if isinstance(content, str) else json.dumps(content)
    parsed = parse(text.encode(), source="aws-org:x", place="x", now=1)
    return parsed.facts, [p.what for p in parsed.problems], parsed.collected


def test_nothing_in_a_whole_organisation_is_a_problem(organization: Sync) -> None:
    assert organization.problems == ()
    assert organization.source.startswith("aws-org:")


def test_accounts_know_their_place_from_the_root_down(organization: Sync) -> None:
    accounts = {account.id: account for account in organization.facts.accounts}
    assert accounts[PROD].parents == ("r-ab12", "ou-ab12-work0001", "ou-ab12-prod0001")
    assert accounts[PROD].organization == "o-example001"
    assert (accounts[MANAGEMENT].management, accounts[PROD].management) == (True, False)
    assert accounts[PROD].name == "prod"


def test_control_policies_are_read_and_attached_where_they_stand(
    organization: Sync,
) -> None:
    by_name = {policy.name: policy for policy in organization.facts.policies}
    assert set(by_name) == {"FullAWSAccess", "region-lock"}
    (statement,) = by_name["region-lock"].statements
    assert statement.effect is PolicyEffect.DENY
    assert statement.not_actions == ("iam:*", "sts:*")
    found = {(a.policy, a.target, a.layer) for a in organization.facts.attachments}
    full, lock = by_name["FullAWSAccess"].id, by_name["region-lock"].id
    assert found == {
        (full, "r-ab12", PolicyLayer.SCP),
        (full, PROD, PolicyLayer.SCP),
        (lock, "ou-ab12-work0001", PolicyLayer.SCP),
    }


def test_a_kind_of_policy_that_is_switched_off_counts_as_collected(
    organization: Sync,
) -> None:
    assert organization.collected == ("organization", "scp", "rcp")
    assert organization.not_collected == ("identity-center",)


def test_control_policies_are_known_of_accounts_that_have_a_place_in_the_tree(
    whole: Whole,
) -> None:
    text = json.dumps({**whole, "Accounts": [{"Id": "999999999999"}]})
    parsed = parse(text.encode(), source="aws-org:x", place="x", now=1)
    known = {account.id for account in parsed.facts.accounts}
    held = {each.account for each in parsed.held if each.word == "scp"}
    assert known - held == {"999999999999"}
    assert PROD in held


def test_a_kind_of_policy_that_is_switched_on_and_not_here_is_not_collected(
    whole: Whole,
) -> None:
    types = [{"Type": "RESOURCE_CONTROL_POLICY", "Status": "ENABLED"}]
    whole["Roots"] = [{"Id": "r-ab12", "PolicyTypes": types}]  # type: ignore[assignment] - JSON
    _, _, collected = read(whole)
    assert collected == ("organization", "scp")


def test_resource_control_policies_have_their_own_layer(
    context: SyncContext, tmp_path: Path
) -> None:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    content = json.dumps({"Version": "2012-10-17", "Statement": statement})
    file = tmp_path / "org.json"
    summary = {"Id": "p-1", "Name": "n", "Type": "RESOURCE_CONTROL_POLICY"}
    policy = {
        "PolicySummary": summary,
        "Content": content,
        "Targets": [{"TargetId": "r-ab12"}],
    }
    file.write_text(json.dumps({"Policies": [policy]}))
    sync = fetch.sync(str(file), context)
    assert sync.problems == ()
    assert sync.facts.attachments[0].layer is PolicyLayer.RCP
    assert sync.facts.policies[0].statements[0].principals == (("AWS", "*"),)
    assert sync.collected == ("rcp",)


def test_parents_may_stand_beside_each_account_and_unit(whole: Whole) -> None:
    flat = {
        "Organization": whole["Organization"],
        "Roots": whole["Roots"],
        "OrganizationalUnits": [
            {"Id": "ou-ab12-work0001", "ParentId": "r-ab12"},
            {"Id": "ou-ab12-prod0001", "ParentId": "ou-ab12-work0001"},
        ],
        "Accounts": [{"Id": PROD, "Name": "prod", "ParentId": "ou-ab12-prod0001"}],
    }
    parsed = parse(json.dumps(flat).encode(), source="s", place="x", now=1)
    assert parsed.problems == ()
    (account,) = parsed.facts.accounts
    assert account.parents == ("r-ab12", "ou-ab12-work0001", "ou-ab12-prod0001")


def test_answers_one_a_line_read_as_one_organisation(
    whole: Whole, organization: Sync
) -> None:
    lines = "\n".join(json.dumps({name: value}) for name, value in whole.items())
    parsed = parse(lines.encode(), source="s", place="x", now=1)
    assert parsed.problems == ()
    assert [(a.id, a.parents) for a in parsed.facts.accounts] == [
        (a.id, a.parents) for a in organization.facts.accounts
    ]
    assert len(parsed.facts.policies) == 2


def test_an_accounts_arn_tells_organisation_and_management(whole: Whole) -> None:
    del whole["Organization"]
    parsed = parse(json.dumps(whole).encode(), source="s", place="x", now=1)
    found = {a.id: (a.organization, a.management) for a in parsed.facts.accounts}
    assert found[MANAGEMENT] == ("o-example001", True)
    assert found[PROD] == ("o-example001", False)


@pytest.mark.parametrize(
    ("drop", "says"),
    [
        (
            "OrganizationalUnitsForParent",
            f"account '{PROD}' is missing from the organization tree",
        ),
        ("DescribePolicy", "policy 'p-region01' has no content"),
        ("TargetsForPolicy", "policy 'p-region01' has no targets"),
    ],
)
def test_what_is_missing_is_said(whole: Whole, drop: str, says: str) -> None:
    del whole[drop]
    _, whats, _ = read(whole)
    assert any(what.startswith(says) for what in whats)


def test_a_policy_without_content_stays_attached(whole: Whole) -> None:
    del whole["DescribePolicy"]
    parsed = parse(json.dumps(whole).encode(), source="s", place="x", now=1)
    assert parsed.facts.policies == ()
    assert len(parsed.facts.attachments) == 3


def test_units_that_stand_in_a_circle_have_no_place(whole: Whole) -> None:
    circle = [{"Id": "ou-a", "ParentId": "ou-b"}, {"Id": "ou-b", "ParentId": "ou-a"}]
    accounts = [{"Id": PROD, "ParentId": "ou-a"}]
    _, whats, _ = read({"OrganizationalUnits": circle, "Accounts": accounts})
    assert whats == [f"account '{PROD}' is missing from the organization tree"]


def test_a_policy_that_cannot_be_read_is_kept_as_unread(whole: Whole) -> None:
    whole["DescribePolicy"]["p-region01"]["Policy"]["Content"] = "{"  # type: ignore[index] - JSON
    parsed = parse(json.dumps(whole).encode(), source="s", place="x", now=1)
    (lock,) = (p for p in parsed.facts.policies if p.name == "region-lock")
    assert lock.statements == ()
    assert lock.unread[0].sid == "*"
    assert len(parsed.problems) == 1


def test_other_files_are_told_apart(root: Path, context: SyncContext) -> None:
    account = root / "tests" / "data" / "aws" / "account.json"
    with pytest.raises(UsageError) as caught:
        fetch.sync(str(account), context)
    assert caught.value.hint == "pass it as aws:FILE"
    with pytest.raises(
        UsageError, match="does not contain output of AWS Organizations"
    ):
        read({"x": 1})
    with pytest.raises(ParseError):
        read("{")
    with pytest.raises(UsageError, match="no role given"):
        fetch.sync("role/", context)


@given(
    st.dictionaries(
        st.sampled_from(
            ["Organization", "Roots", "Accounts", "Policies", "DescribePolicy"]
        ),
        st.recursive(
            st.none() | st.text(max_size=4) | st.integers(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["Id", "Type", "Policy", "PolicySummary", "Targets"]
                    ),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_no_answer_of_another_shape_raises_anything_but_our_own_errors(
    content: dict[str, object],
) -> None:
    with contextlib.suppress(AnswerableError):
        read(content)
