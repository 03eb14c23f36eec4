"""A live scan tells the same as the files of the same account."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from answerable.connectors.aws import fetch
from answerable.connectors.aws_keys import fetch as keys_fetch
from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import SightedFacts, Sync

NOW = 1_790_000_000_000_000_000
BEDROCK = {"Service": "bedrock.amazonaws.com"}


def document(effect: str = "Allow", **elements: object) -> str:
    statement = {"Effect": effect, **elements}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.fixture
def aws(fresh: str) -> "boto3.client":
    return boto3.client("iam", region_name="us-east-1", endpoint_url=fresh)


def build(iam: "boto3.client") -> None:
    """Make an account with everything in it that a scan can see."""
    edge = iam.create_policy(
        PolicyName="edge",
        PolicyDocument=document(Action=["s3:*"], Resource="*"),
    )["Policy"]["Arn"]
    iam.create_group(GroupName="readers")
    iam.put_group_policy(
        GroupName="readers",
        PolicyName="look",
        PolicyDocument=document(Action="s3:ListBucket", Resource="arn:aws:s3:::lake"),
    )
    iam.attach_group_policy(GroupName="readers", PolicyArn=edge)
    for name in ("etl", "plain"):
        owner = [{"Key": "Owner", "Value": "ana@corp.example"}]
        iam.create_user(UserName=name, PermissionsBoundary=edge, Tags=owner)
        iam.create_access_key(UserName=name)
    iam.create_access_key(UserName="etl")
    iam.add_user_to_group(UserName="etl", GroupName="readers")
    iam.put_user_policy(
        UserName="etl",
        PolicyName="inline",
        PolicyDocument=document(Action="sts:AssumeRole", Resource="*"),
    )
    iam.create_role(
        RoleName="support",
        AssumeRolePolicyDocument=document(Principal=BEDROCK, Action="sts:AssumeRole"),
        Tags=[{"Key": "Team", "Value": "care"}],
    )
    iam.attach_role_policy(RoleName="support", PolicyArn=edge)


def dump(iam: "boto3.client", folder: Path) -> tuple[Path, Path]:
    """Collect the account's files as docs/aws.md says."""
    details, keys = folder / "details.json", folder / "keys.json"
    details.write_text(_printed(iam.get_account_authorization_details()))
    users = iam.list_users()["Users"]
    answers = [iam.list_access_keys(UserName=user["UserName"]) for user in users]
    keys.write_text("\n".join(_printed(answer) for answer in answers))
    return details, keys


def _printed(answer: dict[str, object]) -> str:
    kept = {k: v for k, v in answer.items() if k != "ResponseMetadata"}
    return json.dumps(kept, default=lambda value: value.isoformat(), indent=4)


def unseen(facts: SightedFacts) -> dict[str, list[str]]:
    """Facts without their provenance, sorted."""
    return {
        name: sorted(
            repr({f: getattr(fact, f) for f in fact.__slots__ if f != "seen"})
            for fact in getattr(facts, name)
        )
        for name in facts.__slots__
    }


def joined(*syncs: Sync) -> dict[str, object]:
    """What the inventory says of these sources, without where it was seen."""
    inventory = join_syncs_into_inventory(
        [(sync.source, sync) for sync in syncs], now=NOW
    )
    return {
        "facts": unseen(inventory.facts),
        "proves": {c.id: (c.identity, c.how) for c in inventory.credentials.values()},
        "agents": {a.agent.id: a.identities for a in inventory.agents.values()},
        "owners": {
            subject: (owner.state, owner.person, owner.score)
            for subject, owner in inventory.owners.items()
        },
    }


def live(endpoint: str, context: SyncContext) -> Sync:
    return fetch.sync("", replace(context, endpoint_url=endpoint))


def test_a_live_scan_gives_the_facts_of_the_dump_and_the_key_list(
    aws: "boto3.client", endpoint: str, tmp_path: Path, context: SyncContext
) -> None:
    build(aws)
    details, keys = dump(aws, tmp_path)
    from_file = fetch.sync(str(details), context)
    from_keys = keys_fetch.sync(str(keys), context)
    both = replace(
        from_file.facts,
        credentials=from_keys.facts.credentials,
        links=from_keys.facts.links,
    )
    scanned = live(endpoint, context)
    assert scanned.problems == from_file.problems == from_keys.problems == ()
    assert unseen(scanned.facts) == unseen(both)
    assert len(scanned.facts.credentials) == 3
    assert len(scanned.facts.agents) == 1


def test_the_inventory_of_a_live_scan_is_that_of_the_files(
    aws: "boto3.client", endpoint: str, tmp_path: Path, context: SyncContext
) -> None:
    build(aws)
    aws.create_user(UserName="deep", Path="/team/data/")
    aws.create_access_key(UserName="deep")
    details, keys = dump(aws, tmp_path)
    files = (
        fetch.sync(str(details), context),
        keys_fetch.sync(str(keys), context),
    )
    scanned = joined(live(endpoint, context))
    assert scanned == joined(*files)
    deep = "arn:aws:iam::123456789012:user/team/data/deep"
    assert (deep, "list-access-keys") in dict(scanned["proves"]).values()  # type: ignore[call-overload] - built above


def test_a_user_with_a_path_is_linked_by_its_true_arn_live(
    aws: "boto3.client", endpoint: str, tmp_path: Path, context: SyncContext
) -> None:
    aws.create_user(UserName="deep", Path="/team/data/")
    aws.create_access_key(UserName="deep")
    _, keys = dump(aws, tmp_path)
    (alive,) = live(endpoint, context).facts.links
    (filed,) = keys_fetch.sync(str(keys), context).facts.links
    assert alive.identity == "arn:aws:iam::123456789012:user/team/data/deep"
    assert filed.identity == "arn:aws:iam::123456789012:user/deep"
    assert (alive.credential, alive.how) == (filed.credential, filed.how)


def test_a_live_scan_says_what_it_collected(
    aws: "boto3.client", endpoint: str, context: SyncContext
) -> None:
    aws.create_account_alias(AccountAlias="corp-prod")
    scanned = live(endpoint, context)
    assert scanned.source == "aws:123456789012 (live)"
    assert {"identity-policies", "access-keys", "last-used"} <= set(scanned.collected)
    assert "scp" in scanned.not_collected
    assert [(a.id, a.name) for a in scanned.facts.accounts] == [
        ("123456789012", "corp-prod")
    ]


def test_without_credentials_the_scan_is_refused_with_a_next_step(
    endpoint: str, context: SyncContext
) -> None:
    with pytest.raises(EnvironmentFailure, match="no AWS credentials") as caught:
        live(endpoint, context)
    assert "AWS_PROFILE" in caught.value.hint


def test_an_unknown_profile_is_a_usage_error(context: SyncContext) -> None:
    with pytest.raises(UsageError, match="'nobody'"):
        fetch.sync("", replace(context, profile="nobody"))


@pytest.mark.usefixtures("aws")
def test_an_endpoint_that_is_no_url_is_a_usage_error(context: SyncContext) -> None:
    with pytest.raises(UsageError, match="not a URL"):
        live("nonsense", context)


@pytest.mark.usefixtures("aws")
def test_an_endpoint_where_nobody_listens_is_refused(
    context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(EnvironmentFailure, match="the request to AWS failed"):
        live("http://127.0.0.1:9", context)


def test_without_boto3_the_scan_says_what_to_install(
    context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    for name in (
        "answerable.connectors.aws.live_scan",
        "answerable.connectors.aws_errors",
        "answerable.connectors.aws_session",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(EnvironmentFailure, match="boto3") as caught:
        fetch.sync("", context)
    assert caught.value.hint == "pip install 'answerable[aws]'"


def test_a_file_is_read_without_importing_boto3(data: Path) -> None:
    code = (
        "import sys\n"
        "from answerable.connectors.aws import fetch\n"
        "from answerable.model.connector import SyncContext\n"
        f"fetch.sync({str(data / 'account.json')!r}, SyncContext(1, str))\n"
        "assert 'boto3' not in sys.modules and 'botocore' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
