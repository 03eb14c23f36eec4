"""`scan aws-org:` reads an organisation and every account of it."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.connectors import aws_session
from answerable.store.scan_checkpoint import ScanCheckpoint
from answerable.usecases.inventory.aws_access_policy import list_account_actions
from tests.connectors.aws_org.conftest import MANAGEMENT, REGION, Answer, client
from tests.connectors.aws_org.proxy import Proxy

pytestmark = pytest.mark.usefixtures("few_services")

Run = Callable[..., Answer]
BACKOFF = "botocore.retries.standard.ExponentialBackoff.delay_amount"


def scan(run: Run, endpoint: str, *more: str, source: str = "aws-org:") -> Answer:
    return run("scan", source, "--endpoint-url", endpoint, "--regions", REGION, *more)


def test_every_account_of_the_organization_is_read(
    run: Run, fresh: str, organization: list[str]
) -> None:
    done = scan(run, fresh)
    assert (done.code, done.err) == (0, "")
    items = done.document["items"]
    assert str(items[0]["source"]).startswith("aws-org:o-")
    assert [i["source"] for i in items[1:]] == sorted(
        f"aws:{account} (live)" for account in organization
    )
    (member,) = [i for i in items if organization[1] in str(i["source"])]
    assert member["identities"] == 3
    found = run("identities").document["items"]
    exporters = {str(i["id"]) for i in found if i["name"] == "exporter"}
    assert exporters == {f"arn:aws:iam::{a}:role/exporter" for a in organization[1:]}


def test_control_policies_of_the_tree_decide(
    run: Run, fresh: str, organization: list[str]
) -> None:
    scan(run, fresh)
    role = f"arn:aws:iam::{organization[1]}:role/exporter"
    bucket = "arn:aws:s3:::lake/x"
    denied = run("can", role, "s3:DeleteObject", bucket, "--direct")
    assert denied.document["items"][0]["verdict"] == "never"
    assert "scp" in denied.document["coverage"]["seen"]  # type: ignore[call-overload] - JSON


def test_resources_of_each_region_are_sources_of_their_own(
    run: Run, fresh: str, organization: list[str]
) -> None:
    account = organization[2]
    done = run(
        *("scan", "aws-org:", "--endpoint-url", fresh),
        *("--regions", f"{REGION},eu-west-1"),
    )
    assert done.code == 0
    sources = {
        str(s["source"])
        for s in run("identities").document["coverage"]["sources"]  # type: ignore[call-overload] - JSON
    }
    assert {
        f"aws:{account} (live)",
        f"aws-resources:{account} eu-west-1 (live)",
        f"aws-resources:{account} {REGION} (live)",
    } <= sources


def test_an_account_that_refuses_is_named_and_the_others_are_read(
    run: Run, proxy: Proxy, organization: list[str]
) -> None:
    shut = organization[2]
    proxy.refuse = lambda body: (
        "AccessDenied" if "AssumeRole" in body and shut in body else ""
    )
    done = scan(run, proxy.url)
    assert done.code == 3
    items = done.document["items"]
    assert len(items) == len(organization)  # the organisation, and all but one
    (problem,) = items[0]["problems"]  # type: ignore[misc] - one
    role = f"arn:aws:iam::{shut}:role/AnswerableRead"
    assert f"{shut} work-1: the role {role} cannot be assumed: AccessDenied" in problem
    assert scan(run, proxy.url, "--allow-partial").code == 0
    # Every later answer says so, too.
    assert shut in str(run("identities").document["coverage"])


def test_a_role_of_another_name_is_assumed(
    run: Run, proxy: Proxy, organization: list[str], freed: list[str]
) -> None:
    scan(run, proxy.url, source="aws-org:role/audit/Reader")
    assert set(proxy.roles) == {
        f"arn:aws:iam::{a}:role/audit/Reader" for a in organization[1:]
    }
    # Once an account: its regions share the session, which is then freed.
    assert len(proxy.roles) == len(organization) - 1
    assert len(freed) == len(organization) - 1


def test_a_broken_run_goes_on_where_it_was(
    run: Run, proxy: Proxy, organization: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.services.inventory.organization_scan.WORKERS", 1)
    last = max(organization[1:])  # the management account needs no role
    ended = False

    def refuse(body: str) -> str:
        nonlocal ended
        ended = ended or ("AssumeRole" in body and last in body)
        return "ExpiredToken" if ended else ""

    proxy.refuse = refuse
    broken = scan(run, proxy.url)
    assert broken.code == 5
    assert "the AWS session has expired" in broken.err
    kept = sum(each < last for each in organization)
    assert f"{kept} of 4 accounts are kept" in broken.err
    assert run("identities").document["items"] == []  # no half snapshot
    proxy.refuse = lambda body: ""
    proxy.roles.clear()
    whole = scan(run, proxy.url)
    assert whole.code == 0
    assert {role.split(":")[4] for role in proxy.roles} == {last}
    assert len(whole.document["items"]) == 1 + len(organization)
    # A run that has ended leaves nothing to go on with.
    proxy.roles.clear()
    scan(run, proxy.url)
    assert len(proxy.roles) == len(organization) - 1


def test_throttling_is_waited_out(
    run: Run, proxy: Proxy, organization: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BACKOFF, lambda self, context: 0.001)
    monkeypatch.setattr(aws_session, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(aws_session, "_LONGEST_WAIT", 0.01)
    left = 6

    def refuse(body: str) -> str:
        nonlocal left
        if "GetAccountAuthorizationDetails" in body and left:
            left -= 1
            return "Throttling"
        return ""

    proxy.refuse = refuse
    done = scan(run, proxy.url)
    assert (done.code, done.err, left) == (0, "", 0)


def test_throttling_that_does_not_end_is_a_problem(
    run: Run, proxy: Proxy, organization: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BACKOFF, lambda self, context: 0.001)
    monkeypatch.setattr(aws_session, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(aws_session, "THROTTLE_LIMIT", 0.05)
    proxy.refuse = lambda body: (
        "Throttling" if "GetAccountAuthorizationDetails" in body else ""
    )
    done = scan(run, proxy.url)
    assert done.code == 3
    assert "iam:GetAccountAuthorizationDetails failed: Throttling" in done.out


def test_a_region_that_is_not_enabled_is_named(
    run: Run, fresh: str, organization: list[str]
) -> None:
    done = run(
        *("scan", "aws-org:", "--endpoint-url", fresh),
        *("--regions", f"{REGION},xx-nowhere-1"),
    )
    assert done.code == 3
    assert "region xx-nowhere-1 is not enabled in this account" in done.out


@pytest.mark.parametrize(
    ("action", "code", "says"),
    [
        (
            "DescribeOrganization",
            "AWSOrganizationsNotInUseException",
            "the account is not in an organization",
        ),
        (
            "ListAccounts",
            "AccessDeniedException",
            "organizations:ListAccounts is not allowed (expected the management account",
        ),
        (
            "GetCallerIdentity",
            "ExpiredToken",
            "the AWS session has expired (got ExpiredToken)",
        ),
    ],
)
def test_without_access_to_the_organization_one_line_says_why(
    run: Run, proxy: Proxy, organization: list[str], action: str, code: str, says: str
) -> None:
    proxy.refuse = lambda body: code if action in body else ""
    done = scan(run, proxy.url)
    assert done.code == 5
    error, hint = done.err.strip().splitlines()
    assert error.startswith(f"error: {says}")
    assert hint.startswith("hint: ")


def test_an_empty_role_name_is_a_usage_error(run: Run) -> None:
    done = run("scan", "aws-org:role/")
    assert done.code == 2
    assert "no role given" in done.err


def test_policies_that_may_not_be_read_leave_their_kind_open(
    run: Run, proxy: Proxy, organization: list[str]
) -> None:
    proxy.refuse = lambda body: (
        "AccessDeniedException" if "DescribePolicy" in body else ""
    )
    done = scan(run, proxy.url)
    assert done.code == 3
    assert "organizations:DescribePolicy is not allowed" in done.out
    assert "scp" not in done.document["coverage"]["seen"]  # type: ignore[call-overload] - JSON


def test_delegated_administrators_are_known(
    run: Run, fresh: str, organization: list[str]
) -> None:
    org = client(fresh, "organizations")
    org.enable_aws_service_access(ServicePrincipal="ssm.amazonaws.com")
    org.register_delegated_administrator(
        AccountId=organization[1], ServicePrincipal="ssm.amazonaws.com"
    )
    from answerable.connectors.aws_org import fetch
    from answerable.model.connector import SyncContext

    context = SyncContext(1, lambda value: "0" * 24, endpoint_url=fresh)
    found = fetch.scan_live_organization("", context)
    told = {a.id: a for a in found.sync.facts.accounts}
    assert told[organization[1]].administers == ("ssm.amazonaws.com",)
    assert told[MANAGEMENT].management
    assert {a.state for a in told.values()} == {"active"}
    assert len(told[organization[1]].parents) == 2


def test_the_shipped_role_is_deployed_and_assumed(
    root: Path, fresh: str, organization: list[str]
) -> None:
    account = organization[1]
    template = (root / "deploy" / "aws" / "read-role.yaml").read_text()
    given = {
        "RoleName": "Deployed",
        "ScannerAccount": MANAGEMENT,
        "ScannerPrincipal": f"arn:aws:iam::{MANAGEMENT}:role/Scanner",
    }
    client(fresh, "cloudformation", account).create_stack(
        StackName="answerable",
        TemplateBody=template,
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in given.items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    iam = client(fresh, "iam", account)
    role = iam.get_role(RoleName="Deployed")["Role"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": f"arn:aws:iam::{MANAGEMENT}:root"}
    policy = iam.get_role_policy(RoleName="Deployed", PolicyName="AnswerableRead")
    document = policy["PolicyDocument"]
    if isinstance(document, str):  # moto keeps Python's own text of it
        document = ast.literal_eval(document)
    (statement,) = document["Statement"]
    assert sorted(statement["Action"]) == list(list_account_actions())


def test_accounts_that_were_read_survive_a_kill(
    run: Run, proxy: Proxy, organization: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.services.inventory.organization_scan.WORKERS", 1)
    kept = ScanCheckpoint.add
    added: list[bytes] = []

    def die(self: ScanCheckpoint, entry: bytes) -> None:
        kept(self, entry)
        added.append(entry)
        if len(added) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(ScanCheckpoint, "add", die)
    scan(run, proxy.url)
    monkeypatch.setattr(ScanCheckpoint, "add", kept)
    assert run("identities").document["items"] == []
    proxy.roles.clear()
    done = scan(run, proxy.url)
    assert len(proxy.roles) <= len(organization) - 2
    assert done.code == 0
    assert len(done.document["items"]) == 1 + len(organization)


def test_what_an_old_run_has_read_is_read_again(
    run: Run, proxy: Proxy, organization: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.services.inventory.organization_scan.WORKERS", 1)
    monkeypatch.setattr(
        "answerable.services.inventory.organization_scan.RESUME_WITHIN", 0
    )
    last = max(organization)
    proxy.refuse = lambda body: (
        "ExpiredToken" if "AssumeRole" in body and last in body else ""
    )
    assert scan(run, proxy.url).code == 5
    proxy.refuse = lambda body: ""
    proxy.roles.clear()
    assert scan(run, proxy.url).code == 0
    assert len(proxy.roles) == len(organization) - 1


def test_an_account_that_does_not_tell_its_regions_is_named(
    run: Run, proxy: Proxy, organization: list[str]
) -> None:
    proxy.refuse = lambda body: "AccessDenied" if "DescribeRegions" in body else ""
    done = run("scan", "aws-org:", "--endpoint-url", proxy.url)
    assert done.code == 3
    assert "ec2:DescribeRegions is not allowed: no region was read" in done.out
    assert run("identities").document["items"]
