"""`protect` and `unprotect` on a home with ten clients."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from answerable.cli.app import app
from answerable.model.errors import AnswerableError, EnvironmentFailure, UsageError
from tests.usecases.stranger_home import CANARIES, write_home


@pytest.fixture
def home(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    write_home(tmp_path)
    (tmp_path / ".gitconfig").write_text("[user]\n\temail = ana@example.com\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    store = tmp_path_factory.mktemp("data") / "store"
    monkeypatch.setenv("ANSWERABLE_STORE", str(store))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def files(home: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}


def test_a_dry_run_writes_nothing(home: Path) -> None:
    before = files(home)
    said = run("protect", "--dry-run")
    assert said.exit_code == 0
    assert "TRACKER_TOKEN" in said.output
    assert files(home) == before


def test_no_at_the_question_writes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("answerable.cli.signing.sys", terminal)
    before = files(home)
    refused = CliRunner().invoke(app, ["protect"], input="n\n").exception
    assert isinstance(refused, UsageError)
    assert refused.message == "nothing was written"
    assert files(home) == before


@pytest.mark.parametrize("owner", ["not a mail", " "])
def test_an_owner_who_is_no_person_is_refused(home: Path, owner: str) -> None:
    before = files(home)
    refused = run("protect", "--owner", owner, "--yes").exception
    assert isinstance(refused, AnswerableError)
    assert refused.message.startswith(f"not a person (got '{owner.strip()}")
    assert files(home) == before


@pytest.mark.parametrize("command", ["protect", "unprotect"])
def test_an_unknown_client_is_refused_with_the_nearest_name(
    home: Path, command: str
) -> None:
    before = files(home)
    refused = run(command, "cursr").exception
    assert isinstance(refused, UsageError)
    assert refused.hint == "did you mean cursor?"
    assert files(home) == before


def test_a_pipe_is_named_where_a_file_was_expected(home: Path) -> None:
    os.mkfifo(home / "pipe")
    refused = run("protect", "--config", "pipe", "--yes").exception
    assert isinstance(refused, EnvironmentFailure)
    assert refused.message.endswith("pipe: not a regular file")
    settings = home / ".claude/settings.json"
    settings.unlink(missing_ok=True)
    os.mkfifo(settings)
    said = run("protect", "--dry-run")
    assert said.exit_code == 0
    assert str(settings) in said.output


def test_a_dry_run_and_a_status_leave_an_interrupted_run_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> str:
        raise AssertionError("an interrupted run was continued")

    monkeypatch.setattr("answerable.usecases.protection.apply.recover", refuse)
    assert run("protect", "--dry-run").exit_code == 0
    assert run("protect", "status").exit_code == 0


def test_nothing_is_written_without_a_yes(home: Path) -> None:
    before = files(home)
    assert run("protect").exit_code != 0
    assert files(home) == before


def test_protect_and_unprotect_print_no_secret_and_restore_the_home(home: Path) -> None:
    before = files(home)
    done = [run("protect", "--yes"), run("protect", "--yes"), run("unprotect")]
    assert [each.exit_code for each in done] == [0, 0, 0]
    for said in done:
        assert not [each for each in CANARIES if each in said.output]
    assert files(home) == before
    assert not (home / ".config/answerable").exists()


def test_without_a_git_user_the_owner_is_asked_for(home: Path) -> None:
    (home / ".gitconfig").unlink()
    before = files(home)
    refused = run("protect", "--yes").exception
    assert isinstance(refused, UsageError)
    assert "no owner" in refused.message
    assert refused.hint.endswith("--owner MAIL")
    assert files(home) == before
    assert run("protect", "status").exit_code == 0
    assert run("protect", "--yes", "--owner", "bo@corp.example").exit_code == 0
    text = (home / ".config/answerable/answerable.yaml").read_text()
    assert text.count("owner: bo@corp.example") == 10
    assert "nothing to change" in run("protect", "--yes").output


def test_unprotect_names_a_renamed_entry_that_still_needs_its_key(home: Path) -> None:
    path = home / ".cursor/mcp.json"
    server = {"command": "echo", "args": ["a"], "env": {"API_KEY": CANARIES[15]}}
    path.write_text(json.dumps({"mcpServers": {"one": server}}))
    run("protect", "cursor", "--yes")
    path.write_text(path.read_text().replace('"one":', '"two":'))
    said = run("unprotect")
    assert said.exit_code == 1
    assert f"kept {path} (a renamed or copied entry still starts the gateway" in (
        said.output
    )
    config = home / ".config/answerable"
    assert (config / "answerable.yaml").exists()
    assert (config / "secrets/one.API_KEY").read_text() == CANARIES[15]
    path.write_text(path.read_text().replace('"two":', '"one":'))
    assert run("unprotect").exit_code == 0
    assert json.loads(path.read_text()) == {"mcpServers": {"one": server}}
    assert not (config / "answerable.yaml").exists()


def test_the_configuration_names_the_owner_and_mode(home: Path) -> None:
    run("protect", "--yes", "cursor", "--mode", "shadow")
    text = (home / ".config/answerable/answerable.yaml").read_text()
    assert "owner: ana@example.com" in text
    assert "mode: shadow" in text
    assert "claude" not in text


def test_a_scan_of_a_protected_home_finds_no_literal_of_a_server(home: Path) -> None:
    run("protect", "--yes")
    run("scan", "home:" + str(home))
    said = run("-o", "json", "credentials")
    found = json.loads(said.output)["items"]
    assert {each["class"] for each in found} == {"keychain/input-ref"}
    assert len(found) == 10


CANARY = "CANARY-7f3a9-Zq8WxT5vRk2LmN7p"


def plan_gemini(home: Path, **entry: object) -> Result:
    """Plan the protection of one server of Gemini CLI and one of Cursor."""
    for path in (home / ".cursor", home / ".gemini"):
        path.mkdir(exist_ok=True)
    text = json.dumps({"mcpServers": {"context7": entry}})
    (home / ".gemini/settings.json").write_text(text)
    said = run("protect", "--dry-run")
    assert said.exit_code == 0
    assert CANARY not in said.output
    assert "search: through the gateway as" in said.output
    assert run("protect", "status").exit_code in (0, 1)
    return said


@pytest.mark.parametrize("name", ["CONTEXT7_API_KEY", "API_KEY"])
def test_a_header_name_with_underscores_moves_to_the_gateway(
    home: Path, name: str
) -> None:
    url = "https://mcp.context7.com/mcp"
    said = plan_gemini(home, httpUrl=url, headers={name: CANARY})
    assert "context7: through the gateway" in said.output
    assert run("protect", "--yes", "gemini-cli").exit_code == 0
    assert (
        f"header: {name}" in (home / ".config/answerable/answerable.yaml").read_text()
    )


@pytest.mark.parametrize("name", ["Cookie", "X_Forwarded_For", "a" * 70, "X.Key"])
def test_a_header_that_the_configuration_refuses_is_one_refusal(
    home: Path, name: str
) -> None:
    url = "https://mcp.context7.com/mcp"
    said = plan_gemini(home, httpUrl=url, headers={name: CANARY})
    (line,) = [e for e in said.output.splitlines() if "context7: the config" in e]
    assert line.startswith("not changed: ")
    assert "credential.header: expected a header" in line


def test_a_key_of_a_refused_entry_is_named_without_its_value(home: Path) -> None:
    headers = {"Authorization": f"Bearer {CANARY}", "X-Team": "blue"}
    url = "https://mcp.context7.com/mcp"
    said = plan_gemini(home, httpUrl=url, headers=headers)
    path = home / ".gemini/settings.json"
    assert f"a key stays in {path}: context7 Authorization" in said.output
    items = json.loads(run("protect", "status", "-o", "json").stdout)["items"]
    (row,) = [each for each in items if each["server"] == "context7"]
    assert row["detail"].endswith(f"a key stays in {path}: context7 Authorization")


def test_the_url_of_gemini_is_sse_unless_its_type_is_http(home: Path) -> None:
    url, headers = "https://mcp.context7.com/mcp", {"X-Api-Key": CANARY}
    assert "SSE" in plan_gemini(home, url=url, headers=headers).output
    said = plan_gemini(home, url=url, headers=headers, type="http")
    assert "context7: through the gateway" in said.output


UNNAMED = "CANARY-high-entropy"
GENERATED = "x9Fh2kLq8Zr4Tn6Yb1Vc3Xd5Ge7Jm0Ps"


def test_values_without_a_telling_name_are_moved_or_listed(home: Path) -> None:
    (home / ".cursor").mkdir(exist_ok=True)
    words = ["-y", "@corp/notes@latest", "--foo", UNNAMED, f"--bar={GENERATED}"]
    entry = {
        "command": "npx",
        "args": words,
        "env": {"LEVEL": "debug", "P": "Pa55 wo_rd"},
    }
    path = home / ".cursor/mcp.json"
    path.write_text(json.dumps({"mcpServers": {"notes": entry}}))
    said = run("protect", "cursor", "--yes")
    assert said.exit_code == 0
    for value in (UNNAMED, GENERATED, "Pa55"):
        assert value not in said.output
    listed = [
        "not recognised as a secret, and left in place: check these values",
        "  cursor notes: argument 4 after --foo, 19 characters",
        "  cursor notes: variable P, 10 characters",
    ]
    for line in listed:
        assert line in said.output.splitlines()
    assert GENERATED not in path.read_text()
    assert UNNAMED in path.read_text()
    again = run("protect", "cursor", "--yes").output
    assert "nothing to change" in again
    assert set(listed) <= set(again.splitlines())
    assert UNNAMED not in again
    assert run("unprotect").exit_code == 0
    assert json.loads(path.read_text()) == {"mcpServers": {"notes": entry}}


def test_a_reference_in_a_line_for_a_shell_is_no_key(home: Path) -> None:
    line = f"API_KEY={GENERATED} exec notes"
    servers = {"notes": {"command": "sh", "args": ["-c", line]}}
    (home / ".cursor/mcp.json").write_text(json.dumps({"mcpServers": servers}))
    assert run("protect", "cursor", "--yes").exit_code == 0
    assert GENERATED not in (home / ".cursor/mcp.json").read_text()
    items = json.loads(run("protect", "status", "cursor", "-o", "json").stdout)["items"]
    assert {each["state"] for each in items} == {"mediated", "hook"}
    path = home / ".cursor/mcp.json"
    path.write_text(path.read_text().replace(" exec", f" B_KEY={CANARY} exec"))
    items = json.loads(run("protect", "status", "cursor", "-o", "json").stdout)["items"]
    (kept,) = {each["detail"] for each in items if each["state"] == "refused"}
    assert kept == "B_KEY is not moved: the client itself uses it"


def test_doctor_counts_a_refused_server_as_reached_directly(home: Path) -> None:
    url = "https://mcp.context7.com/mcp"
    entry = {"httpUrl": url, "headers": {"Authorization": CANARY, "X-Team": "blue"}}
    text = json.dumps({"mcpServers": {"context7": entry}})
    (home / ".gemini").mkdir(exist_ok=True)
    (home / ".gemini/settings.json").write_text(text)
    assert run("protect", "--yes").exit_code == 0
    checks = json.loads(run("doctor", "-o", "json").stdout)["items"]
    (check,) = [each for each in checks if each["check"] == "protection"]
    assert not check["ok"]
    assert "gemini-cli context7" in check["detail"]


def test_a_configuration_that_is_kept_keeps_its_keys_and_originals(home: Path) -> None:
    before = files(home)
    assert run("protect", "--yes").exit_code == 0
    config = home / ".config/answerable/answerable.yaml"
    written = config.read_bytes()
    config.write_text("servers: [\n")
    secrets = set((config.parent / "secrets").iterdir())
    said = run("unprotect")
    assert said.exit_code == 1
    assert f"kept {config}" in said.output
    assert secrets
    assert set((config.parent / "secrets").iterdir()) == secrets
    assert (config.parent / "protection").is_dir()
    config.write_bytes(written)
    assert run("unprotect").exit_code == 0
    assert files(home) == before
