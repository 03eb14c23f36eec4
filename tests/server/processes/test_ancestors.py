"""Agents above a process: known ones, registered ones, marked ones, and unknowns."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.formats import agent_clients as inventory
from answerable.server.processes import ancestors as module
from answerable.server.processes.agent_program_recognition import (
    CLIENTS,
    find_agent_client,
)
from answerable.server.processes.ancestors import (
    RUN_VARIABLE,
    Ancestor,
    StartedByAgent,
    describe_agent_ancestor,
    list_ancestors,
    read_registered_processes,
    refuse_agent_ancestors,
)

CLEAN = Ancestor(4242, 777, 1, 1000, "bash", "/usr/bin/bash", ("-bash",), marked=False)

KNOWN = [
    ("claude-code", "claude", "/opt/claude/claude", ("claude",)),
    ("claude-code", "MainThread", "/usr/bin/node", ("claude",)),
    ("claude-code", "claude", "/usr/bin/node", ("node", "/x/cli.js")),
    ("claude-code", "node", "/usr/bin/node", ("node", "/usr/local/bin/claude", "-p")),
    (
        "claude-code",
        "node",
        "/usr/bin/node",
        (
            "node",
            "--no-warnings",
            "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js",
        ),
    ),
    ("claude-code", "claude", "/bin/dash", ("/bin/sh", "/tmp/x/claude")),
    ("claude-code", "x", "", ("/home/ana/.local/bin/claude",)),
    ("cursor", "cursor", "/tmp/.mount_Cursor/usr/share/cursor/cursor", ()),
    ("cursor", "node", "/home/a/.cursor-server/cli/node", ("node", "server.js")),
    ("codex", "codex", "/usr/bin/codex", ("codex", "exec")),
    ("codex", "bun", "/usr/bin/bun", ("bun", "/x/@openai/codex/bin/codex.js")),
    ("gemini-cli", "node", "/usr/bin/node", ("node", "/usr/bin/gemini")),
    ("opencode", "opencode", "/x/opencode", ("opencode",)),
    ("goose", "goosed", "/usr/lib/goose/goosed", ("goosed", "agent")),
    ("aider", "python3.12", "/usr/bin/python3.12", ("python3", "-m", "aider")),
    ("aider", "aider", "/usr/bin/python3.12", ("python", "/x/bin/aider")),
    ("vscode", "code", "/usr/share/code/code", ("/usr/share/code/code", "--x")),
    ("vscode", "node", "/h/.vscode-server/cli/node", ("node", "out/server-main.js")),
    ("zed", "zed-editor", "/x/libexec/zed-editor", ()),
    ("jetbrains", "idea", "/opt/idea/bin/idea", ()),
    ("windsurf", "Windsurf", "/opt/Windsurf/windsurf.AppImage", ()),
    ("claude-code", "CLAUDE.EXE", "", ()),
]

NONE = [
    ("bash", "/usr/bin/bash", ("-bash",)),
    ("bash", "/usr/bin/bash", ("bash", "-c", "cat claude.md")),
    ("vim", "/usr/bin/vim", ("vim", "/src/@openai/codex/README.md")),
    ("sshd", "", ("sshd: ana@pts/0",)),
    ("systemd", "/usr/lib/systemd/systemd", ("/sbin/init",)),
    ("node", "/usr/bin/node", ("node", "server.js", "claude")),
    ("python3", "/usr/bin/python3", ("python3", "/usr/bin/answerable", "attest")),
    ("claudette", "/usr/bin/claudette", ("claudette",)),
    ("tmux: server", "/usr/bin/tmux", ("tmux",)),
    ("", "", ()),
]


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: f"{row[0]}: {row[1]} {row[3]}")
def test_a_known_client_is_known_by_name_program_or_script(
    row: tuple[str, str, str, tuple[str, ...]],
) -> None:
    client, name, program, argv = row
    assert find_agent_client(name, program, argv) == client
    line = (CLEAN, replace(CLEAN, name=name, program=program, argv=argv))
    assert client in describe_agent_ancestor(line, ())


@pytest.mark.parametrize("row", NONE, ids=str)
def test_what_a_person_runs_is_no_client(row: tuple[str, str, tuple[str, ...]]) -> None:
    assert find_agent_client(*row) == ""
    name, program, argv = row
    assert (
        describe_agent_ancestor(
            (replace(CLEAN, name=name, program=program, argv=argv),), ()
        )
        == ""
    )


@given(st.text(max_size=20), st.text(max_size=40), st.lists(st.text(), max_size=4))
def test_any_names_are_looked_at_without_a_word(
    name: str, program: str, argv: list[str]
) -> None:
    assert find_agent_client(name, program, argv) in ("", *CLIENTS)


def test_every_client_of_the_inventory_is_in_the_table() -> None:
    files = (
        *inventory.HOME_FILES,
        *inventory.MANAGED_FILES,
        *inventory.PROJECT_FILES,
    )
    assert {file.client for file in files} <= set(CLIENTS)


def test_a_registered_run_is_an_agent_by_number_and_start() -> None:
    assert describe_agent_ancestor((CLEAN,), {(4242, 777)})
    assert not describe_agent_ancestor((CLEAN,), {(4242, 778), (4243, 777)})
    assert describe_agent_ancestor((replace(CLEAN, marked=True),), ())


def test_registered_runs_are_read_from_names_and_from_what_files_say(
    tmp_path: Path,
) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "12-34.json").write_text("{}")
    (runs / "abcdef").write_text(
        json.dumps(
            {
                "id": "abcdef",
                "process": {"boot": "b", "pid": 5, "start": 6},
                "launcher": {"boot": "b", "pid": 7, "start": 8},
            }
        )
    )
    for name in ("x-1.json", "1-.json", "-1.json", "README", ".1-2.json.new"):
        (runs / name).write_text("not ours")
    (runs / "folder").mkdir()
    assert read_registered_processes([runs, tmp_path / "missing"]) == {
        (12, 34),
        (5, 6),
        (7, 8),
    }


def test_our_own_line_leads_to_the_first_process() -> None:
    line = list_ancestors()
    assert (line[0].pid, line[-1].pid) == (os.getpid(), 1)
    assert [each.parent for each in line[:-1]] == [each.pid for each in line[1:]]
    assert line[0].uid == os.getuid()
    assert line[0].argv


def test_where_nothing_can_be_looked_up_it_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "Path", lambda *parts: Path("/nowhere", *parts[1:]))
    with pytest.raises(
        StartedByAgent, match="identified as one: this machine has no /proc"
    ):
        list_ancestors()


def test_a_line_that_does_not_lead_to_the_first_process_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = replace(CLEAN, parent=0)
    monkeypatch.setattr(module, "_read_process", lambda pid: outside)
    with pytest.raises(StartedByAgent, match="from outside the container"):
        list_ancestors(4242)


def test_a_line_that_will_not_stand_still_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts = iter(range(100))
    monkeypatch.setattr(
        module, "_read_process", lambda pid: replace(CLEAN, pid=pid, start=next(starts))
    )
    with pytest.raises(StartedByAgent, match="ended during"):
        list_ancestors(4242)


def test_a_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "_read_process", lambda pid: replace(CLEAN, pid=pid, parent=pid + 1)
    )
    with pytest.raises(StartedByAgent, match="more than"):
        list_ancestors(4242)


def test_a_process_that_proc_hides_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise module.ProcessGone

    monkeypatch.setattr(module, "read_process_facts", gone)
    monkeypatch.setattr(module, "open_pidfd", lambda pid: -1)
    monkeypatch.setattr(module, "_is_alive", lambda pid: True)
    with pytest.raises(StartedByAgent, match="/proc hides process 99999999"):
        list_ancestors(99999999)


def test_a_mark_in_our_own_environment_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "list_ancestors", lambda: (CLEAN,))
    refuse_agent_ancestors()
    monkeypatch.setenv(RUN_VARIABLE, "")
    with pytest.raises(StartedByAgent, match=RUN_VARIABLE):
        refuse_agent_ancestors()


ASK = textwrap.dedent(
    """
    import os, sys
    from answerable.server.processes.ancestors import StartedByAgent, refuse_agent_ancestors
    os.environ.pop("ANSWERABLE_RUN", None)
    try:
        refuse_agent_ancestors()
    except StartedByAgent as error:
        print(error.message)
    else:
        print("allowed")
    """
)


def asked(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout.strip()


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A script that asks, three shells deep."""
    ask = tmp_path / "ask.py"
    ask.write_text(ASK)
    script = tmp_path / "deep"
    script.write_text(
        f"#!/bin/sh\nsh -c 'sh -c \"{sys.executable} {ask}; true\"; true'\n"
    )
    script.chmod(0o700)
    return script


# Where an agent runs the tests, everything below is refused, as it should be.
by_a_person = pytest.mark.skipif(
    not Path("/proc/self/stat").exists()
    or RUN_VARIABLE in os.environ
    or describe_agent_ancestor(list_ancestors(), ()) != "",
    reason="an agent runs these tests, or there is no /proc",
)


@by_a_person
def test_a_shell_of_ones_own_may_ask(shell: Path) -> None:
    assert asked([str(shell)]) == "allowed"


def test_whatever_an_agent_starts_may_not(shell: Path, tmp_path: Path) -> None:
    fake = tmp_path / "claude"
    fake.write_text(f"#!/bin/sh\n{shell}\ntrue\n")
    fake.chmod(0o700)
    assert "ancestor" in asked([str(fake)])
    assert "allowed" not in asked([str(fake)])


def test_what_a_marked_process_starts_may_not_even_when_it_forgets(
    shell: Path,
) -> None:
    assert "ancestor" in asked([str(shell)], ANSWERABLE_RUN="run-1")
