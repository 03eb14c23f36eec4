"""A server in a container has of the host what is mounted or passed, and no more."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.sample.fake_access_keys import make_fake_secret
from answerable.connectors.formats.docker_run import parse_container_run
from tests.estate.seven import ACCOUNT, KEY, Ask

DEFAULT = f"arn:aws:iam::{ACCOUNT}:role/deployer"
OPS = f"arn:aws:iam::{ACCOUNT}:role/operator"
CONFIG = (
    f"[default]\nrole_arn = {DEFAULT}\nsource_profile = base\n"
    f"[profile ops]\nrole_arn = {OPS}\nsource_profile = base\n"
)
ETL = "etl@corp-data.iam.gserviceaccount.com"
GITHUB = "github:user/dana-dev"


def listed(ask: Ask, root: Path, entry: dict[str, Any]) -> dict[str, Any]:
    """Scan a home with one server and return its tool."""
    home = root / "dana"
    files: dict[str, object] = {
        ".aws/config": CONFIG,
        ".config/gh/hosts.yml": "github.com:\n    user: dana-dev\n    oauth_token: gho_CANARY0123456789\n",
        "keys/etl.json": {
            "type": "service_account",
            "client_email": ETL,
            "private_key": "-----BEGIN PRIVATE KEY-----\nCANARYkey\n",
        },
        ".config/Claude/claude_desktop_config.json": {"mcpServers": {"db": entry}},
    }
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert ask(root / "store", "scan", f"home:{home}").code in (0, 3)
    (tool,) = ask(root / "store", "tools").items
    return tool


def run(*args: str) -> dict[str, Any]:
    return {"command": "docker", "args": ["run", "-i", "--rm", *args]}


KEYS = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": make_fake_secret("legacy-sync"),
}


@pytest.mark.parametrize(
    ("args", "identities"),
    [
        (["mcp/aws"], []),
        (["--network", "host", "mcp/aws"], []),
        (["-v", "{home}/.aws:/home/app/.aws", "mcp/aws"], [DEFAULT]),
        (["-v", "~/.aws:/home/app/.aws:ro", "mcp/aws"], [DEFAULT]),
        (["--volume=$HOME/.aws:/home/app/.aws", "mcp/aws"], [DEFAULT]),
        (["-v", "/home/dana/.aws:/home/app/.aws", "mcp/aws"], [DEFAULT]),
        (["-v", "C:\\Users\\dana\\.aws:/home/app/.aws", "mcp/aws"], [DEFAULT]),
        (["-v", "/home/kim/.aws:/home/app/.aws", "mcp/aws"], []),
        (["--mount", "type=bind,src={home}/.aws,dst=/home/app/.aws", "i"], [DEFAULT]),
        (["--mount", "type=volume,src=aws,dst=/home/app/.aws", "i"], []),
        (["-v", "{home}:/host", "mcp/aws"], [DEFAULT, GITHUB]),
        (["-v", "{home}/src:/src", "mcp/aws"], []),
        (["-v", "/var/run/docker.sock:/var/run/docker.sock", "i"], [DEFAULT, GITHUB]),
        (["--mount", "type=bind,src=/run/docker.sock,dst=/d", "i"], [DEFAULT, GITHUB]),
        (["-v", "//./pipe/docker_engine:/d", "mcp/aws"], [DEFAULT, GITHUB]),
        (["-v", "/run:/run", "mcp/aws"], [DEFAULT, GITHUB]),
        (["-v", "/var/run/other.sock:/o.sock", "mcp/aws"], []),
        (["--privileged", "mcp/aws"], [DEFAULT, GITHUB]),
        (["--privileged=false", "mcp/aws"], []),
        (["mcp/aws", "-v", "{home}/.aws:/home/app/.aws"], []),
        (["-e", "AWS_PROFILE=ops", "mcp/aws"], []),
        (["-e", "AWS_PROFILE=ops", "-v", "~/.aws:/home/app/.aws", "mcp/aws"], [OPS]),
        (["-e", "GOOGLE_APPLICATION_CREDENTIALS=/k/etl.json", "i"], []),
        (
            [
                "-e",
                "GOOGLE_APPLICATION_CREDENTIALS=/k/etl.json",
                "-v",
                "~/keys:/k",
                "i",
            ],
            [ETL],
        ),
    ],
)
def test_a_container_acts_as_what_is_mounted(
    tmp_path: Path, ask: Ask, args: list[str], identities: list[str]
) -> None:
    placed = [arg.replace("{home}", f"{tmp_path}/dana") for arg in args]
    tool = listed(ask, tmp_path, run(*placed))
    assert tool["transport"] == "container"
    assert tool["identities"] == identities


@pytest.mark.parametrize(
    ("args", "passed"),
    [
        (["-e", "AWS_ACCESS_KEY_ID", "-e", "AWS_SECRET_ACCESS_KEY", "i"], True),
        (["-eAWS_ACCESS_KEY_ID", "-eAWS_SECRET_ACCESS_KEY", "i"], True),
        (["i"], False),
        (["i", "-e", "AWS_ACCESS_KEY_ID"], False),
    ],
)
def test_a_variable_of_the_entry_reaches_a_container_that_it_is_passed_to(
    tmp_path: Path, ask: Ask, args: list[str], passed: bool
) -> None:
    tool = listed(ask, tmp_path, {**run(*args), "env": KEYS})
    assert (tool["credential"] is not None) is passed
    credentials = {item["id"] for item in ask(tmp_path / "store", "credentials").items}
    assert f"cred:aws/{KEY}" in credentials


def test_an_environment_file_is_passed(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "dana").mkdir()
    (tmp_path / "dana/db.env").write_text(f"AWS_ACCESS_KEY_ID={KEY}\n")
    tool = listed(ask, tmp_path, run("--env-file", "~/db.env", "i"))
    assert tool["credential"]["id"] == f"cred:aws/{KEY}"


@pytest.mark.parametrize(
    ("words", "mounts"),
    [
        (["docker", "run", "-it", "-v", "/a:/b", "i"], 1),
        (["/usr/local/bin/docker", "container", "run", "-v/a:/b", "i"], 1),
        (["sudo", "podman", "run", "--name", "x", "-v", "/a:/b", "i"], 1),
        (["sh", "-c", "exec docker run -v /a:/b i"], 1),
        (["docker", "--context", "remote", "run", "i"], 0),
        (["docker run -v named:/b i"], 0),
    ],
)
def test_a_command_line_that_starts_a_container_is_recognised(
    words: list[str], mounts: int
) -> None:
    found = parse_container_run(words)
    assert found is not None
    assert len(found.mounts) == mounts


@pytest.mark.parametrize(
    "words", [[], ["docker"], ["docker", "mcp", "gateway", "run"], ["npx", "run"]]
)
def test_another_command_line_starts_none(words: list[str]) -> None:
    assert parse_container_run(words) is None


@pytest.mark.parametrize("word", ["sudo", "env", "-v", "--mount", "docker", "-"])
def test_a_command_line_without_end_is_read_within_bounds(
    tmp_path: Path, ask: Ask, word: str
) -> None:
    entry = {"command": "docker", "args": ["run", *[word] * 20_000]}
    assert listed(ask, tmp_path, entry)["transport"] == "container"
