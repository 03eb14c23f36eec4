"""Findings that persons accept, reopen and assign with a signature."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from tests.agent_credentials.conftest import let_tests_sign
from tests.posture.conftest import LATEST_DAY, write

ANA = "ana@corp.example"
TOKEN = "Bearer tk_9f8e7d6c5b4a39281706f5e4d3c2b1a0"
SERVERS = {
    "mcpServers": {
        "tickets": {
            "type": "http",
            "url": "https://tickets.example/mcp",
            "headers": {"Authorization": TOKEN},
        }
    }
}
TODAY = datetime.now(UTC).date()
SOON, LATE = (str(TODAY + timedelta(days=days)) for days in (30, 400))
Ask = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def ask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Ask:
    """Return a function that runs a command on a scanned home, with Ana's key."""
    let_tests_sign(monkeypatch)
    write(tmp_path / "home", {".mcp.json": json.dumps(SERVERS), ".git/HEAD": "x\n"})
    (tmp_path / "pass").write_text("correct horse battery\n")
    (tmp_path / "pass").chmod(0o600)
    key = str(tmp_path / "ana.pem")
    signed = ("--key", key, "--passphrase-file", str(tmp_path / "pass"))

    def run(*words: str, sign: bool = False) -> tuple[int, list[dict[str, Any]], str]:
        store = ["--store", str(tmp_path / "store"), "-o", "json"]
        code = main([*store, *words, *(signed if sign else ())])
        out, err = capsys.readouterr()
        return code, json.loads(out)["items"] if out else [], err

    assert run("scan", f"repo:{tmp_path / 'home'}")[0] == 0
    assert run("owner-keys", "new", "--person", ANA, sign=True)[0] == 0
    assert run("owner-keys", "enroll", f"{key}.pub", "--person", ANA)[0] == 0
    return run


def get_finding(ask: Ask) -> dict[str, Any]:
    _, items, _ = ask("findings")
    return next(each for each in items if each["rule"] == "hosted-server-secret")


def test_a_signed_acceptance_suppresses_a_finding_until_it_is_reopened(
    ask: Ask,
) -> None:
    found = get_finding(ask)
    assert found["state"] == "open"
    words = (found["id"], "--reason", "  test server  ", "--until", SOON)
    code, (item,), err = ask("findings", "suppress", *words, sign=True)
    assert (code, item["state"]) == (0, "suppressed"), err
    assert item["suppression"] | {"signed": ""} == {
        "reason": "test server",
        "owner": f"person:{ANA}",
        "until": SOON,
        "signed": "",
    }
    assert len(item["suppression"]["signed"]) == 64
    assert get_finding(ask)["suppression"] == item["suppression"]
    assert ask("findings", "--fail-on", found["severity"])[0] == (
        1 if found["severity"] in ("low", "medium") else 0
    )
    _, (item,), _ = ask("findings", "reopen", found["id"], sign=True)
    assert item["state"] == "open"
    assert get_finding(ask)["state"] == "open"
    code, _, err = ask("findings", "reopen", found["id"], sign=True)
    assert (code, "no signed acceptance" in err) == (2, True)
    code, _, err = ask("findings", "assign", found["id"], sign=True)
    assert (code, "no signed assignment" in err) == (2, True)


def test_a_revoked_key_opens_the_finding_again(ask: Ask) -> None:
    found = get_finding(ask)
    words = (found["id"], "--reason", "x", "--until", SOON)
    assert ask("findings", "suppress", *words, sign=True)[0] == 0
    _, keys, _ = ask("owner-keys", "list")
    code, _, err = ask("owner-keys", "revoke", keys[0]["id"])
    assert code == 0, err
    code, _, err = ask("findings", "reopen", found["id"], sign=True)
    assert code != 0, "a revoked key signs nothing"


def test_a_signed_assignment_is_listed_for_its_person_until_it_ends(ask: Ask) -> None:
    found = get_finding(ask)
    _, (item,), _ = ask("findings", "assign", found["id"], "bo@corp.example", sign=True)
    assert item["assigned"] == "person:bo@corp.example"
    _, items, _ = ask("findings", "--owner", "bo@corp.example")
    assert [each["id"] for each in items] == [found["id"]]
    _, (item,), _ = ask("findings", "assign", found["id"], sign=True)
    assert item["assigned"] is None


def test_of_a_file_and_a_signature_the_later_end_counts(
    ask: Ask, tmp_path: Path
) -> None:
    found = get_finding(ask)
    words = (found["id"], "--reason", "signed", "--until", SOON)
    assert ask("findings", "suppress", *words, sign=True)[0] == 0
    for until, reason in (("2020-01-01", "signed"), (LATEST_DAY, "file")):
        entry = {"id": found["id"], "reason": "file", "owner": ANA, "until": until}
        file = tmp_path / "reviewed.yaml"
        file.write_text(json.dumps({"suppressions": [entry]}))
        _, items, _ = ask("findings", "--suppressions", str(file))
        (item,) = [each for each in items if each["id"] == found["id"]]
        assert item["suppression"]["reason"] == reason


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"id": "finding:hosted-server-secret/0123456789abcdef"}, "has no finding"),
        ({"id": "hosted-server-secret"}, "not the id of a finding"),
        ({"--until": "2020-01-01"}, "--until is past"),
        ({"--until": LATE}, "366 days"),
        ({"--until": "soon"}, "not a day"),
        ({"--reason": " "}, "--reason needs"),
        ({"--reason": "a\x1b[2J"}, "--reason needs"),
    ],
)
def test_an_invalid_acceptance_is_a_usage_error_of_one_line(
    ask: Ask, change: dict[str, str], hint: str
) -> None:
    found = get_finding(ask)
    said = {"id": found["id"], "--reason": "x", "--until": SOON} | change
    key = said.pop("id")
    options = [word for pair in said.items() for word in pair]
    code, items, err = ask("findings", "suppress", key, *options, sign=True)
    assert (code, items) == (2, [])
    assert hint in err
    assert len(err.splitlines()) == 2
    assert get_finding(ask)["state"] == "open"


def test_a_rule_that_was_not_evaluated_cannot_be_accepted(ask: Ask) -> None:
    _, items, _ = ask("findings")
    missing = next(each for each in items if each["state"] == "not-evaluated")
    words = (missing["id"], "--reason", "x", "--until", SOON)
    code, _, err = ask("findings", "suppress", *words, sign=True)
    assert code == 2
    assert "was not evaluated" in err


def test_the_process_of_an_agent_cannot_sign(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from answerable.model.errors import EnvironmentFailure

    def refuse(*_: object) -> None:
        raise EnvironmentFailure("an agent started this command")

    name = "answerable.server.processes.ancestors.refuse_agent_ancestors"
    found = get_finding(ask)
    monkeypatch.setattr(name, refuse)
    words = (found["id"], "--reason", "x", "--until", SOON)
    assert ask("findings", "suppress", *words, sign=True)[0] != 0
    assert get_finding(ask)["state"] == "open"
