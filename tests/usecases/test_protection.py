"""Protect a home and undo it: files, secrets, interruptions, and later edits."""

import json
import stat
from pathlib import Path

import pytest

from answerable.model.errors import UsageError
from answerable.services.protection.protection_plan import (
    ProtectionPlan,
    ProtectionRequest,
    UndoOutcome,
)
from answerable.usecases.protection.apply import apply_plan, recover, undo
from answerable.usecases.protection.plan import build_protection_plan
from tests.usecases.stranger_home import CANARIES, write_home

GATEWAY = ("/opt/bin/answerable",)


class Killed(BaseException):
    """The process ended here."""


def plan(home: Path, *clients: str, folder: Path | None = None) -> ProtectionPlan:
    config = home / ".config/answerable/answerable.yaml"
    return build_protection_plan(
        ProtectionRequest(
            "ana@example.com", home, folder, clients, "observe", config, GATEWAY
        )
    )


def contents(home: Path) -> dict[Path, bytes]:
    """Every file of a home outside the gateway's folders."""
    return {
        path: path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file()
        and ".config/answerable" not in str(path)
        and not path.name.endswith(".answerable-new")
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_home(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_ten_clients_are_protected_and_restored_byte_for_byte(
    home: Path, state: Path
) -> None:
    before = contents(home)
    made = plan(home)
    assert len(made.agents) == 10
    assert {(r.client, r.server) for r in made.refused} == {
        ("vscode", "cloud"),
        ("goose", "developer"),
    }
    assert not apply_plan(made, state).left
    for path, data in contents(home).items():
        for secret in CANARIES:
            assert secret.encode() not in data, path
    assert {s.value for s in made.secrets} >= {
        c for c in CANARIES[:15] if c != CANARIES[9]
    }
    for secret in made.secrets:
        assert secret.path.read_text() == secret.value
        assert stat.S_IMODE(secret.path.stat().st_mode) == 0o600
        assert secret.value not in repr(secret)
    results = undo(state)
    assert contents(home) == before
    assert not any(r.outcome is UndoOutcome.KEPT for r in results)
    assert not [p for p in home.rglob("*") if "answerable" in str(p) and p.is_file()]
    assert not state.exists()
    assert not (home / ".config/answerable").exists()


def test_protecting_twice_changes_nothing(home: Path, state: Path) -> None:
    apply_plan(plan(home), state)
    after = contents(home)
    again = plan(home)
    assert (again.changes, again.secrets) == ((), ())
    assert len(again.mediated) == 15
    apply_plan(again, state)
    assert contents(home) == after


def test_a_kill_at_any_step_leaves_old_or_new_files_and_is_completed(
    tmp_path: Path,
) -> None:
    home, steps = tmp_path / "0" / "home", [""]
    write_home(home)
    apply_plan(plan(home, "cursor", "goose"), tmp_path / "0" / "state", steps.append)
    undo(tmp_path / "0" / "state", (), steps.append)
    assert {"journal", "record", "end", "rename mcp.json"} <= set(steps)
    for number in range(1, len(steps)):
        root = tmp_path / str(number)
        home, state = root / "home", root / "state"
        before = write_home(home)
        made = plan(home, "cursor", "goose")
        after = {change.path: change.after for change in made.changes}
        left = [number]

        def kill(_: str, left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise Killed

        def protect_and_undo() -> None:
            apply_plan(made, state, kill)  # noqa: B023 - called in this turn
            undo(state, (), kill)  # noqa: B023

        with pytest.raises(Killed):
            protect_and_undo()
        for path, data in contents(home).items():
            assert data in (before.get(path), after.get(path)), (steps[number], path)
        recover(state)
        assert recover(state) == ""
        states = contents(home)
        protected = (
            states[home / ".cursor/mcp.json"] != before[home / ".cursor/mcp.json"]
        )
        for path, data in states.items():
            old = before.get(path)
            assert data == (after.get(path, old) if protected else old), steps[number]
        undo(state)
        assert contents(home) == before
        assert not list(home.rglob("*.answerable-new"))


def test_a_file_that_changes_after_the_plan_is_not_overwritten(
    home: Path, state: Path
) -> None:
    made = plan(home, "cursor")
    (home / ".cursor/mcp.json").write_text("{}")
    with pytest.raises(UsageError):
        apply_plan(made, state)
    assert (home / ".cursor/mcp.json").read_text() == "{}"


def test_edits_of_the_client_in_between_are_kept(home: Path, state: Path) -> None:
    before = contents(home)
    apply_plan(plan(home), state)
    toml = home / ".codex/config.toml"
    toml.write_text(toml.read_text().replace("dark", "light") + "x = 1\n")
    claude = home / ".claude.json"
    written = json.loads(claude.read_text())  # the client writes the file anew
    written["numStartups"] = 8
    written["mcpServers"]["later"] = {"command": "npx", "args": ["-y", "later"]}
    claude.write_text(json.dumps(written))
    results = {result.path: result.outcome for result in undo(state)}
    assert results[toml] == results[claude] == UndoOutcome.MERGED
    assert toml.read_bytes() == before[toml].replace(b"dark", b"light") + b"x = 1\n"
    expected = json.loads(before[claude])
    expected["numStartups"] = 8
    expected["mcpServers"]["later"] = {"command": "npx", "args": ["-y", "later"]}
    assert json.loads(claude.read_text()) == expected


def test_an_entry_that_the_client_changed_is_named_and_left(
    home: Path, state: Path
) -> None:
    apply_plan(plan(home, "gemini-cli"), state)
    path = home / ".gemini/settings.json"
    path.write_text(path.read_text().replace('"gateway", ', '"gateway", "--x", '))
    (result,) = (r for r in undo(state) if r.path == path)
    assert result.outcome is UndoOutcome.KEPT
    assert '"--x"' in path.read_text()
    assert (home / ".config/answerable/answerable.yaml").exists()


def test_a_server_that_is_added_later_is_protected_and_restored(
    home: Path, state: Path
) -> None:
    apply_plan(plan(home, "cursor"), state)
    path = home / ".cursor/mcp.json"
    first = path.read_bytes()
    text = first.decode().replace(
        '{"mcpServers":{',
        '{"mcpServers":{"late":{"command":"x","env":{"T_TOKEN":"%s"}},',
    )
    path.write_text(text % CANARIES[15])
    with_late = path.read_bytes()
    made = plan(home, "cursor")
    assert [s.entry for s in made.servers] == ["late"]
    apply_plan(made, state)
    assert CANARIES[15].encode() not in path.read_bytes()
    undo(state)
    servers = json.loads(path.read_bytes())["mcpServers"]
    assert servers["late"] == json.loads(with_late)["mcpServers"]["late"]
    assert servers["search"]["url"] == "http://127.0.0.1:9/mcp"


def test_comments_of_the_configuration_are_kept_when_it_is_extended(
    home: Path, state: Path
) -> None:
    apply_plan(plan(home, "cursor"), state)
    config = home / ".config/answerable/answerable.yaml"
    config.write_text(config.read_text().replace("agents:", "# mine\nagents:"))
    known = config.read_text()
    apply_plan(plan(home, "cursor", "codex"), state)
    extended = config.read_text()
    assert "# mine\nagents:" in extended
    assert set(known.splitlines()) <= set(extended.splitlines())
    undo(state, ("codex",))
    assert config.read_text() == extended


@pytest.mark.parametrize("how", ["broken link", "read-only", "loop"])
def test_a_file_that_cannot_be_written_is_refused(home: Path, how: str) -> None:
    path = home / ".cursor/mcp.json"
    if how == "read-only":
        path.chmod(0o400)
    else:
        path.unlink()
        path.symlink_to(path if how == "loop" else home / "none.json")
    made = plan(home, "cursor")
    assert path not in {change.path for change in made.changes}
    if how == "read-only":
        assert path in {refusal.path for refusal in made.refused}


def test_a_client_that_is_protected_again_gets_its_former_servers(
    home: Path, state: Path
) -> None:
    before = contents(home)
    apply_plan(plan(home, "cursor", "codex"), state)
    config = home / ".config/answerable/answerable.yaml"
    first, protected = config.read_bytes(), contents(home)
    undo(state, ("cursor",))
    assert (home / ".cursor/mcp.json").read_bytes() == before[home / ".cursor/mcp.json"]
    again = plan(home, "cursor")
    apply_plan(again, state)
    assert config.read_bytes() == first
    assert contents(home) == protected
    undo(state)
    assert contents(home) == before
    assert not config.exists()


def test_a_dotted_key_and_windows_lines_of_codex_are_rewritten_and_restored(
    home: Path, state: Path
) -> None:
    path = home / ".codex/config.toml"
    text = (
        "[mcp_servers.shared]\r\n"
        'command = "npx"  # mine\r\n'
        'args = ["-y", "shared"]\r\n'
        f'env.SHARED_TOKEN = "{CANARIES[15]}"\r\n'
        'env.LEVEL = "2"\r\n'
    ).encode()
    path.write_bytes(text)
    made = plan(home, "codex")
    assert not made.refused
    apply_plan(made, state)
    after = path.read_bytes()
    assert CANARIES[15].encode() not in after
    assert b"# mine\r\n" in after
    assert b'env.SHARED_TOKEN = "{answerable:shared.SHARED_TOKEN}"\r\n' in after
    assert b'env.LEVEL = "2"\r\n' in after
    undo(state)
    assert path.read_bytes() == text


def test_a_secret_that_the_client_itself_uses_is_named_each_time(
    home: Path, state: Path
) -> None:
    path = home / ".cursor/mcp.json"
    word = "${TOKEN:-" + CANARIES[15] + "}"
    entry = {"command": "x", "args": ["--token", word]}
    path.write_text(json.dumps({"mcpServers": {"kept": entry}}))
    first = plan(home, "cursor")
    apply_plan(first, state)
    second = plan(home, "cursor")
    for made in (first, second):
        assert [r.server for r in made.refused if "is not moved" in r.reason][:1] == [
            "kept"
        ]


def outcomes(state: Path, *clients: str) -> dict[str, UndoOutcome]:
    return {result.path.name: result.outcome for result in undo(state, clients)}


def write_one_server(home: Path) -> tuple[Path, bytes]:
    """Give Cursor one server on one line, whose key is a canary."""
    path = home / ".cursor/mcp.json"
    server = {"command": "echo", "env": {"API_KEY": CANARIES[15]}}
    path.write_text(json.dumps({"mcpServers": {"one": server}}) + "\n")
    return path, path.read_bytes()


def test_an_entry_that_the_client_renamed_keeps_its_key_and_the_configuration(
    home: Path, state: Path
) -> None:
    path, original = write_one_server(home)
    apply_plan(plan(home, "cursor"), state)
    config = home / ".config/answerable/answerable.yaml"
    (secret,) = (config.parent / "secrets").iterdir()
    protected = path.read_bytes()
    path.write_bytes(protected.replace(b'"one":', b'"two":'))
    renamed = path.read_bytes()
    for _ in range(2):
        assert outcomes(state)["mcp.json"] is UndoOutcome.KEPT
        assert path.read_bytes() == renamed
        assert secret.read_text() == CANARIES[15]
        assert config.exists()
    path.write_bytes(protected)
    assert outcomes(state)["mcp.json"] is UndoOutcome.RESTORED
    assert path.read_bytes() == original
    assert not secret.exists()
    assert not config.exists()


def test_an_entry_that_the_client_copied_keeps_its_key(home: Path, state: Path) -> None:
    path, _ = write_one_server(home)
    apply_plan(plan(home, "cursor"), state)
    written = json.loads(path.read_text())
    written["mcpServers"]["copy"] = written["mcpServers"]["one"]
    path.write_text(json.dumps(written))
    assert outcomes(state)["mcp.json"] is UndoOutcome.KEPT
    assert json.loads(path.read_text()) == written
    assert (home / ".config/answerable/answerable.yaml").exists()


def test_a_key_that_another_protected_client_names_is_kept(
    home: Path, state: Path
) -> None:
    path, original = write_one_server(home)
    apply_plan(plan(home, "cursor", "gemini-cli"), state)
    other = home / ".gemini/settings.json"
    copied = json.loads(path.read_text())["mcpServers"]["one"]
    written = json.loads(other.read_text())
    written["mcpServers"]["copy"] = copied
    other.write_text(json.dumps(written))
    undo(state, ("cursor",))
    assert path.read_bytes() == original
    secret = home / ".config/answerable/secrets/one.API_KEY"
    assert secret.read_text() == CANARIES[15]
    assert outcomes(state)["settings.json"] is UndoOutcome.KEPT
    assert secret.read_text() == CANARIES[15]
    del written["mcpServers"]["copy"]
    other.write_text(json.dumps(written))
    assert outcomes(state)["settings.json"] is UndoOutcome.MERGED
    assert not secret.exists()


def test_a_setting_that_the_client_added_to_the_file_of_the_hook_stays(
    home: Path, state: Path
) -> None:
    path = home / ".claude/settings.json"
    path.unlink()
    apply_plan(plan(home, "claude-code"), state)
    text = path.read_text()
    path.write_text(text.replace("{\n", '{\n  "model": "opus",\n', 1))
    assert outcomes(state)["settings.json"] is UndoOutcome.MERGED
    assert json.loads(path.read_text()) == {"model": "opus"}


@pytest.mark.parametrize("client", ["claude-code", "cursor"])
def test_hooks_that_the_client_added_stay(home: Path, state: Path, client: str) -> None:
    name = {"claude-code": ".claude/settings.json", "cursor": ".cursor/hooks.json"}
    path = home / name[client]
    path.unlink(missing_ok=True)
    apply_plan(plan(home, client), state)
    written = json.loads(path.read_text())
    mine = {"command": "mine"}
    if client == "claude-code":
        written["hooks"]["PreToolUse"][0]["hooks"].append(mine)
        expected = {"hooks": {"PreToolUse": [{"matcher": "*", "hooks": [mine]}]}}
    else:
        written["hooks"]["stop"] = [mine]
        expected = {"version": 1, "hooks": {"stop": [mine]}}
    path.write_text(json.dumps(written, indent=2))
    assert outcomes(state)[path.name] is UndoOutcome.MERGED
    assert json.loads(path.read_text()) == expected


@pytest.mark.parametrize("client", ["claude-code", "cursor"])
def test_a_file_of_the_hook_that_the_client_only_wrote_again_is_removed(
    home: Path, state: Path, client: str
) -> None:
    name = {"claude-code": ".claude/settings.json", "cursor": ".cursor/hooks.json"}
    path = home / name[client]
    path.unlink(missing_ok=True)
    apply_plan(plan(home, client), state)
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert outcomes(state)[path.name] is UndoOutcome.REMOVED
    assert not path.exists()
