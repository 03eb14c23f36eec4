"""`protect status`, `doctor` and the home page name a key that is used outside."""

import base64
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from answerable.cli.app import app
from answerable.connectors.config.fetch import read_config_file
from answerable.web.pages.client_protection import load_protection_summary
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole
from tests.web.conftest import shown, visitor

KEY_ID, SECRET = "AKIAQXWZ7K3PM4TR9VND", "w9Fh2kLq8Zr4Tn6Yb1Vc3Xd5Ge7Jm0PsAaUuIiOo"
HOUR = 3600


def run(*words: str) -> Result:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert SECRET not in done.output
    return done


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A protected home whose server has an AWS key; the key was moved a day ago."""
    home = tmp_path / "home"
    (home / ".cursor").mkdir(parents=True)
    (home / ".gitconfig").write_text("[user]\n\temail = ana@corp.example\n")
    keys = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    servers = {"s3": {"command": "s3-server", "env": keys}}
    (home / ".cursor/mcp.json").write_text(json.dumps({"mcpServers": servers}))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(home)
    assert run("protect", "--yes").exit_code == 0
    moved = time.time() - 24 * HOUR
    secrets = [*(home / ".config/answerable/secrets").iterdir()]
    assert len(secrets) == 2
    for path in secrets:
        os.utime(path, (moved, moved))
    return home


def row(server: str = "s3") -> dict[str, Any]:
    items = json.loads(run("protect", "status", "-o", "json").stdout)["items"]
    (found,) = [each for each in items if each["server"] == server]
    return dict(found)


def use_key(home: Path, hours_ago: float) -> None:
    """Ingest a CloudTrail record of a call with the key."""
    at = datetime.fromtimestamp(time.time() - hours_ago * HOUR, UTC)
    user = "arn:aws:iam::111122223333:user/s3-bot"
    record = {
        "eventVersion": "1.08",
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli",
        "eventID": f"0a5c9f61-73c4-4f6e-9f0e-{int(hours_ago):012}",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        "readOnly": True,
        "managementEvent": False,
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": user,
            "accountId": "111122223333",
            "accessKeyId": KEY_ID,
            "userName": "s3-bot",
        },
        "requestParameters": {"bucketName": "corp-data", "key": "a"},
        "responseElements": None,
    }
    place = home / f"trail-{int(hours_ago)}.json"
    place.write_text(json.dumps({"Records": [record]}))
    assert run("ingest", f"cloudtrail:{place}").exit_code == 0


def test_a_key_in_a_log_without_a_gateway_record_is_a_bypass(
    home: Path,
) -> None:
    before = row()
    assert (before["state"], before["key_uses_unmediated"]) == ("mediated", None)
    use_key(home, hours_ago=48)  # the client held it then
    assert row()["key_uses_unmediated"] is None
    use_key(home, hours_ago=2)
    found = row()
    assert (found["state"], found["key_uses_unmediated"]) == ("bypass", 1)
    assert found["next"] == f"answerable trace --credential cred:aws/{KEY_ID}"
    checks = json.loads(run("doctor", "-o", "json").stdout)["items"]
    (check,) = [each for each in checks if each["check"] == "protection"]
    assert not check["ok"]
    assert "1 keys were used without it" in check["detail"]

    config = read_config_file(str(home / ".config/answerable/answerable.yaml")).config
    cache = StoreCache(Path(os.environ["ANSWERABLE_STORE"]), config)
    try:
        admin = visitor(WebRole.ADMIN, WebRole.OWNER)
        page = shown(cache, admin, "/")
        assert "key used without it" in page
        assert "last start failed" not in page
        assert start(home, "no-such-program-s3") != 0
        assert "last start failed" in shown(cache, admin, "/")
        assert "cursor observe, 0 runs learned" in page
    finally:
        cache.close()


def start(home: Path, *command: str, sent: str = "") -> int:
    """Start the server as its client does, and end its input after some lines."""
    config = str(home / ".config/answerable/answerable.yaml")
    words = ("gateway", "stdio", "--config", config, "--server", "s3", "--", *command)
    argv = [sys.executable, "-P", "-m", "answerable", *words]
    return subprocess.run(argv, input=sent.encode(), capture_output=True).returncode


def test_the_status_says_what_is_known_of_the_start_of_a_server(home: Path) -> None:
    found = row()
    assert (found["state"], found["start"], found["started_at"]) == (
        "mediated",
        None,
        None,
    )
    assert found["detail"].startswith("no start recorded yet; ")

    assert start(home, "no-such-program-s3") != 0
    found = row()
    assert found["start"] == "failed"
    said = f"the last start failed at {found['started_at']}: cannot start s3 (No such"
    assert found["detail"].startswith(said)
    checks = json.loads(run("doctor", "-o", "json").stdout)["items"]
    (check,) = [each for each in checks if each["check"] == "protection"]
    assert not check["ok"]
    assert "the last start of 1 failed" in check["detail"]

    assert start(home, "cat") == 0
    found = row()
    assert found["start"] == "started"
    assert "start" not in found["detail"]

    assert start(home, "sh", "-c", "exit 3") == 3
    assert "it ended with exit code 3 before a response" in row()["detail"]

    path = home / ".config/answerable/secrets/s3.AWS_SECRET_ACCESS_KEY"
    path.rename(path.with_suffix(".gone"))
    assert start(home, "cat") != 0
    assert "cannot use the secret" in row()["detail"]


GITHUB_TOKEN = "ghp_w9Fh2kLq8Zr4Tn6Yb1Vc3Xd5Ge7Jm0PsAaUu"


def test_a_github_token_is_found_in_its_log_and_other_keys_are_named(
    home: Path,
) -> None:
    keys = {"GITHUB_TOKEN": GITHUB_TOKEN, "MODEL_KEY": f"sk-ant-{SECRET}"}
    servers = {"hub": {"command": "hub-server", "env": keys}}
    path = home / ".gemini/settings.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"mcpServers": servers}))
    assert run("protect", "--yes", "gemini-cli").exit_code == 0
    assert row()["keys_unrecognised"] == []
    found = row("hub")
    assert found["keys_unrecognised"] == ["MODEL_KEY (api-key)"]
    assert (found["state"], found["key_uses_unmediated"]) == ("mediated", None)

    for secret in (home / ".config/answerable/secrets").glob("hub.*"):
        os.utime(secret, (time.time() - 24 * HOUR, time.time() - 24 * HOUR))
    digest = hashlib.sha256(GITHUB_TOKEN.encode()).digest()
    record = {
        "@timestamp": int((time.time() - 2 * HOUR) * 1000),
        "_document_id": "Aa1",
        "action": "git.clone",
        "actor": "ana",
        "hashed_token": base64.b64encode(digest).decode(),
        "org": "acme",
        "repo": "acme/web",
    }
    place = home / "github.json"
    place.write_text(json.dumps(record) + "\n")
    assert run("ingest", f"github-audit:{place}").exit_code == 0
    found = row("hub")
    assert (found["state"], found["key_uses_unmediated"]) == ("bypass", 1)
    assert digest.hex() in found["next"]
    assert GITHUB_TOKEN not in run("protect", "status").output


def test_the_home_page_shows_the_protection_of_its_own_store_only(
    home: Path, tmp_path: Path
) -> None:
    other = StoreCache(tmp_path / "other")
    assert load_protection_summary(other) is None
    (home / ".config/answerable/answerable.yaml").write_text("servers: [\n")
    unread = load_protection_summary(StoreCache(tmp_path / "store"))
    assert isinstance(unread, str)
    assert unread.startswith("not readable")


def test_a_locked_store_is_named_and_not_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.server.store_access.COMMAND_LOCK_TIMEOUT", 0.1)
    root = Path(os.environ["ANSWERABLE_STORE"])
    params = {"name": "read", "arguments": {}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    with (root / "log/.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process writes to the store
        start(home, "cat", sent=json.dumps(call) + "\n")
        done = run("protect", "status")
        assert "the store is locked by another process" in done.stderr
        assert "protection" in run("doctor").stdout
