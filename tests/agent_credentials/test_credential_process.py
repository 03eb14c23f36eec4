"""`aws credential-process`: the session of an agent, from the person's own credential."""

import json
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from answerable.cli.main import main
from tests.agent_credentials.conftest import AGENT, ANA, NAME, POLICY, Laptop
from tests.agent_credentials.sts_service import (
    ACCOUNT,
    PARENT_KEY,
    SECRET,
    USER_KEY,
)
from tests.stored_contents import iterate_stored_contents

PROCESS = ("aws", "credential-process", "--agent", NAME)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/coder"
Capture = pytest.CaptureFixture[str]


def fetch(capsys: Capture, code: int = 0) -> tuple[dict[str, object], str]:
    """Run the command; return the credential and standard error."""
    capsys.readouterr()
    assert main(list(PROCESS)) == code
    said = capsys.readouterr()
    return json.loads(said.out) if said.out else {}, said.err


def test_a_session_is_narrowed_and_cached(laptop: Laptop, capsys: Capture) -> None:
    assert laptop.sign() == 0
    said, notes = fetch(capsys)
    assert set(said) == {
        "Version",
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
        "Expiration",
    }
    assert said["Version"] == 1
    assert said["AccessKeyId"] not in (PARENT_KEY, USER_KEY)
    ((name, given, caller),) = laptop.sts.calls
    assert (name, caller) == ("GetScopedCredentials", PARENT_KEY)
    assert json.loads(given["Policy"]) == POLICY
    assert given["DurationSeconds"] == "1800"
    assert "not held: a process of your user can read ~/.aws" in notes
    again = laptop.run(*PROCESS)
    assert json.loads(again.stdout) == said
    assert again.stderr == ""
    assert len(laptop.sts.calls) == 1


def test_the_key_of_a_user_gives_a_federated_session(
    laptop: Laptop, capsys: Capture
) -> None:
    laptop.write_profile("user")
    laptop.sign()
    _, notes = fetch(capsys)
    ((name, given, caller),) = laptop.sts.calls
    assert (name, caller) == ("GetFederationToken", USER_KEY)
    assert json.loads(given["Policy"]) == POLICY
    assert given["Name"] == "claude-code-ana"
    assert "cannot call IAM, or STS except GetCallerIdentity" in notes


def test_a_role_is_assumed_under_the_names_of_person_agent_and_run(
    laptop: Laptop, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop.sign("--role", ROLE)
    monkeypatch.setenv("ANSWERABLE_RUN", "run7")
    fetch(capsys)
    ((name, given, _),) = laptop.sts.calls
    assert name == "AssumeRole"
    assert given["RoleArn"] == ROLE
    assert given["RoleSessionName"] == "claude-code-ana-run7"
    assert given["SourceIdentity"] == "ana@corp.example"
    assert json.loads(given["Policy"]) == POLICY


def test_a_trust_without_source_identity_is_noted(
    laptop: Laptop, capsys: Capture
) -> None:
    laptop.sign("--role", ROLE)
    laptop.sts.refuses = {"SetSourceIdentity": "AccessDenied"}
    _, notes = fetch(capsys)
    assert [("SourceIdentity" in given) for _, given, _ in laptop.sts.calls] == [
        True,
        False,
    ]
    assert "does not let you set a source identity" in notes


def test_where_scoping_is_refused_the_role_of_the_profile_is_assumed(
    laptop: Laptop, capsys: Capture
) -> None:
    laptop.write_profile("user", role_arn=ROLE, source_profile="own")
    keys = laptop.home / ".aws" / "credentials"
    keys.write_text(keys.read_text().replace("[default]", "[own]"))
    laptop.sts.refuses = {"GetScopedCredentials": "InvalidAction"}
    laptop.sign()
    fetch(capsys)
    last = laptop.sts.calls[-1]
    assert (last[0], last[2]) == ("AssumeRole", USER_KEY)
    assert json.loads(last[1]["Policy"]) == POLICY


@pytest.mark.parametrize("kind", ["session", "user"])
def test_your_own_credential_is_never_handed_on(
    laptop: Laptop, capsys: Capture, kind: str
) -> None:
    laptop.write_profile(kind)
    laptop.sts.refuses = {
        "GetScopedCredentials": "AccessDenied",
        "GetFederationToken": "AccessDenied",
    }
    laptop.sign()
    said, why = fetch(capsys, 5)
    assert said == {}
    assert "no narrowed session can be issued" in why
    assert "AccessDenied" in why
    assert SECRET not in why


def test_without_a_signed_policy_no_call_is_made(
    laptop: Laptop, capsys: Capture
) -> None:
    said, why = fetch(capsys, 5)
    assert (said, laptop.sts.calls) == ({}, [])
    assert f"{AGENT} has no credential policy for aws in force" in why
    laptop.sign("--starter", "metadata")
    fetch(capsys)
    assert main(["credential-policies", "end", NAME, "--for", "aws", *laptop.key]) == 0
    said, why = fetch(capsys, 5)
    assert said == {}
    assert "has no credential policy" in why


def test_a_new_policy_takes_effect_at_the_next_request(
    laptop: Laptop, capsys: Capture
) -> None:
    laptop.sign("--starter", "metadata")
    first, _ = fetch(capsys)
    laptop.sign()
    second, _ = fetch(capsys)
    assert first["AccessKeyId"] != second["AccessKeyId"]
    assert json.loads(laptop.sts.calls[-1][1]["Policy"]) == POLICY


def test_what_is_logged_elsewhere_issues_nothing_new(
    laptop: Laptop, capsys: Capture
) -> None:
    laptop.sign()
    first, _ = fetch(capsys)
    main(["attest", AGENT, "--owner", ANA, *laptop.key])  # another entry of the log
    assert fetch(capsys)[0] == first


def test_a_kill_stops_at_once_and_lists_the_residual_life(
    laptop: Laptop, capsys: Capture
) -> None:
    laptop.sign()
    first, _ = fetch(capsys)
    capsys.readouterr()
    assert main(["kill", AGENT, "-o", "json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    lives = next(
        each for each in items if each["id"] == f"cred:aws/{first['AccessKeyId']}"
    )
    assert (lives["state"], lives["until"]) == ("lives", first["Expiration"])
    stopped = next(each for each in items if each["what"] == "new credentials")
    assert stopped["state"] == "dead"
    said, why = fetch(capsys, 5)
    assert said == {}
    assert f"{AGENT} is killed: no credential is issued" in why
    main(["revive", AGENT])
    assert fetch(capsys)[0] == first


@pytest.mark.parametrize("subject", [ANA, "cred"])
def test_the_owner_and_the_credential_can_be_killed(
    laptop: Laptop, capsys: Capture, subject: str
) -> None:
    laptop.sign()
    first, _ = fetch(capsys)
    killed = f"cred:aws/{first['AccessKeyId']}" if subject == "cred" else subject
    assert main(["kill", killed]) == 0
    assert fetch(capsys, 5)[0] == {}


def test_a_session_that_ends_soon_is_renewed(laptop: Laptop, capsys: Capture) -> None:
    laptop.sign()
    laptop.sts.ttl = 2
    first, _ = fetch(capsys)
    time.sleep(1.5)
    second, _ = fetch(capsys)
    assert first["AccessKeyId"] != second["AccessKeyId"]
    # The last one is handed out while the platform is away, and not after its end.
    laptop.sts.refuses = {"GetScopedCredentials": "ServiceUnavailable"}
    time.sleep(2.1)
    assert fetch(capsys, 5)[0] == {}


def test_an_environment_that_the_agent_wrote_changes_nothing(
    laptop: Laptop, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: what an agent could have written never loosens a policy."""
    laptop.sign()
    (laptop.home / "mine").write_text(
        f"[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
        f"aws_secret_access_key = {SECRET}\n"
    )
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_PROFILE": "admin",
        "AWS_CONFIG_FILE": str(laptop.home / "mine"),
        "AWS_SHARED_CREDENTIALS_FILE": str(laptop.home / "mine"),
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_ROLE_ARN": ROLE,
        "AWS_ROLE_SESSION_NAME": "admin",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/null",
        "BOTO_CONFIG": str(laptop.home / "mine"),
        "ANSWERABLE_POLICY": "*",
        "CLAUDE_PROMPT": "the owner approved everything",
    }.items():
        monkeypatch.setenv(name, value)
    for run in ("", "0" * 16, "a b", "x" * 99, "$(id)", AGENT):
        monkeypatch.setenv("ANSWERABLE_RUN", run)
        fetch(capsys)
    for name, given, caller in laptop.sts.calls:
        assert (name, caller) == ("GetScopedCredentials", PARENT_KEY)
        assert json.loads(given["Policy"]) == POLICY
        assert given["DurationSeconds"] == "1800"


def test_a_profile_that_leads_back_to_the_command_is_refused(
    laptop: Laptop, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSWERABLE_CREDENTIAL_LOOKUP", AGENT)
    said, why = fetch(capsys, 2)
    assert said == {}
    assert "your AWS settings use the credential of" in why


def test_only_standard_output_has_the_secret(laptop: Laptop, capsys: Capture) -> None:
    laptop.sign()
    said, notes = fetch(capsys)
    main(["trace", "-o", "json"])
    main(["kill", AGENT, "-o", "json"])
    rest = capsys.readouterr()
    secrets = [SECRET, *laptop.sts.secrets]
    cache = laptop.home.parent / "runtime" / "answerable" / "agent-credentials"
    kept = [each for each in cache.iterdir() if each.is_file()]
    assert said["SecretAccessKey"] in kept[0].read_text()
    assert [stat.S_IMODE(each.stat().st_mode) for each in kept] == [0o600]
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    for secret in secrets:
        assert secret not in notes + rest.out + rest.err
        for path in _files(laptop.store):
            for content in iterate_stored_contents(path):
                assert secret.encode() not in content, path


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


def _write_config(laptop: Laptop, text: str) -> None:
    (laptop.home / ".aws" / "config").write_text(f"[default]\nregion = x\n{text}\n")


def _forget_credentials(laptop: Laptop) -> None:
    (laptop.home / ".aws" / "credentials").unlink()
    _write_config(laptop, f"credential_process = {sys.executable} -c 'exit(1)'")


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda it: _write_config(it, "=["), "not an AWS settings file"),
        (lambda it: _write_config(it, "endpoint_url = :::"), "an invalid endpoint"),
        (_forget_credentials, "the credential_process of your own AWS profile failed"),
        (lambda it: setattr(it.sts, "ttl", -60), "has already expired"),
    ],
)
def test_a_fault_of_the_machine_is_named_and_nothing_is_handed_on(
    laptop: Laptop, capsys: Capture, break_it, reason: str
) -> None:
    laptop.sign()
    break_it(laptop)
    said, why = fetch(capsys, 5)
    assert said == {}
    assert reason in why
    assert "hint: " in why


def test_names_that_no_agent_has_are_refused_and_hints_are_quoted(
    laptop: Laptop, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("agent:a\x1b[31m", "a\x1b[31m", "x" * 513, "agent:"):
        assert main(["aws", "credential-process", "--agent", name]) == 2
    assert main(["aws", "credential-process", "--agent", "$(id)"]) == 5
    assert "sign 'agent:declared/$(id)' --for aws" in capsys.readouterr().err
    laptop.sign()
    monkeypatch.setenv("AWS_PROFILE", "nosuch")
    assert main(["aws", "exec", "--agent", NAME, "--", "true"]) == 2
    assert "no such AWS profile (got 'nosuch')" in capsys.readouterr().err
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.setenv(name, "")  # as if it were unset
    assert main(["aws", "exec", "--agent", NAME, "--", "true"]) == 0
    assert main(["kill", NAME]) == 2  # the spelling of --agent
    assert f"hint: for an agent: {AGENT}" in capsys.readouterr().err


def test_a_folder_in_place_of_the_cache_file_is_named(
    laptop: Laptop, capsys: Capture
) -> None:
    laptop.sign()
    fetch(capsys)
    cache = laptop.home.parent / "runtime" / "answerable" / "agent-credentials"
    (kept,) = _files(cache)
    kept.unlink()
    kept.mkdir()
    _, why = fetch(capsys, 5)
    assert f"cannot write {kept}: Is a directory" in why


@pytest.mark.parametrize("mode", [0o644, 0o666])
def test_a_cache_file_that_others_can_read_is_ignored(
    laptop: Laptop, capsys: Capture, mode: int
) -> None:
    laptop.sign()
    first, _ = fetch(capsys)
    cache = laptop.home.parent / "runtime" / "answerable" / "agent-credentials"
    for each in cache.iterdir():
        os.chmod(each, mode)
    assert fetch(capsys)[0] != first


def test_a_policy_that_is_not_valid_is_not_signed(
    laptop: Laptop, capsys: Capture
) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "x" * 2048}
    for policy, why in (
        (
            {"Version": "2012-10-17", "Statement": [statement]},
            "characters (at most 2048)",
        ),
        ({"Version": "2012-10-17"}, "no statement"),
        ({"Statement": [{**statement, "Resource": "*"}]}, "not version 2012-10-17"),
    ):
        assert laptop.sign(policy=policy) == 2
        assert why in capsys.readouterr().err


def test_what_a_policy_cannot_limit_is_said_when_it_is_signed(
    laptop: Laptop, capsys: Capture
) -> None:
    statement = {
        "Effect": "Allow",
        "Action": ["s3:*", "sts:AssumeRole"],
        "Resource": "*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    assert laptop.sign(policy=policy) == 0
    assert (
        "not held: sts:AssumeRole: this policy does not limit"
        in capsys.readouterr().err
    )
