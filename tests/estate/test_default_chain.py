"""With nothing stated a tool acts with the default chain; a stated choice decides alone."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.estate.seven import Ask

KEY = "AKIA6EQNFXABYWZ6AAVW"
ROLE = "arn:aws:iam::123456789012:role/deployer"
SSO = (
    "[profile admin]\nsso_session = corp\nsso_account_id = 210987654321\n"
    "sso_role_name = AdministratorAccess\n"
    "[sso-session corp]\nsso_start_url = https://corp.awsapps.example/start\n"
)
DEFAULT_ROLE = f"[default]\nrole_arn = {ROLE}\nsource_profile = base\n"
BASE = f"[base]\naws_access_key_id = {KEY}\naws_secret_access_key = x\n"
SERVER = {"command": "some-server"}
KUBECONFIG = json.dumps(
    {
        "current-context": "prod",
        "contexts": [
            {"name": "dev", "context": {"cluster": "dev", "user": "ana"}},
            {"name": "prod", "context": {"cluster": "prod", "user": "ana-prod"}},
        ],
        "users": [
            {"name": "ana", "user": {"token": "dev-token-000000"}},
            {"name": "ana-prod", "user": {"exec": {"command": "aws"}}},
        ],
    }
)
GH = "github.com:\n    users:\n        ana-dev:\n        ana-work:\n    user: ana-dev\n"


def write(home: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return home


@pytest.fixture
def acts_as(tmp_path: Path, ask: Ask) -> Any:
    def run(files: dict[str, object], **servers: dict[str, object]) -> dict[str, Any]:
        config = {"mcpServers": servers or {"local": SERVER}}
        home = write(tmp_path / "ana", {".cursor/mcp.json": config, **files})
        store = tmp_path / "store"
        ask(store, "scan", f"home:{home}")
        return {i["server"]: i["identities"] for i in ask(store, "tools").items}

    return run


@pytest.mark.parametrize(
    ("files", "identities"),
    [
        ({".aws/config": SSO}, []),
        ({".aws/config": SSO + DEFAULT_ROLE, ".aws/credentials": BASE}, [ROLE]),
        (
            {".aws/config": SSO.replace("profile admin", "default")},
            ["aws-sso:210987654321/AdministratorAccess"],
        ),
        # IAM Identity Center comes before keys, keys before credential_process.
        (
            {
                ".aws/config": SSO.replace("profile admin", "default"),
                ".aws/credentials": BASE.replace("base", "default"),
            },
            ["aws-sso:210987654321/AdministratorAccess"],
        ),
        (
            {
                ".aws/config": "[default]\ncredential_process = fetch-key\n",
                ".aws/credentials": BASE.replace("base", "default"),
            },
            [],
        ),
        (
            {".aws/config": "[default]\ncredential_process = fetch-key\n"},
            ["aws-profile:ana/default"],
        ),
        (
            {
                ".aws/config": "[default]\ncredential_process = aws_signing_helper "
                f"credential-process --role-arn {ROLE}\n"
            },
            [ROLE],
        ),
        ({".kube/config": KUBECONFIG}, ["k8s:prod/user/ana-prod"]),
        ({".config/gh/hosts.yml": GH}, ["github:user/ana-dev"]),
        (
            {
                ".config/gcloud/active_config": "work",
                ".config/gcloud/configurations/config_default": "[core]\n"
                "account = ana@home.example\n",
                ".config/gcloud/configurations/config_work": "[core]\n"
                "account = ana@corp.example\n",
            },
            ["user:ana@corp.example"],
        ),
    ],
)
def test_with_nothing_stated_the_default_chain_decides(
    acts_as: Any, files: dict[str, object], identities: list[str]
) -> None:
    assert acts_as(files)["local"] == identities


def test_a_profile_named_in_the_environment_decides_alone(acts_as: Any) -> None:
    found = acts_as(
        {".aws/config": SSO + DEFAULT_ROLE},
        named={**SERVER, "env": {"AWS_PROFILE": "admin"}},
        local=SERVER,
    )
    assert found["named"] == ["aws-sso:210987654321/AdministratorAccess"]
    assert found["local"] == [ROLE]


def test_every_identity_that_an_agent_names_is_listed_and_has_an_owner(
    tmp_path: Path, ask: Ask
) -> None:
    cached = {"accessToken": "a" * 40, "startUrl": "https://corp.awsapps.example/start"}
    home = write(
        tmp_path / "ana",
        {
            ".cursor/mcp.json": {"mcpServers": {"local": SERVER}},
            ".aws/config": SSO + DEFAULT_ROLE,
            ".aws/sso/cache/1f.json": cached,
            ".kube/config": KUBECONFIG,
            ".config/gh/hosts.yml": GH,
        },
    )
    store = tmp_path / "store"
    ask(store, "scan", f"home:{home}")
    listed = {item["id"]: item for item in ask(store, "identities").items}
    (agent,) = ask(store, "agents").items
    (local,) = (tool for tool in agent["tools"] if tool["server"] == "local")
    default = {ROLE, "k8s:prod/user/ana-prod", "github:user/ana-dev"}
    assert set(local["identities"]) == default
    # A shell can name every login of the home.
    assert set(agent["identities"]) == set(listed)
    assert {key: item["kind"] for key, item in listed.items()} == {
        ROLE: "aws-role",
        "aws-sso:210987654321/AdministratorAccess": "aws-permission-set",
        "aws-sso:corp.awsapps.example": "aws-sso-session",
        "github:user/ana-dev": "github-user",
        "github:user/ana-work": "github-user",
        "k8s:dev/user/ana": "k8s-user",
        "k8s:prod/user/ana-prod": "k8s-user",
    }
    for identity in listed:
        assert ask(store, "who-owns", identity).items[0]["id"] == identity


def test_a_permission_set_is_its_role_once_the_account_was_scanned(
    tmp_path: Path, ask: Ask
) -> None:
    reserved = (
        "arn:aws:iam::210987654321:role/aws-reserved/sso.amazonaws.com/eu-central-1/"
        "AWSReservedSSO_AdministratorAccess_0123456789abcdef"
    )
    account = {
        "RoleDetailList": [
            {
                "Path": "/aws-reserved/sso.amazonaws.com/eu-central-1/",
                "RoleName": reserved.rpartition("/")[2],
                "RoleId": "AROA6EQNFXABYWZ6AAVW",
                "Arn": reserved,
                "CreateDate": "2026-01-10T09:00:00Z",
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
                "InstanceProfileList": [],
                "RolePolicyList": [],
                "AttachedManagedPolicies": [],
                "Tags": [],
            }
        ],
        "UserDetailList": [],
        "GroupDetailList": [],
        "Policies": [],
    }
    dump = tmp_path / "account.json"
    dump.write_text(json.dumps(account))
    home = write(
        tmp_path / "ana",
        {
            ".cursor/mcp.json": {"mcpServers": {"local": SERVER}},
            ".aws/config": SSO.replace("profile admin", "default"),
        },
    )
    store = tmp_path / "store"
    ask(store, "scan", f"home:{home}", f"aws:{dump}")
    (agent,) = ask(store, "agents").items
    assert agent["identities"] == [reserved]
    assert [item["id"] for item in ask(store, "identities").items] == [reserved]


@pytest.mark.parametrize(
    ("entry", "identities"),
    [
        (
            {"command": "aws-mcp", "args": ["--profile", "admin"]},
            ["aws-sso:210987654321/AdministratorAccess"],
        ),
        (
            {
                "command": "server",
                "args": ["--profile=admin"],
                "env": {"AWS_PROFILE": "default"},
            },
            ["aws-sso:210987654321/AdministratorAccess"],
        ),
        (
            {"command": "kubectl-mcp", "args": ["--context", "dev"]},
            ["k8s:dev/user/ana"],
        ),
        # A profile of something else chooses nothing here.
        (
            {"command": "browser", "args": ["--profile", "work"]},
            [ROLE, "k8s:prod/user/ana-prod"],
        ),
        (
            {
                "command": "bigquery",
                "env": {"GOOGLE_APPLICATION_CREDENTIALS": "~/keys/etl.json"},
            },
            ["etl@corp-data.iam.gserviceaccount.com"],
        ),
        (
            {
                "command": "bigquery",
                "env": {
                    "GOOGLE_APPLICATION_CREDENTIALS": r"%USERPROFILE%\keys\etl.json"
                },
            },
            ["etl@corp-data.iam.gserviceaccount.com"],
        ),
    ],
)
def test_what_the_entry_states_decides_alone(
    acts_as: Any, entry: dict[str, object], identities: list[str]
) -> None:
    files: dict[str, object] = {
        ".aws/config": SSO + DEFAULT_ROLE,
        ".kube/config": KUBECONFIG,
        "keys/etl.json": {
            "type": "service_account",
            "project_id": "corp-data",
            "client_email": "etl@corp-data.iam.gserviceaccount.com",
            "private_key": "-----BEGIN PRIVATE KEY-----\nMIIEvgCANARYkey\n",
        },
    }
    assert acts_as(files, entry=entry)["entry"] == identities


def test_the_name_of_a_variable_is_no_secret(tmp_path: Path, ask: Ask) -> None:
    home = write(
        tmp_path / "ana",
        {
            ".codex/config.toml": '[model_providers.corp]\nenv_key = "CORP_API_KEY"\n'
            'env_key_instructions = "ask the platform team"\n',
            ".cursor/mcp.json": {
                "mcpServers": {"a": {**SERVER, "apiKeyEnvVar": "OTHER_TOKEN"}}
            },
        },
    )
    store = tmp_path / "store"
    ask(store, "scan", f"home:{home}")
    found = {
        item["places"][0]["name"]: (item["class"], item["hint"])
        for item in ask(store, "credentials").items
    }
    assert found == {"CORP_API_KEY": ("env-ref", ""), "OTHER_TOKEN": ("env-ref", "")}


@pytest.mark.parametrize(
    ("inputs", "identity"),
    [
        (
            "service_account: ci@corp-data.iam.gserviceaccount.com",
            "ci@corp-data.iam.gserviceaccount.com",
        ),
        (
            "project_id: corp-data",
            "principalSet://iam.googleapis.com/projects/123/locations/global/"
            "workloadIdentityPools/github/*",
        ),
    ],
)
def test_a_workflow_signs_in_as_a_google_identity(
    tmp_path: Path, ask: Ask, inputs: str, identity: str
) -> None:
    repo = write(
        tmp_path / "shop",
        {
            ".github/workflows/agent.yml": "on: push\n"
            "permissions: {id-token: write}\njobs:\n  fix:\n    steps:\n"
            "      - uses: google-github-actions/auth@v3\n        with:\n"
            "          workload_identity_provider: projects/123/locations/global/"
            "workloadIdentityPools/github/providers/main\n"
            f"          {inputs}\n"
            "      - uses: anthropics/claude-code-action@v1\n"
        },
    )
    store = tmp_path / "store"
    ask(store, "scan", f"repo:{repo}")
    (agent,) = ask(store, "agents").items
    assert agent["identities"] == [identity]
    assert [item["id"] for item in ask(store, "identities").items] == [identity]


def _jwt(claims: dict[str, object]) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{body}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("files", "identities"),
    [
        (
            {
                ".kube/config": KUBECONFIG.replace(
                    '{"exec": {"command": "aws"}}',
                    json.dumps(
                        {"token": _jwt({"sub": "system:serviceaccount:ops:bot"})}
                    ),
                )
            },
            ["k8s:prod/ops/serviceaccount/bot"],
        ),
        (
            {
                ".azure/azureProfile.json": {
                    "subscriptions": [
                        {"user": {"name": "b@corp.example", "type": "user"}},
                        {
                            "isDefault": True,
                            "user": {"name": "a@corp.example", "type": "user"},
                        },
                    ]
                }
            },
            ["entra:user/a@corp.example"],
        ),
        (
            {
                ".config/gcloud/application_default_credentials.json": {
                    "type": "external_account",
                    "audience": "//iam.googleapis.com/projects/7/locations/global/"
                    "workloadIdentityPools/p/providers/x",
                }
            },
            [
                "principalSet://iam.googleapis.com/projects/7/locations/global/"
                "workloadIdentityPools/p/*"
            ],
        ),
    ],
)
def test_a_login_is_an_identity_of_its_platform(
    acts_as: Any, files: dict[str, object], identities: list[str]
) -> None:
    assert acts_as(files)["local"] == identities


def test_a_cached_sign_in_says_when_it_ends(tmp_path: Path, ask: Ask) -> None:
    cached = {
        "accessToken": "CANARYtoken0123456789",
        "startUrl": "https://corp.awsapps.example/start",
        "expiresAt": "2026-01-02T03:04:05UTC",
        "clientSecret": "CANARYsecret0123456789",
    }
    home = write(tmp_path / "ana", {".aws/sso/cache/1f.json": cached})
    ask(tmp_path / "store", "scan", f"home:{home}")
    found = ask(tmp_path / "store", "credentials")
    (item,) = found.items
    assert (item["kind"], item["expires_at"]) == ("sso-token", "2026-01-02T03:04:05Z")
    assert item["identity"] == "aws-sso:corp.awsapps.example"
    assert "CANARY" not in found.out
