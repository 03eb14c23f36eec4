"""`plan` on 50 generated static keys of all kinds: proofs, trust rules, Terraform, status.

The Terraform is parsed by a foreign parser (python-hcl2), converted to a plan as
`terraform show -json` prints it, and evaluated by `diff`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.cli.sample.fake_access_keys import (
    make_access_key_id,
    make_fake_secret,
)
from answerable.connectors.formats.terraform_plan import NO_ACCOUNT
from answerable.services.posture.compared_sides import build_side_context, open_side
from answerable.usecases.reach.permissions import list_subject_permissions
from tests.usecases.cloud_trail import ACCOUNT, build_record, write_trail
from tests.usecases.other_platform_keys import (
    CLUSTER,
    build_token,
    write_cluster,
    write_google_cloud,
)

HOME, WORKFLOW, ELSEWHERE = "home", "workflow", "elsewhere"
AWS = {HOME: 10, WORKFLOW: 10, ELSEWHERE: 10}
GITHUB, KUBERNETES, ENTRA, GCP = 5, 5, 5, 5
ISSUER, SUBJECT, UID = "sts.corp.example", "agent:declared/deploy", 1500
SILENT_USERS = frozenset((f"{ELSEWHERE}-3", f"{HOME}-4"))
REPLACEMENTS = {
    HOME: "sign-in of the person (IAM Identity Center or aws login)",
    WORKFLOW: "OIDC of GitHub Actions",
    ELSEWHERE: "the token service of answerable, as an OIDC provider",
}
Item = dict[str, Any]
Capture = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Keys:
    """Store with 50 static keys, and the answers of `plan` and `plan status`."""

    store: tuple[str, ...]
    root: Path
    items: Mapping[str, Item]
    status: Mapping[str, Item]
    code: int

    def of(self, kind: str) -> Iterator[tuple[str, Item]]:
        """Yield users of AWS keys of a kind, with the plan of the key."""
        for number in range(AWS[kind]):
            user = f"{kind}-{number}"
            yield user, self.items[f"cred:aws/{make_access_key_id(ACCOUNT, user)}"]


def arn(user: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{user}"


def list_users() -> list[str]:
    return [f"{kind}-{n}" for kind, count in AWS.items() for n in range(count)]


def list_accounts() -> list[str]:
    return [f"u{number}" for number in range(KUBERNETES)]


def used_resources(user: str) -> dict[str, str]:
    """Calls of a user, by action."""
    return {
        "s3:GetObject": f"arn:aws:s3:::in-{user}/a",
        "sqs:SendMessage": f"arn:aws:sqs:eu-central-1:{ACCOUNT}:{user}",
    }


def write_account(root: Path) -> None:
    wide = {
        "PolicyName": "own",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["s3:*", "sqs:*"], "Resource": "*"}
            ],
        },
    }
    users = [
        {
            "Path": "/",
            "UserName": user,
            "UserId": f"AIDAEXAMPLEEXAMPLE{number:03}",
            "Arn": arn(user),
            "CreateDate": "2026-01-01T00:00:00Z",
            "UserPolicyList": [wide],
            "GroupList": [],
            "AttachedManagedPolicies": [],
        }
        for number, user in enumerate(list_users())
    ]
    details = {"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": []}
    (root / "account.json").write_text(json.dumps({**details, "Policies": []}))
    keys = [
        {
            "UserName": user,
            "AccessKeyId": make_access_key_id(ACCOUNT, user),
            "Status": "Active",
            "CreateDate": "2026-01-01T00:00:00Z",
            "AccessKeyLastUsed": {
                "LastUsedDate": (
                    datetime.now(UTC) - timedelta(days=first_day(user))
                ).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "ServiceName": "s3",
                "Region": "eu-central-1",
            },
        }
        for user in list_users()
    ]
    (root / "keys.json").write_text(json.dumps({"AccessKeyMetadata": keys}))


def first_day(user: str) -> float:
    """Days since the last call of a user; the silent ones stopped 20 days ago."""
    return 20.0 if user in SILENT_USERS else 0.2


def write_log(root: Path) -> None:
    records = []
    for number, user in enumerate(list_users()):
        for step in range(3):
            for at, (name, resource) in enumerate(used_resources(user).items()):
                record = build_record(
                    number * 10 + step * 2 + at,
                    name,
                    resource,
                    days=first_day(user) + step,
                )
                record["userIdentity"] = {
                    "type": "IAMUser",
                    "principalId": f"AIDAEXAMPLEEXAMPLE{number:03}",
                    "arn": arn(user),
                    "accountId": ACCOUNT,
                    "accessKeyId": make_access_key_id(ACCOUNT, user),
                    "userName": user,
                }
                records.append(record)
    write_trail(root / "trail", records)


def write_places(root: Path) -> None:
    """Write the home of a person and a checkout with the keys."""
    home, flows = root / "ana", root / "repo/.github/workflows"
    for folder in (home / ".aws", home / ".kube", flows, root / "repo/.git"):
        folder.mkdir(parents=True)
    profiles = (
        f"[p{n}]\naws_access_key_id = {make_access_key_id(ACCOUNT, f'{HOME}-{n}')}\n"
        f"aws_secret_access_key = {make_fake_secret(f'aws-{n}')}\n"
        for n in range(AWS[HOME])
    )
    (home / ".aws/credentials").write_text("".join(profiles))
    for number in range(AWS[WORKFLOW]):
        key = make_access_key_id(ACCOUNT, f"{WORKFLOW}-{number}")
        (flows / f"w{number}.yml").write_text(
            "on: push\njobs:\n  fix:\n    runs-on: ubuntu-latest\n    env:\n"
            f"      AWS_ACCESS_KEY_ID: {key}\n"
            f"    steps:\n      - uses: anthropics/claude-code-action@v1\n"
        )
    servers: dict[str, object] = {}
    for number in range(GITHUB):
        token = "ghp_" + (make_fake_secret(f"pat-{number}") * 2).replace("/", "a")[:36]
        token = re.sub("[^A-Za-z0-9_]", "b", token)
        servers[f"git{number}"] = {"command": "g", "env": {"GITHUB_TOKEN": token}}
    for number in range(ENTRA):
        secret = make_fake_secret(f"entra-{number}")
        servers[f"az{number}"] = {
            "command": "a",
            "env": {"AZURE_CLIENT_SECRET": secret},
        }
    (home / ".claude.json").write_text(json.dumps({"mcpServers": servers}))
    names = list_accounts()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://k8s.example"}}],
        "contexts": [
            {"name": n, "context": {"cluster": "c", "user": n}} for n in names
        ],
        "users": [{"name": n, "user": {"token": build_token(n)}} for n in names],
    }
    (home / ".kube/config").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    root = tmp_path_factory.mktemp("keys")
    write_account(root)
    write_places(root)
    write_log(root)
    write_google_cloud(root, GCP)
    write_cluster(root, list_accounts())
    store = ("--store", str(root / "store"), "-q")
    sources = (
        f"home:{root / 'ana'}",
        f"repo:{root / 'repo'}",
        f"gcp:{root / 'gcp'}",
        f"k8s:{root / 'cluster'},cluster={CLUSTER}",
    )
    sources += (f"aws:{root / 'account.json'}", f"aws-keys:{root / 'keys.json'}")
    assert main(["scan", *sources, *store]) in (0, 3)
    logs = (
        f"cloudtrail:{root / 'trail'}",
        f"gcp-audit:{root / 'gcp-audit.json'}",
        f"k8s-audit:{root / 'k8s-audit.jsonl'},cluster={CLUSTER}",
    )
    assert main(["ingest", *logs, *store]) == 0
    code, items = plan(
        root, store, "--issuer", ISSUER, "--subject", SUBJECT, f"--uid={UID}"
    )
    _, status = plan(root, store, "status")
    return Keys(store, root, items, status, code)


def plan(
    root: Path, store: tuple[str, ...], *words: str
) -> tuple[int, dict[str, Item]]:
    """Run `plan`; return its exit code and its items by credential."""
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["plan", *words, "-o", "json", *store])
    return code, {
        each["credential"]: each for each in json.loads(out.getvalue())["items"]
    }


def test_each_key_has_the_replacement_of_its_place(keys: Keys) -> None:
    assert len(keys.items) == 50
    for kind, expected in REPLACEMENTS.items():
        assert {item["replaced_by"] for _, item in keys.of(kind)} == {expected}
    others = [
        i["replaced_by"] for i in keys.items.values() if i["kind"] != "aws-access-key"
    ]
    assert {each: others.count(each) for each in others} == {
        "installation token of a GitHub App": GITHUB,
        "exec plugin with short-lived tokens (TokenRequest)": KUBERNETES,
        "federated credential of the application": ENTRA,
        "workload identity pool": GCP,
    }


def test_both_proofs_hold_for_each_key_with_a_log(keys: Keys) -> None:
    for kind in AWS:
        for user, item in keys.of(kind):
            verdicts = {each["proof"]: each["verdict"] for each in item["proofs"]}
            assert verdicts == {
                "subset-of-today": "holds",
                "observed-still-allowed": "holds",
            }, (user, item["proofs"])


def test_both_proofs_hold_for_keys_of_google_cloud_and_kubernetes(keys: Keys) -> None:
    kinds = {"gcp-service-account-key": GCP, "kubeconfig": KUBERNETES}
    for kind, count in kinds.items():
        found = [each for each in keys.items.values() if each["kind"] == kind]
        assert len(found) == count
        for item in found:
            verdicts = {each["proof"]: each["verdict"] for each in item["proofs"]}
            assert verdicts == {
                "subset-of-today": "holds",
                "observed-still-allowed": "holds",
            }, item["proofs"]
            (policy,) = item["policies"]
            assert "*" not in policy["text"]


def test_a_key_whose_identity_no_source_names_has_proofs_that_are_not_known(
    keys: Keys,
) -> None:
    kinds = ("github-token", "azure-client-secret", "env")
    found = [i for i in keys.items.values() if not i["policies"]]
    assert len(found) == GITHUB + ENTRA, {i["kind"] for i in found} - set(kinds)
    for item in found:
        assert {each["verdict"] for each in item["proofs"]} == {"not-known"}
        assert all(each["details"] for each in item["proofs"])
    assert keys.code == 3


def test_each_trust_rule_passes_the_test_of_the_token_service(
    keys: Keys, tmp_path: Path, capsys: Capture
) -> None:
    rules = [each for each in keys.items.values() if each["rule"]]
    assert len(rules) == AWS[ELSEWHERE] + ENTRA + GCP
    for item in rules:
        rule = json.loads(item["rule"])["rules"][0]
        config = tmp_path / "answerable.yaml"
        config.write_text(item["rule"])
        for uid, expected in ((UID, rule["id"]), (UID + 1, "none")):
            claims = tmp_path / "claims.json"
            claims.write_text(json.dumps({"attestor": "unix-peer", "uid": uid}))
            words = ["token-service", "test", "--config", str(config)]
            words += ["--claims", str(claims), "--expect", expected]
            assert main(words) == 0, capsys.readouterr().err
        assert main(["token-service", "rules", "--config", str(config)]) == 0


def test_status_tells_a_silent_key_from_one_in_use(keys: Keys) -> None:
    use = {
        user: keys.status[f"cred:aws/{make_access_key_id(ACCOUNT, user)}"]["use"]
        for user in list_users()
    }
    assert {user for user, state in use.items() if state == "silent"} == SILENT_USERS
    assert set(use.values()) == {"silent", "in-use"}
    others = [i for i in keys.status.values() if i["kind"] != "aws-access-key"]
    by_kind = {(each["kind"], each["use"]) for each in others}
    assert ("gcp-service-account-key", "in-use") in by_kind
    assert {use for kind, use in by_kind if not kind.startswith("gcp")} == {"not-known"}


@pytest.mark.world
def test_the_terraform_parses_and_its_plan_has_the_promised_reach(
    keys: Keys, tmp_path: Path, capsys: Capture
) -> None:
    hcl2 = pytest.importorskip("hcl2")
    words = ["plan", "--terraform", "--issuer", ISSUER, "--subject", SUBJECT]
    capsys.readouterr()
    assert main([*words, *keys.store]) == 3
    parsed = hcl2.loads(capsys.readouterr().out)
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(convert_to_plan(parsed)))
    context = build_side_context(lambda _: None, tmp_path, 1, lambda *_: None)
    planned = open_side(str(file), context, "")
    for kind in (WORKFLOW, ELSEWHERE):
        for user, item in keys.of(kind):
            tail = item["credential"].rpartition("/")[2][-8:].lower()
            role = f"arn:aws:iam::{NO_ACCOUNT}:role/agent-{user}-{tail}"
            found = list_subject_permissions(
                planned.inventory, role, now=2, direct=True
            )
            reached = {(each["action"], each["resource"]) for each in found.items}
            assert reached == set(used_resources(user).items()), user
            # The queue is in another account: a plan's own one is not in the file.
            verdicts = {each["action"]: each["verdict"] for each in found.items}
            assert verdicts == {"s3:GetObject": "always", "sqs:SendMessage": "only-if"}
    capsys.readouterr()
    assert main(["diff", str(file), "-o", "json"]) in (0, 3)
    rows = json.loads(capsys.readouterr().out)["items"]
    trusts = [each for each in rows if each["kind"] == "trust"]
    assert len(trusts) == AWS[WORKFLOW] + AWS[ELSEWHERE]
    assert {each["after"] for each in trusts} == {"only-if"}


def convert_to_plan(parsed: Item) -> Item:
    """Convert parsed HCL to what `terraform show -json` prints of its plan."""
    resources, configured = [], []
    for each in parsed["resource"]:
        ((kind, named),) = each.items()
        ((name, body),) = named.items()
        kind, name = kind.strip('"'), name.strip('"')
        body.pop("__is_block__", None)
        known, unknown = {}, {}
        for key, value in body.items():
            text = value if isinstance(value, str) else ""
            found = re.fullmatch(r"\$\{(aws_\w+\.\w+)\.(\w+)\}", text)
            if found:
                unknown[key] = {"references": [f"{found[1]}.{found[2]}", found[1]]}
            else:
                known[key] = evaluate(text) if text else value
        address = {
            "address": f"{kind}.{name}",
            "mode": "managed",
            "type": kind,
            "name": name,
        }
        resources.append({**address, "values": known})
        configured.append({**address, "expressions": unknown})
    return {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": resources}},
        "configuration": {"root_module": {"resources": configured}},
    }


def evaluate(text: str) -> str:
    """Evaluate a quoted string or a heredoc without expressions."""
    body = text.strip()
    body = body.removeprefix('"').removesuffix('"')
    found = re.fullmatch(r"<<-EOT\n(.*)\n\s*EOT", body, re.DOTALL)
    return (found[1] if found else body).replace("$${", "${").replace("%%{", "%{")
