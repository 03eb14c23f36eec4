"""Access that live AWS scans need: shipped files, printed files, declared permissions."""

import json
import re
from pathlib import Path

import pytest
import yaml

from answerable.cli.main import main
from answerable.connectors.aws.declaration import DECLARATION as AWS
from answerable.connectors.aws_org import declaration as organization
from answerable.connectors.aws_resources.declaration import DECLARATION as RESOURCES
from answerable.usecases.inventory.aws_access_policy import (
    list_account_actions,
    render_access_policy,
)
from tests.connectors.policy import read_policy

SHIPPED = {
    "iam": "scanner-policy.json",
    "cloudformation": "read-role.yaml",
    "terraform": "read-role.tf",
}
DECLARED = {*AWS.permissions, *RESOURCES.permissions, "ec2:DescribeRegions"}


@pytest.mark.parametrize(("form", "name"), SHIPPED.items())
def test_the_shipped_files_are_what_the_command_prints(
    root: Path, form: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["where", "--policy", form, "aws-org:"]) == 0
    printed = capsys.readouterr().out
    assert printed == (root / "deploy" / "aws" / name).read_text()


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short tags, each read as its own text."""


_Template.add_multi_constructor("!", lambda loader, tag, node: f"{tag} {node.value}")


def test_the_role_of_each_account_may_do_what_the_connectors_declare() -> None:
    template = yaml.load(render_access_policy("cloudformation", ["aws-org"]), _Template)  # noqa: S506 - a safe loader
    role = template["Resources"]["Role"]["Properties"]
    (policy,) = role["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert set(statement["Action"]) == DECLARED
    assert statement["Resource"] == "*"
    terraform = render_access_policy("terraform", ["aws-org"])
    listed = re.findall(r'^ {8}"([a-z0-9-]+:[A-Za-z]+)",$', terraform, re.MULTILINE)
    assert listed == list(list_account_actions()) == sorted(DECLARED)


def test_the_role_trusts_the_named_scanner_alone() -> None:
    template = yaml.load(render_access_policy("cloudformation", ["aws-org"]), _Template)  # noqa: S506 - a safe loader
    role = template["Resources"]["Role"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRole"
    assert "${ScannerAccount}" in trust["Principal"]["AWS"]
    named = {"aws:PrincipalArn": "Ref ScannerPrincipal"}
    assert trust["Condition"] == {"ArnLike": named}


def test_nothing_that_is_allowed_changes_anything() -> None:
    reading = re.compile(r"[a-z0-9-]+:(Get|List|Describe)[A-Za-z]+")
    assert [a for a in list_account_actions() if not reading.fullmatch(a)] == []


def test_the_scanner_may_read_the_organization_and_assume_the_role() -> None:
    read, assume = json.loads(render_access_policy("iam", ["aws-org"]))["Statement"]
    assert set(read["Action"]) == {*DECLARED, *organization.DECLARATION.permissions}
    assert assume["Action"] == "sts:AssumeRole"
    assert assume["Resource"] == f"arn:aws:iam::*:role/{organization.DEFAULT_ROLE}"


def test_a_single_account_needs_what_its_page_says() -> None:
    assert json.loads(render_access_policy("iam", ["aws"])) == read_policy(
        "AnswerableRead", AWS.permissions
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("iam", "home:~"), "--policy requires live AWS sources (got home)"),
        (("iam",), "(got none)"),
        (("terraform", "aws:"), "requires aws-org:"),
    ],
)
def test_what_has_no_policy_is_said(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["where", "--policy", *words]) == 2
    assert says in capsys.readouterr().err
