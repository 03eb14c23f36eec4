"""What an operator types and hears: one kill, whichever of two commands gives it."""

from pathlib import Path

import pytest

from answerable.cli import signing
from answerable.cli.main import main
from answerable.server import revocation_service
from answerable.server.processes.ancestors import RUN_VARIABLE
from tests.server.configured_servers import (
    AGENT,
    OTHER,
    RUN,
    SERVERS,
    config_of,
    killed,
    service,
    sts,
)


@pytest.mark.parametrize("door", [(), ("gateway",), ("token-service",)])
def test_either_command_kills_at_both_doors_and_says_where_it_could_not(
    tmp_path: Path,
    door: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whoever runs the tests may be an agent.
    monkeypatch.setattr(signing, "require_human", lambda *_: None)
    config_of(tmp_path, SERVERS, sts(tmp_path))
    words = ["--config", str(tmp_path / "answerable.yaml")]
    assert main([*door, "kill", RUN, *words]) == 0
    said = capsys.readouterr().err
    assert f"{RUN}: killed at the gateway and the token service" in said
    assert "the token service is not running" in said
    assert "no gateway is running with" in said
    assert killed(tmp_path) == {RUN}
    assert main([*door, "kill", RUN, *words]) == 0
    assert "already killed" in capsys.readouterr().err
    assert main([*door, "revive", RUN, *words]) == 0
    assert "revived" in capsys.readouterr().err
    assert killed(tmp_path) == frozenset()
    # A service of another user, which does not answer us.
    monkeypatch.setattr(revocation_service, "file_owner", lambda _: OTHER)
    with service(tmp_path, 404, b""):
        for act in ("kill", "revive"):
            assert main([*door, act, RUN, *words]) == 5
            said = capsys.readouterr().err
            assert f"{RUN}: {act}" in said
            assert f"as the token service's user: answerable {act} {RUN}" in said
    assert killed(tmp_path) == frozenset()


@pytest.mark.parametrize("door", [(), ("gateway",), ("token-service",)])
def test_what_an_agent_started_kills_and_does_not_revive(
    tmp_path: Path,
    door: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config_of(tmp_path, SERVERS, sts(tmp_path))
    words = [AGENT, "--config", str(tmp_path / "answerable.yaml")]
    monkeypatch.setenv(RUN_VARIABLE, "1")
    assert main([*door, "kill", *words]) == 0
    assert main([*door, "revive", *words]) == 5
    assert "only a person may do this" in capsys.readouterr().err
    assert killed(tmp_path) == {AGENT}


@pytest.mark.parametrize("door", [(), ("gateway",), ("token-service",)])
def test_what_runs_below_the_service_of_the_file_is_an_agent_too(
    tmp_path: Path, door: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    config_of(tmp_path, SERVERS, sts(tmp_path, str(tmp_path / "elsewhere")))
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(signing, "require_human", lambda *all: asked.append(all[1:]))
    main([*door, "revive", AGENT, "--config", str(tmp_path / "answerable.yaml")])
    assert asked == [(tmp_path / "elsewhere" / "runs",)]


@pytest.mark.parametrize("door", [(), ("gateway",), ("token-service",)])
def test_a_name_that_the_file_does_not_have_is_asked_about(
    tmp_path: Path, door: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    config_of(tmp_path, SERVERS, sts(tmp_path))
    words = ["--config", str(tmp_path / "answerable.yaml")]
    for subject in (AGENT, "rule:desk", "issuer:corp"):
        assert main([*door, "kill", subject, *words]) == 0
        said = capsys.readouterr().err
        assert f"does not contain {subject}; check the spelling" in said
        assert "killed at " in said
    assert main([*door, "kill", "rules:desk\x1b[2J", *words]) == 2
    assert "'rules:desk\\x1b[2J'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("subject", "is_unknown"),
    [
        ("agent:claude-code/anna", True),
        ("agent:claude-code/ana", False),
        ("cred:aws/AKIA0000000000000000", True),
        ("run:0123", False),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_a_kill_of_a_name_that_nothing_contains_holds_and_warns(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    subject: str,
    *,
    is_unknown: bool,
    dry: bool,
) -> None:
    home = tmp_path / "home" / "ana"
    home.mkdir(parents=True)
    (home / ".claude.json").write_text('{"mcpServers": {"db": {"command": "db"}}}')
    store = ["--store", str(tmp_path / "store")]
    assert main([*store, "scan", f"home:{home}"]) == 0
    capsys.readouterr()
    assert main([*store, "kill", subject, *(["--dry-run"] if dry else [])]) == 0
    warned = f"warning: no scan contains {subject}: check the spelling"
    assert (warned in capsys.readouterr().err) is is_unknown
    assert killed(tmp_path) == (frozenset() if dry else {subject})
