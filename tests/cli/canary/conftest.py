"""A home, a repository, an account and a trail, full of canaries."""

import base64
import gzip
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.canary import google_files
from tests.cli.canary.templates import DUMP, OBJECTS, WORKFLOW

ACCOUNT = "111122223333"
USER = f"arn:aws:iam::{ACCOUNT}:user/report-bot"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
BUCKET = "arn:aws:s3:::example-customer-data"
PIECE = 8


@dataclass(slots=True)
class Canaries:
    """Makes values that look like secrets, and remembers them."""

    made: dict[str, str] = field(default_factory=dict)

    def __call__(self, name: str, length: int = 40) -> str:
        digest = hashlib.sha512(f"canary {name}".encode()).digest() * 2
        body = base64.b64encode(digest).decode().translate(str.maketrans("+/=", "xyz"))
        self.made[name] = body[:length]
        return self.made[name]

    def pieces(self) -> dict[str, str]:
        """Each piece with the name of the canary it comes from."""
        return {
            value[at : at + PIECE]: name
            for name, value in self.made.items()
            for at in range(len(value) - PIECE + 1)
        }

    def found_in(self, content: bytes) -> set[str]:
        """Name the canaries of which a piece stands in some bytes, in any case."""
        content = content.upper()
        pieces = {p.upper().encode(): name for p, name in self.pieces().items()}
        windows = {content[at : at + PIECE] for at in range(len(content) - PIECE + 1)}
        return {pieces[piece] for piece in windows & pieces.keys()}


def _home(c: Canaries) -> dict[str, str]:
    return {
        ".claude.json": json.dumps(
            {
                "oauthAccount": {"accessToken": c("claude-oauth")},
                "mcpServers": {
                    "db": {
                        "command": "npx",
                        "args": [
                            "db-server",
                            f"postgres://admin:{c('dsn')}@db.example:5432/prod",
                            "--api-key",
                            c("argv-flag"),
                            f"--token={c('argv-equals')}",
                        ],
                        "env": {
                            "DB_PASSWORD": c("env-password"),
                            "SHORT": c("env-short", 10),
                            "AWS_SECRET_ACCESS_KEY": c("env-aws-secret"),
                            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
                        },
                    },
                    "web": {
                        "type": "http",
                        "url": f"https://me:{c('userinfo')}@mcp.example/{c('path')}"
                        f"?api_key={c('query')}#{c('fragment')}",
                        "headers": {
                            "Authorization": f"Bearer {c('header-bearer')}",
                            "Cookie": f"session={c('cookie')}",
                            "X-Api-Key": f"sk-ant-{c('header-key')}",
                        },
                    },
                },
                "projects": {
                    "/srv/shop": {
                        "mcpServers": {
                            "gh": {
                                "command": "docker",
                                "args": ["run", "-e", f"GH=ghp_{c('docker-e')}", "gh"],
                            }
                        }
                    }
                },
            }
        ),
        ".cursor/mcp.json": '{"mcpServers": {"broken": {"env": {"K": "'
        + c("broken-json")
        + '"} !!',
        ".codex/config.toml": f'[mcp_servers.x]\ncommand = "x"\nbearer_token = "{c("toml")}"\n'
        f'[mcp_servers.x.env]\nKEY = "{c("toml-env")}"\n',
        ".config/goose/config.yaml": "extensions:\n  y:\n    cmd: y\n    envs:\n"
        f"      KEY: {c('yaml')}\n    args: ['--password', '{c('yaml-arg')}']\n",
        ".config/opencode/opencode.json": json.dumps(
            {"mcp": {"z": {"type": "local", "environment": {"K": c("opencode")}}}}
        ),
        ".claude/settings.json": json.dumps({"env": {"KEY": c("settings-env")}}),
        ".claude/agents/helper.md": "---\nname: helper\ntools: Bash\n---\n"
        f"Use the key {c('prompt')}.\n",
        ".aws/credentials": "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
        f"aws_secret_access_key = {c('aws-credentials')}\n"
        f"aws_session_token = {c('aws-session')}\n",
        ".aws/config": f"[default]\nrole_arn = {ROLE}\n[profile p]\n"
        f"aws_secret_access_key = {c('aws-config')}\n",
        ".netrc": f"machine git.example login ana password {c('netrc')}\n",
        ".npmrc": f"//registry.example/:_authToken={c('npmrc')}\n",
        ".docker/config.json": json.dumps(
            {"auths": {"r.example": {"auth": c("docker-auth")}}}
        ),
        ".config/gh/hosts.yml": f"github.com:\n  user: ana\n  oauth_token: {c('gh')}\n",
        ".kube/config": json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"user": "u"}}],
                "users": [{"name": "u", "user": {"token": c("kube")}}],
            }
        ),
        ".config/gcloud/application_default_credentials.json": json.dumps(
            {
                "type": "authorized_user",
                "client_secret": c("gcloud-client"),
                "refresh_token": c("gcloud-refresh"),
            }
        ),
        ".azure/msal_token_cache.json": json.dumps({"secret": c("azure")}),
        ".ssh/id_ed25519": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{c('ssh')}\n-----END",
    }


def _repo(c: Canaries) -> dict[str, str]:
    return {
        ".mcp.json": json.dumps(
            {"mcpServers": {"r": {"command": "r", "env": {"K": c("repo-env")}}}}
        ),
        ".vscode/mcp.json": '{"servers": {"v": {"command": "v", "envFile": ".env", '
        '"env": {"K": "'
        + c("vscode-env")
        + '"}}}, // comment '
        + c("jsonc-comment")
        + "\n}",
        ".git/HEAD": "ref: refs/heads/main\n",
        ".git/config": '[remote "origin"]\n\turl = '
        f"https://x-token:{c('remote-token')}@github.com/acme/web.git\n",
        ".env": f"SECRET={c('dotenv')}\nexport TOKEN='{c('dotenv-export')}'\n",
        "CODEOWNERS": "* @ana\n",
        ".github/workflows/agent.yml": "on: issue_comment\njobs:\n  a:\n"
        "    runs-on: ubuntu-latest\n    permissions:\n      id-token: write\n"
        "    steps:\n      - uses: anthropics/claude-code-action@v1\n        with:\n"
        f"          anthropic_api_key: {c('workflow-literal')}\n"
        f"        env:\n          DEPLOY: {c('workflow-env')}\n",
    }


def _account(c: Canaries) -> dict[str, object]:
    allow = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"},
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE},
        ],
    }
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "sts:AssumeRole"}
        ],
    }
    entity = {
        "Path": "/",
        "CreateDate": "2024-01-01T00:00:00Z",
        "AttachedManagedPolicies": [],
    }
    return {
        "UserDetailList": [
            {
                **entity,
                "UserName": "report-bot",
                "UserId": "AIDAIOSFODNN7EXAMPLE",
                "Arn": USER,
                "GroupList": [],
                "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": allow}],
                "LoginProfile": {"Password": c("login-profile")},
            }
        ],
        "GroupDetailList": [],
        "RoleDetailList": [
            {
                **entity,
                "RoleName": "reader",
                "RoleId": "AROAIOSFODNN7EXAMPLE",
                "Arn": ROLE,
                "AssumeRolePolicyDocument": trust,
                "InstanceProfileList": [],
                "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": allow}],
            }
        ],
        "Policies": [],
    }


def _resources(c: Canaries) -> dict[str, object]:
    here = f"eu-west-1:{ACCOUNT}"
    function, topic = f"arn:aws:lambda:{here}:function:f", f"arn:aws:sns:{here}:t"
    allow = {"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "s3:*"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": "*"}]}
    task = f"arn:aws:ecs:{here}:task-definition/t:1"
    error = "An error occurred (AccessDenied) when calling GetBucketPolicy: "
    return {
        "Account": ACCOUNT,
        "Arn": USER,
        "BucketPolicy": {
            "example-customer-data": {"Policy": json.dumps(policy)},
            "other": {"Error": error + c("refusal")},
            "third": {"Error": f"({c('refusal-code')})"},
            "fourth": {"Policy": '{"Statement": ["' + c("broken-policy")},
        },
        "Functions": [
            {
                "FunctionArn": function,
                "Role": ROLE,
                "Environment": {"Variables": {"TOKEN": c("lambda-environment")}},
            }
        ],
        "FunctionPolicy": {function: None},
        "TopicAttributes": {topic: {"Attributes": {"Key": c("topic-attribute")}}},
        "QueueAttributes": {
            f"arn:aws:sqs:{here}:q": {"Attributes": {"Any": c("queue-attribute")}}
        },
        "KeyGrants": {
            f"arn:aws:kms:{here}:key/1": {
                "Grants": [{"GrantId": 5, "Name": c("grant")}]
            }
        },
        "SecretList": [
            {
                "ARN": f"arn:aws:secretsmanager:{here}:secret:s-AbCdEf",
                "Name": "s",
                "Description": c("secret-description"),
            }
        ],
        "SecretPolicy": {f"arn:aws:secretsmanager:{here}:secret:s-AbCdEf": {}},
        "TaskDefinitions": {
            task: {
                "taskDefinition": {
                    "taskDefinitionArn": task,
                    "taskRoleArn": ROLE,
                    "containerDefinitions": [{"environment": c("task-environment")}],
                }
            }
        },
    }


def _keys(c: Canaries) -> dict[str, object]:
    return {
        "AccessKeyMetadata": [
            {
                "UserName": "report-bot",
                "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
                "Status": "Active",
                "CreateDate": "2024-01-01T00:00:00Z",
                "SecretAccessKey": c("key-list"),
            }
        ]
    }


def _record(at: int, name: str, **more: object) -> dict[str, object]:
    return {
        "eventVersion": "1.11",
        "eventTime": f"2026-11-20T10:{at:02}:00Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "eventID": f"00000000-0000-4000-8000-0000000000{at:02}",
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "sample",
        "userIdentity": {
            "type": "IAMUser",
            "arn": USER,
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "report-bot",
        },
        **more,
    }


def _trail(c: Canaries) -> list[object]:
    return [
        _record(
            1,
            "AssumeRole",
            requestParameters={"roleArn": ROLE, "roleSessionName": "x"},
            responseElements={
                "credentials": {
                    "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
                    "secretAccessKey": c("trail-secret"),
                    "sessionToken": c("trail-session"),
                    "expiration": "Nov 20, 2026, 11:01:00 AM",
                }
            },
        ),
        _record(
            2,
            "CreateLoginProfile",
            eventSource="iam.amazonaws.com",
            requestParameters={"userName": "x", "password": c("trail-password")},
        ),
        _record(
            3,
            "UpdateFunctionConfiguration",
            eventSource="lambda.amazonaws.com",
            requestParameters={
                "functionName": "f",
                "environment": {"variables": {"TOKEN": c("trail-environment")}},
            },
            additionalEventData={"blob": c("trail-additional")},
        ),
        _record(4, "PutSecretValue", requestParameters=c("trail-parameters")),
        {"eventTime": c("trail-time"), "eventName": [c("trail-name")]},
        c("trail-bare"),
    ]


def _database(c: Canaries) -> str:
    return re.sub("<([a-z-]+)>", lambda found: c(found[1]), DUMP)


def _cluster(c: Canaries) -> str:
    return re.sub("<([a-z-]+)>", lambda found: c(found[1]), OBJECTS)


def _organization(c: Canaries) -> dict[str, str]:
    """Write answers of GitHub with secrets where a name or a value may stand."""
    secret = {"name": "KEY", "visibility": "all", "value": c("org-secret-value")}
    key = {"id": 1, "title": "mirror", "read_only": True}
    token = {"id": 2, "owner": {"login": "ana"}, "repository_selection": "all"}
    token |= {"permissions": {"repository": {"contents": "write"}}}
    workflow = re.sub("<([a-z-]+)>", lambda found: c(found[1]), WORKFLOW)
    return {
        "orgs/acme/actions/secrets.json": json.dumps([secret]),
        "orgs/acme/personal-access-tokens.json": json.dumps([token]),
        "repos/acme/web/keys.json": json.dumps([key | {"key": c("deploy-key-value")}]),
        "repos/acme/web/contents/.github/workflows/ci.yml": workflow,
        "orgs/acme/teams.json": '[{"slug": "' + c("cut-answer"),
    }


@dataclass(frozen=True, slots=True)
class Estate:
    root: Path
    canaries: Canaries


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    root = tmp_path_factory.mktemp("canary")
    c = Canaries()
    files = {f"home/{name}": text for name, text in _home(c).items()}
    files |= {f"repo/{name}": text for name, text in _repo(c).items()}
    files |= {f"github/{name}": text for name, text in _organization(c).items()}
    files |= google_files.build_files(c)
    files["aws/account.json"] = json.dumps(_account(c))
    files["aws/keys.json"] = json.dumps(_keys(c))
    files["aws/resources.json"] = json.dumps(_resources(c))
    files["aws/broken.json"] = '{"UserDetailList": [{"Secret": "' + c("broken-dump")
    files["pg/prod.sql"] = _database(c)
    files["k8s/objects.yaml"] = _cluster(c)
    files["k8s-broken/a.json"] = '{"kind": "Secret", "data": {"a": "' + c("cut-secret")
    files["pg-cut/prod.sql"] = f"CREATE ROLE x PASSWORD '{c('cut-password')}"
    files["pg-broken/catalogue.json"] = '{"roles": [{"name": "' + c("broken-catalogue")
    files["trail/plain.json"] = json.dumps({"Records": _trail(c)})
    files["trail/broken.json"] = '{"Records": [{"eventName": "' + c("cut-trail")
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with gzip.open(root / "trail" / "late.json.gz", "wt") as late:
        json.dump(
            {"Records": [_record(9, "GetCallerIdentity", note=c("trail-unknown"))]},
            late,
        )
    return Estate(root, c)
