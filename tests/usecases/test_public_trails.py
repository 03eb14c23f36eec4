"""Least privilege on public trails: trailscraper's events and the Invictus trail.

Facts of trailscraper's published tests (flosell/trailscraper, Apache-2.0:
`tests/cloudtrail/record_test.py`, `tests/integration/cli_generate_policy_test.py`) are
written here; the trails are no part of the project, and their tests are skipped without.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from tests.usecases.cloud_trail import ROLE, build_record, write_trail

PLACES = [each / "shared/data/cloud-audit" for each in Path(__file__).parents]
DATA = next((each for each in PLACES if each.is_dir()), PLACES[0])
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the data is not here")
Capture = pytest.CaptureFixture[str]
HELD = {"subset-of-today": "holds", "observed-still-allowed": "holds"}
# Calls as CloudTrail names them, and the action that trailscraper expects.
EXPECTED = {
    "autoscaling:DescribeLaunchConfigurations": "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeAutoScalingGroups": "autoscaling:DescribeAutoScalingGroups",
    "lambda:ListVersionsByFunction20150331": "lambda:ListVersionsByFunction",
    "lambda:GetFunctionConfiguration20150331v2": "lambda:GetFunctionConfiguration",
    "cloudfront:UpdateDistribution2016_11_25": "cloudfront:UpdateDistribution",
    "monitoring:DescribeAlarms": "cloudwatch:DescribeAlarms",
    "sts:AssumeRole": "sts:AssumeRole",
}
ASSUMED = "arn:aws:iam::111111111111:role/someRole"


def derive(store: Path, identity: str, capsys: Capture) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    words = ["least-privilege", identity, "--since", "2010-01-01", "-o", "json"]
    code = main(["--store", str(store), *words])
    (item,) = json.loads(capsys.readouterr().out)["items"]
    return code, item


def list_grants(item: dict[str, Any]) -> dict[str, list[str]]:
    """Return the resources of each allowed action."""
    found: dict[str, list[str]] = defaultdict(list)
    for policy in item["policies"]:
        for each in json.loads(policy["text"])["Statement"]:
            actions, names = each["Action"], each["Resource"]
            for action in [actions] if isinstance(actions, str) else actions:
                found[action] += [names] if isinstance(names, str) else names
    return found


def test_calls_have_the_actions_that_trailscraper_expects(
    tmp_path: Path, capsys: Capture
) -> None:
    records = [
        build_record(n, name, *([ASSUMED] if name == "sts:AssumeRole" else []))
        for n, name in enumerate(EXPECTED)
    ]
    trail = write_trail(tmp_path / "trail", records)
    store = tmp_path / "store"
    assert main(["--store", str(store), "ingest", f"cloudtrail:{trail}", "-q"]) == 0
    _, item = derive(store, ROLE, capsys)
    assert {each["action"] for each in item["actions"]} == set(EXPECTED.values())
    grants = list_grants(item)
    assert grants["autoscaling:DescribeLaunchConfigurations"] == ["*"]
    assert grants["sts:AssumeRole"] == [ASSUMED]


@needs_data
def test_the_events_of_trailscraper_give_its_policy(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = DATA / "trailscraper/tests/cloudtrail/data"
    store = tmp_path / "store"
    assert main(["--store", str(store), "ingest", f"cloudtrail:{folder}", "-q"]) == 0
    _, item = derive(store, ASSUMED, capsys)
    assert list_grants(item) == {"autoscaling:DescribeLaunchConfigurations": ["*"]}


def write_administrators(file: Path, records: list[dict[str, Any]]) -> list[str]:
    """Write an account whose roles and users of a trail may do anything; return them."""
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    own = [{"PolicyName": "own", "PolicyDocument": everything}]
    found: dict[str, dict[str, object]] = {}
    for each in records:
        who = each["userIdentity"]
        issuer = who.get("sessionContext", {}).get("sessionIssuer", {})
        arn = issuer.get("arn") or who.get("arn") or ""
        is_call = each["eventType"] == "AwsApiCall" and "errorCode" not in each
        if not is_call or not (":role/" in arn or ":user/" in arn):
            continue
        kind = "Role" if ":role/" in arn else "User"
        path, _, name = arn.partition(f":{kind.lower()}")[2].rpartition("/")
        common = {f"{kind}Name": name, "Path": f"{path}/", "Arn": arn}
        common[f"{kind}Id"] = f"A{'ROA' if kind == 'Role' else 'IDA'}X{len(found):016}"
        more = {f"{kind}PolicyList": own, "AttachedManagedPolicies": []}
        if kind == "Role":
            trust = json.loads(json.dumps(everything))
            (statement,) = trust["Statement"]
            del statement["Resource"]
            statement.update(
                Action="sts:AssumeRole", Principal={"Service": "ec2.amazonaws.com"}
            )
            more |= {"AssumeRolePolicyDocument": trust, "InstanceProfileList": []}
        else:
            more |= {"GroupList": []}
        found[arn] = {**common, "CreateDate": "2023-01-01T00:00:00Z", **more}
    details = {
        f"{kind}DetailList": [v for k, v in found.items() if f":{kind.lower()}/" in k]
        for kind in ("Role", "User")
    }
    file.write_text(json.dumps({**details, "GroupDetailList": [], "Policies": []}))
    return sorted(found)


@needs_data
@pytest.mark.bench
def test_least_privilege_of_each_principal_of_invictus_allows_all_its_calls(
    tmp_path: Path, capsys: Capture
) -> None:
    """Each principal may do anything today; the factor is granted over kept actions."""
    folder = DATA / "aws-invictus/CloudTrail"
    records = [
        record
        for path in sorted(folder.iterdir())
        for record in json.loads(path.read_text())["Records"]
    ]
    principals = write_administrators(tmp_path / "account.json", records)
    store = tmp_path / "store"
    assert main(["--store", str(store), "ingest", f"cloudtrail:{folder}", "-q"]) == 0
    account = f"aws:{tmp_path / 'account.json'}"
    assert main(["--store", str(store), "scan", account, "-q"]) == 0
    lines = []
    for arn in principals:
        code, item = derive(store, arn, capsys)
        proofs = {each["proof"]: each["verdict"] for each in item["proofs"]}
        assert (code, proofs) == (0, HELD), (arn, item["proofs"], item["refusals"])
        states = {each["state"] for each in item["actions"]}
        assert states <= {"kept", "no-action"}, arn
        factor = item["granted"] / max(1, item["kept"])
        lines.append(
            f"{arn}: {item['granted']} -> {item['kept']} ({factor:,.0f} times)"
        )
    with capsys.disabled():
        print("", *lines, sep="\n")
    assert len(principals) >= 6
