"""No secret value leaves the files it lies in: not shown, not stored, in no form.

A home, a repository, an account and a trail are filled with canaries. Every command
runs in every form, then everything it said and everything the store holds is searched
for any eight characters of any of them.
"""

import base64
import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
import zstandard

from answerable.cli.main import main

ACCOUNT = "111122223333"
USER = f"arn:aws:iam::{ACCOUNT}:user/report-bot"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
BUCKET = "arn:aws:s3:::example-customer-data"
PIECE = 8
FORMS = ("table", "json", "ndjson", "csv")


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
        """Name the canaries of which a piece stands in some bytes."""
        pieces = {piece.encode(): name for piece, name in self.pieces().items()}
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
                    "/work/shop": {
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
    files["aws/account.json"] = json.dumps(_account(c))
    files["aws/keys.json"] = json.dumps(_keys(c))
    files["aws/broken.json"] = '{"UserDetailList": [{"Secret": "' + c("broken-dump")
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


FILL: tuple[tuple[str, ...], ...] = (
    (
        *("scan", "home:home", "repo:repo"),
        *("aws:aws/account.json", "aws-keys:aws/keys.json"),
    ),
    ("scan", "aws:aws/broken.json"),
    ("scan", "aws-org:aws/broken.json"),
    ("scan", "aws-keys:aws/broken.json"),
    ("ingest", "cloudtrail:trail"),
    ("ingest", "cloudtrail:trail/broken.json"),
    ("ingest", "cloudtrail:home/.claude.json"),
)
ASK: tuple[tuple[str, ...], ...] = (
    ("where", "home:home", "repo:repo"),
    *(
        (name,)
        for name in ("agents", "identities", "credentials", "people", "tools", "doctor")
    ),
    ("who-owns", USER),
    ("who-owns", "cred:aws/AKIAIOSFODNN7EXAMPLE"),
    ("attest", USER, "--owner", "ana@corp.example"),
    ("reach", USER),
    ("can", USER, "s3:GetObject", f"{BUCKET}/x"),
    ("who-can", "s3:GetObject", f"{BUCKET}/x"),
    ("trace",),
    ("trace", "--tree"),
    ("trace", "--score"),
    *(
        ("sql", f"select * from {view}")  # noqa: S608 - our own view names
        for view in ("lineage", "agents", "identities", "credentials", "owners")
    ),
    ("evidence", "verify"),
    ("evidence", "checkpoint", "--export", "out/checkpoint"),
    ("evidence", "prove", "EVENT"),
    ("evidence", "bundle", "EVENT", "--out", "out/bundle"),
)


def _contents(path: Path) -> Iterator[bytes]:
    """Everything a file says: as it lies there, and unpacked."""
    raw = path.read_bytes()
    yield raw
    if raw[:4] == b"PAR1":
        rows = duckdb.connect().execute("select * from read_parquet(?)", [str(path)])
        for row in rows.fetchall():
            yield b"\n".join(
                cell if isinstance(cell, bytes) else str(cell).encode() for cell in row
            )
    elif raw[:4] == b"\x28\xb5\x2f\xfd":
        yield zstandard.ZstdDecompressor().stream_reader(raw).read()


def _words(asked: Sequence[str], event: str, form: str) -> list[str]:
    words = [event if word == "EVENT" else word for word in asked]
    if "--out" in words:
        words[-1] += f".{form}"
    return [*words, "-o", form]


def test_no_piece_of_a_secret_leaves_its_file(
    estate: Estate,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(estate.root)
    monkeypatch.setenv("HOME", str(estate.root / "home"))
    monkeypatch.setenv("ANSWERABLE_STORE", str(estate.root / "store"))
    (estate.root / "out").mkdir()
    said: list[tuple[str, str]] = []

    def tell(words: Sequence[str]) -> tuple[int, str]:
        code = main(words)
        captured = capsys.readouterr()
        said.append((" ".join(words), captured.out + captured.err))
        assert code in (0, 1, 2, 3), said[-1]
        return code, captured.out

    for words in FILL:
        tell([*words, "--debug"])
    _, out = tell(["trace", "-o", "json", "--allow-partial"])
    items = json.loads(out)["items"]
    assert len(items) >= 4, out
    for form in FORMS:
        for asked in ASK:
            words = _words(asked, items[0]["event_id"], form)
            code, _ = tell(words)
            assert code in (0, 3), said[-1]
            tell([*words, "--debug", "--quiet"])

    for command, text in said:
        assert estate.canaries.found_in(text.encode()) == set(), command
    files = [
        path
        for folder in ("store", "out")
        for path in sorted((estate.root / folder).rglob("*"))
        if path.is_file()
    ]
    assert any(path.suffix == ".parquet" for path in files)
    for path in files:
        for content in _contents(path):
            assert estate.canaries.found_in(content) == set(), path


@pytest.mark.parametrize("words", [("agents",), ("trace", "--tree"), ("where",)])
def test_a_child_process_says_no_more(estate: Estate, words: tuple[str, ...]) -> None:
    for given in ([*words], ["scan", "home:home", "--debug"], [*words, "-o", "json"]):
        child = subprocess.run(
            [sys.executable, "-X", "dev", "-m", "answerable", *given],
            cwd=estate.root,
            env={
                **os.environ,
                "HOME": str(estate.root / "home"),
                "ANSWERABLE_STORE": str(estate.root / "child-store"),
            },
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert child.returncode in (0, 3), child.stderr
        assert estate.canaries.found_in(child.stdout + child.stderr) == set()


def test_a_canary_that_got_out_would_be_found(estate: Estate, tmp_path: Path) -> None:
    value = estate.canaries.made["dsn"]
    found = estate.canaries.found_in
    assert found(f"password={value[12:20]}!".encode()) == {"dsn"}
    assert found(value[:7].encode()) == set()
    packed = tmp_path / "packed"
    packed.write_bytes(zstandard.ZstdCompressor().compress(value.encode() * 9))
    assert any(found(content) for content in _contents(packed))
    table = tmp_path / "table.parquet"
    duckdb.connect().execute(
        f"copy (select '{value}' as v) to '{table}' (format parquet, compression zstd)"
    )
    assert any(found(content) for content in _contents(table))


def test_every_command_is_among_those_asked() -> None:
    from answerable.cli.app import app

    asked = {words[0] for words in (*FILL, *ASK)}
    # `demo` asks these commands about its own sample; `completion` reads nothing.
    assert set(app.commands) - asked == {"demo", "completion"}
