"""Credentials that an agent can read, and homes or projects of one name: no false no."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main

ACCOUNT = "444455556666"
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
BOBS_KEY = "AKIAIOSFODNN7EXAMPLE"
OPS_KEY = "AKIAI44QH8DHBEXAMPLE"
OBJECT = "arn:aws:s3:::corp-data/pub/x"

Run = Callable[..., tuple[int, dict[str, list[dict[str, Any]]]]]


def _user(name: str, resource: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {
        "Path": "/",
        "UserName": name,
        "UserId": f"AIDA{name.upper():X<17}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "CreateDate": "2024-01-01T00:00:00Z",
        "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": document}],
        "GroupList": [],
        "AttachedManagedPolicies": [],
    }


def _key(user: str, key: str) -> str:
    row = {"UserName": user, "AccessKeyId": key, "Status": "Active"}
    return json.dumps(
        {"AccessKeyMetadata": [{**row, "CreateDate": "2024-02-01T00:00:00Z"}]}
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _server(key: str) -> str:
    env = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "s" * 20}
    return json.dumps({"mcpServers": {"a": {"command": "uvx", "env": env}}})


def _profile(key: str) -> str:
    return f"[default]\naws_access_key_id={key}\naws_secret_access_key=s\n"


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    users = [
        _user("bob", "arn:aws:s3:::corp-data/pub/*"),
        _user("ops", "arn:aws:s3:::o/*"),
    ]
    details = {
        "UserDetailList": users,
        "GroupDetailList": [],
        "RoleDetailList": [],
        "Policies": [],
        "IsTruncated": False,
    }
    _write(tmp_path / "account.json", json.dumps(details))
    caller = json.dumps({"UserId": "x", "Account": ACCOUNT, "Arn": BOB})
    keys = (caller, _key("bob", BOBS_KEY), _key("ops", OPS_KEY))
    _write(tmp_path / "keys.json", "\n".join(keys))

    def call(*words: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
        store = ["--store", str(tmp_path / "store"), "-o", "json", "-q"]
        code = main([*store, *(word.replace("~", str(tmp_path)) for word in words)])
        return code, json.loads(capsys.readouterr().out)

    return call


AWS = ("aws:~/account.json", "aws-keys:~/keys.json")
_CAN = ("s3:GetObject", OBJECT, "--assume", "resource-policies")


def _can(run: Run, agent: str) -> dict[str, Any]:
    code, document = run("can", agent, *_CAN, "--expect", "never")
    assert code == 1, document
    return document["items"][0]


def _is_indirect(item: dict[str, Any]) -> bool:
    return "answerable:indirect-use" in json.dumps(item["conditions"])


@pytest.mark.parametrize("first", ["one", "two"])
def test_two_homes_of_one_name_are_one_agent_with_the_tools_of_both(
    run: Run, tmp_path: Path, first: str
) -> None:
    for home in ("one", "two"):
        key = BOBS_KEY if home == first else OPS_KEY
        _write(tmp_path / home / "fay/.cursor/mcp.json", _server(key))
        _write(tmp_path / home / "fay/.claude/settings.json", "{}")
        _write(tmp_path / home / "fay/.aws/credentials", _profile(key))
    run("scan", "home:~/one/fay", "home:~/two/fay", *AWS)
    assert _can(run, "cursor/fay")["verdict"] == "always"
    # The shell of the second home's client acts with the login of the second home.
    assert _can(run, "claude-code/fay")["verdict"] == "always"
    _, tools = run("tools")
    places = {
        item["id"] for item in tools["items"] if item["agent"] == "agent:cursor/fay"
    }
    assert "tool:mcp/a/*" in places
    _, agents = run("agents")
    told = next(item for item in agents["items"] if item["id"] == "agent:cursor/fay")
    assert told["note"] == "configured in 2 locations with the same name"


def test_two_projects_of_one_name_are_one_agent_with_the_tools_of_both(
    run: Run, tmp_path: Path
) -> None:
    for folder, key in (("one", OPS_KEY), ("two", BOBS_KEY), ("zoo", OPS_KEY)):
        _write(tmp_path / folder / "api/.mcp.json", _server(key))
    run("scan", *(f"repo:~/{folder}/api" for folder in ("one", "two", "zoo")), *AWS)
    assert _can(run, "claude-code/api")["verdict"] == "always"


def test_an_environment_file_of_its_project_can_be_read(
    run: Run, tmp_path: Path
) -> None:
    _write(
        tmp_path / "eve/proj/.env",
        f"AWS_ACCESS_KEY_ID={BOBS_KEY}\nAWS_SECRET_ACCESS_KEY=s\n",
    )
    _write(tmp_path / "eve/proj/.claude/settings.json", "{}")
    _write(tmp_path / "eve/.aws/credentials", _profile(OPS_KEY))
    run("scan", "home:~/eve", "repo:~/eve/proj", *AWS)
    item = _can(run, "claude-code/proj")
    assert (item["verdict"], _is_indirect(item)) == ("only-if", True)


@pytest.mark.parametrize(
    ("client", "file", "content"),
    [
        ("claude-code", ".claude/settings.json", "{}"),
        ("codex", ".codex/config.toml", 'model = "m"\n'),
    ],
)
def test_a_file_of_another_client_of_its_home_can_be_read(
    run: Run, tmp_path: Path, client: str, file: str, content: str
) -> None:
    _write(tmp_path / "fay/.cursor/mcp.json", _server(BOBS_KEY))
    _write(tmp_path / "fay" / file, content)
    _write(tmp_path / "fay/.aws/credentials", _profile(OPS_KEY))
    run("scan", "home:~/fay", *AWS)
    item = _can(run, f"{client}/fay")
    assert (item["verdict"], _is_indirect(item)) == ("only-if", True)
    _, found = run("who-can", "s3:GetObject", OBJECT)
    bob = next(each for each in found["items"] if each["subject"] == BOB)
    assert f"agent:{client}/fay" in bob["agents"]
    # A trail of the key's own tool stays with that tool.
    _, agents = run("agents")
    shown = next(a for a in agents["items"] if a["id"] == f"agent:{client}/fay")
    assert BOB in shown["identities"]


def test_a_key_of_another_client_whose_principal_is_unknown_makes_no_never(
    run: Run, tmp_path: Path
) -> None:
    _write(tmp_path / "fay/.cursor/mcp.json", _server("AKIAJJJJJJJJJJEXAMPL"))
    _write(tmp_path / "fay/.claude/settings.json", "{}")
    _write(tmp_path / "fay/.aws/credentials", _profile(OPS_KEY))
    run("scan", "home:~/fay", *AWS)
    code, document = run("can", "claude-code/fay", *_CAN, "--expect", "never")
    assert (code, document["items"][0]["verdict"]) == (3, "not-known")


def test_a_key_of_a_model_provider_in_another_file_opens_no_question(
    run: Run, tmp_path: Path
) -> None:
    entry = {"command": "uvx", "env": {"OPENAI_API_KEY": "sk-proj-abcdefghijkl1234"}}
    _write(tmp_path / "fay/.cursor/mcp.json", json.dumps({"mcpServers": {"a": entry}}))
    _write(tmp_path / "fay/.claude/settings.json", "{}")
    _write(tmp_path / "fay/.aws/credentials", _profile(OPS_KEY))
    run("scan", "home:~/fay", *AWS)
    code, document = run("can", "claude-code/fay", *_CAN, "--expect", "never")
    assert (code, document["items"][0]["verdict"]) == (0, "never")


def _profiles(home: Path) -> None:
    text = _profile(OPS_KEY) + _profile(BOBS_KEY).replace("default", "bobp")
    _write(home / ".aws/credentials", text)


def _identities(run: Run, server: str) -> list[str]:
    _, tools = run("tools")
    return next(t["identities"] for t in tools["items"] if t["server"] == server)


@pytest.mark.parametrize(
    "words",
    [
        ["exec", "bobp", "--", "npx", "x"],
        ["exec", "--no-session", "--duration", "1h", "bobp", "--", "npx", "x"],
        ["--backend", "file", "exec", "bobp", "--", "npx", "x"],
    ],
)
def test_a_server_under_aws_vault_acts_as_the_profile_it_names(
    run: Run, tmp_path: Path, words: list[str]
) -> None:
    _profiles(tmp_path / "sam")
    entry = {"command": "/usr/local/bin/aws-vault", "args": words}
    servers = json.dumps({"mcpServers": {"s": entry}})
    _write(tmp_path / "sam/.config/Claude/claude_desktop_config.json", servers)
    run("scan", "home:~/sam", *AWS)
    assert _identities(run, "s") == [BOB]


@pytest.mark.parametrize(
    "words",
    [
        ["assume", "bobp", "--exec", "--", "npx", "x"],
        ["/opt/granted/assume", "--region", "eu-west-1", "bobp", "--exec", "npx x"],
        ["saml2aws", "exec", "--exec-profile", "bobp", "--", "npx", "x"],
        ["saml2aws", "exec", "--profile=bobp", "--", "npx", "x"],
        ["op", "run", "--env-file=a.env", "--", "npx", "x", "--profile", "bobp"],
        ["op", "run", "--", "aws-vault", "exec", "-s", "bobp", "--", "npx", "x"],
    ],
)
def test_a_server_under_another_wrapper_acts_as_the_profile_it_names(
    run: Run, tmp_path: Path, words: list[str]
) -> None:
    _profiles(tmp_path / "sam")
    entry = {"command": words[0], "args": words[1:]}
    servers = json.dumps({"mcpServers": {"s": entry}})
    _write(tmp_path / "sam/.config/Claude/claude_desktop_config.json", servers)
    run("scan", "home:~/sam", *AWS)
    assert _identities(run, "s") == [BOB]


def test_a_remote_server_has_no_profile_of_this_host(run: Run, tmp_path: Path) -> None:
    _profiles(tmp_path / "sam")
    url = "https://x.example/mcp"
    entry = {"type": "http", "url": url, "env": {"AWS_PROFILE": "bobp"}}
    servers = json.dumps({"mcpServers": {"s": entry}})
    _write(tmp_path / "sam/.config/Claude/claude_desktop_config.json", servers)
    run("scan", "home:~/sam", *AWS)
    assert _identities(run, "s") == []


def test_a_profile_whose_key_is_resolved_leaves_nothing_to_collect(
    run: Run, tmp_path: Path
) -> None:
    _profiles(tmp_path / "sam")
    entry = {"command": "npx", "env": {"AWS_PROFILE": "bobp"}}
    servers = json.dumps({"mcpServers": {"s": entry}})
    _write(tmp_path / "sam/.config/Claude/claude_desktop_config.json", servers)
    _write(tmp_path / "sam/.claude.json", _server(BOBS_KEY))
    run("scan", "home:~/sam", *AWS)
    words = ("s3:GetObject", "arn:aws:s3:::zzz/a", "--assume", "resource-policies")
    code, document = run("can", "claude-desktop/sam", *words, "--expect", "never")
    assert (code, document["items"][0]["verdict"]) == (0, "never")
    _, agents = run("agents")
    mine = next(a for a in agents["items"] if a["id"] == "agent:claude-desktop/sam")
    # The same key lies in the file of another client: that is not where this one has it.
    places = {
        c["place"].split("/sam/")[1] for t in mine["tools"] for c in t["credentials"]
    }
    assert places == {
        ".aws/credentials#/bobp/aws_access_key_id",
        ".config/Claude/claude_desktop_config.json#/mcpServers/s/env/AWS_PROFILE",
    }


def test_a_section_that_is_not_closed_is_a_problem(run: Run, tmp_path: Path) -> None:
    _write(
        tmp_path / "sam/.aws/config",
        "[profile one]\nregion = a\n[profile two\nregion = b\n",
    )
    code, document = run("scan", "home:~/sam")
    assert code == 3
    assert "line 3: a section header has no closing `]`" in json.dumps(document)


def test_literal_keys_in_the_script_of_a_step_are_listed(
    run: Run, tmp_path: Path
) -> None:
    script = """
      - run: OPENAI_API_KEY=sk-proj-0123456789abcdefghij0123456789 codex exec "do"
      - run: |
          export ANTHROPIC_API_KEY="sk-ant-api03-0123456789abcdefghijklmnop"
          export OTHER_TOKEN="$FROM_ELSEWHERE" A_KEY=${{ secrets.A_KEY }}
          claude -p "mind the token please: do" --mcp-config '{"mcpServers":{"q":{"command":"npx","args":["--token","wfarg1234"]}}}'
"""
    workflow = f"on: push\njobs:\n  j:\n    runs-on: x\n    steps:{script}"
    _write(tmp_path / "w/.github/workflows/a.yml", workflow)
    keys = f"on: push\njobs:\n  k:\n    env: {{AWS_ACCESS_KEY_ID: {BOBS_KEY}, AWS_SECRET_ACCESS_KEY: abcdefghijklmnop1}}\n    steps: [{{run: claude -p x}}]\n"
    _write(tmp_path / "w/.github/workflows/k.yml", keys)
    run("scan", "repo:~/w")
    _, found = run("credentials")
    literal = [
        (c["kind"], c["hint"]) for c in found["items"] if c["class"] == "literal"
    ]
    assert sorted(literal) == [
        ("api-key", "6789"),
        ("api-key", "mnop"),
        ("aws-access-key", "MPLE"),
        ("bearer-token", ""),
    ]
