"""An organisation in moto, and commands that scan it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest

from answerable.cli.main import main
from answerable.connectors.aws_resources.service_scans import SERVICE_SCANS
from tests.connectors.aws_org.proxy import Proxy, serve

REGION = "us-east-1"
ROLE = "AnswerableRead"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "123456789012"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
DENY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}],
    }
)
MANAGEMENT = "123456789012"  # moto's own account


@pytest.fixture
def proxy(fresh: str) -> Iterator[Proxy]:
    with serve(fresh) as state:
        yield state


def client(endpoint: str, service: str, account: str = "") -> "boto3.client":
    """Make a client of one of the accounts."""
    keys = {}
    if account:
        sts = boto3.client("sts", REGION, endpoint_url=endpoint)
        role = f"arn:aws:iam::{account}:role/{ROLE}"
        given = sts.assume_role(RoleArn=role, RoleSessionName="build")["Credentials"]
        keys = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
    return boto3.client(service, REGION, endpoint_url=endpoint, **keys)


@pytest.fixture
def organization(fresh: str) -> list[str]:
    """Four accounts: the management account, and three in a unit below the root.

    Returns:
        Their numbers, the management account first.
    """
    return build(fresh, 3)


def build(endpoint: str, count: int) -> list[str]:
    """Make an organisation with so many member accounts, each with a role or two."""
    org = client(endpoint, "organizations")
    org.create_organization(FeatureSet="ALL")
    (root,) = org.list_roots()["Roots"]
    org.enable_policy_type(RootId=root["Id"], PolicyType="SERVICE_CONTROL_POLICY")
    unit = org.create_organizational_unit(ParentId=root["Id"], Name="work")
    unit_id = unit["OrganizationalUnit"]["Id"]
    policy = org.create_policy(
        Name="no-deletes", Description="", Type="SERVICE_CONTROL_POLICY", Content=DENY
    )["Policy"]["PolicySummary"]
    org.attach_policy(PolicyId=policy["Id"], TargetId=unit_id)
    accounts = []
    for number in range(count):
        made = org.create_account(
            Email=f"a{number}@corp.example", AccountName=f"work-{number}"
        )
        account = made["CreateAccountStatus"]["AccountId"]
        org.move_account(
            AccountId=account,
            SourceParentId=root["Id"],
            DestinationParentId=unit_id,
        )
        fill(endpoint, account)
        accounts.append(account)
    return [MANAGEMENT, *accounts]


def fill(endpoint: str, account: str) -> None:
    iam = client(endpoint, "iam", account)
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=TRUST)
    iam.create_role(RoleName="exporter", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(
        RoleName="exporter",
        PolicyName="all",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
            }
        ),
    )
    client(endpoint, "sqs", account).create_queue(QueueName=f"jobs-{account}")


@pytest.fixture(autouse=True)
def freed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the collections after an account's session, which take long in tests.

    Each would look at the models of every AWS service that the process has loaded.
    """
    calls: list[str] = []
    collector = SimpleNamespace(collect=lambda: calls.append("collect"))
    monkeypatch.setattr("answerable.connectors.aws_session.gc", collector)
    return calls


@pytest.fixture
def few_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for queues alone: the other services have tests of their own."""
    (queues,) = (ask for ask in SERVICE_SCANS if ask.__name__ == "_scan_sqs_queues")
    monkeypatch.setattr(
        "answerable.connectors.aws_resources.live_scan.SERVICE_SCANS", (queues,)
    )


@dataclass(frozen=True)
class Answer:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, list[dict[str, object]]]:
        found: dict[str, list[dict[str, object]]] = json.loads(self.out)
        return found


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command on a store of one's own, as a user types it."""

    def _run(*words: str) -> Answer:
        capsys.readouterr()
        code = main(["--store", f"{tmp_path}/store", "-o", "json", *words])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return _run
