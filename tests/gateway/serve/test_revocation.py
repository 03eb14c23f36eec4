import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from answerable.cli import signing
from answerable.cli.main import main
from answerable.model.ids import build_fingerprint_credential_id
from answerable.server.revocation_list import RevocationFile
from answerable.server.revocation_records import read_revocation_records
from answerable.server.secret_fingerprints import build_fingerprinter
from answerable.store.store import EvidenceStore
from tests.gateway.serve.running_gateway import (
    SECONDS,
    Backend,
    Serving,
    configuration,
    serving,
)

Operate = Callable[..., str]


@pytest.fixture
def operate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operate:
    """What an operator types beside the gateway; what that says."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    # Whoever runs the tests may be an agent.
    monkeypatch.setattr(signing, "require_human", lambda *_: None)

    def said(*words: str) -> str:
        code = main(words)
        out, err = capsys.readouterr()
        assert code == 0, err
        return str(out + err)

    return said


NAMED = ("--config", "answerable.yaml")
SUBJECTS = ("agent:declared/ana", "run:ana")


def taken(served: Serving, event: str, count: int) -> dict[str, Any]:
    """Wait until every worker has it."""
    return served.hear(event, count)


def test_a_kill_holds_until_it_is_taken_back(
    tmp_path: Path, server: Backend, operate: Operate
) -> None:
    settings = configuration(server.server_port)
    settings["listen"]["workers"] = 2
    settings["agents"]["ana"]["mode"] = "observe"
    with serving(tmp_path, settings) as served:
        assert "result" in served.call("read")
        for number, subject in enumerate(SUBJECTS, 1):
            said = operate("gateway", "kill", subject, *NAMED)
            assert "killed, within a second, at the gateway\n" in said
            assert "no gateway is running" not in said
            assert taken(served, "kill.taken", 2 * number)["subject"] == subject
            for _ in range(4):  # whichever worker it meets
                assert "error" in served.call("read")
            operate("gateway", "revive", subject, *NAMED)
            assert taken(served, "kill.revived", 2 * number)["subject"] == subject
            for _ in range(4):
                assert "result" in served.call("read")
        assert served.end() == 0
    query = "SELECT action, resource FROM lineage WHERE action LIKE 'answerable:%'"
    told = operate("--store", str(tmp_path / "store"), "-o", "csv", "sql", query)
    for subject in SUBJECTS:  # once in each worker
        assert told.count(f"answerable:kill,{subject}\n") == 2
        assert told.count(f"answerable:revive,{subject}\n") == 2


def test_a_kill_cuts_a_stream_that_is_open(
    tmp_path: Path, server: Backend, operate: Operate
) -> None:
    server.calls.clear()
    with serving(tmp_path, configuration(server.server_port)) as served:
        ended: list[float] = []

        def watch() -> None:
            with suppress(OSError, HTTPException, ValueError):
                served.call("stream")
            ended.append(time.monotonic())

        watching = threading.Thread(target=watch)
        watching.start()
        while "stream" not in server.calls:
            time.sleep(0.01)
        assert not ended
        operate("gateway", "kill", "agent:declared/ana", *NAMED)
        killed = time.monotonic()
        watching.join(60)
        assert ended
        until = killed + 10
        while "stream ended" not in server.calls:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_a_kill_outlives_a_restart(
    tmp_path: Path, server: Backend, operate: Operate
) -> None:
    settings = configuration(server.server_port)
    with serving(tmp_path, settings) as served:
        operate("gateway", "kill", "agent:declared/ana", *NAMED)
        assert served.end() == 0
    with serving(tmp_path, settings) as served:
        assert "error" in served.call("read")
        assert "result" in served.call("read", who="ben")


def test_kills_that_cannot_be_read_leave_those_in_force(
    tmp_path: Path, server: Backend, operate: Operate
) -> None:
    kills = tmp_path / "store" / "gateway" / "kills"
    with serving(tmp_path, configuration(server.server_port)) as served:
        operate("gateway", "kill", "agent:declared/ana", *NAMED)
        served.hear("kill.taken")
        kills.write_text("nonsense\n")
        served.hear("kills.refused")
        assert "error" in served.call("read")
        assert served.end() == 0
    with serving(tmp_path, configuration(server.server_port), lines=0) as served:
        assert served.process.wait(SECONDS) == 5


def test_a_kill_before_there_is_a_store_leaves_one_that_can_be_used(
    tmp_path: Path, operate: Operate
) -> None:
    (tmp_path / "answerable.yaml").write_text(json.dumps(configuration(1)))

    def run(*words: str) -> str:
        return operate("--store", "store", *words)

    said = run("gateway", "kill", "agent:declared/ana", *NAMED)
    assert "killed at the gateway" in said
    assert "no gateway is running with" in said
    assert "already killed" in run("gateway", "kill", "agent:declared/ana", *NAMED)
    assert "check the spelling" in run("gateway", "kill", "agent:declared/anna", *NAMED)
    assert "revived" in run("gateway", "revive", "agent:declared/ana", *NAMED)
    assert "was not killed" in run("gateway", "revive", "agent:declared/ana", *NAMED)
    run("scan", "config:answerable.yaml")


def test_no_server_is_shown_a_credential_that_was_killed(
    tmp_path: Path, server: Backend, operate: Operate
) -> None:
    settings = configuration(server.server_port)
    secret = tmp_path / "key"
    secret.write_text("sk-of-the-server")
    secret.chmod(0o600)
    settings["servers"]["files"]["credential"] = {"file": str(secret)}
    with serving(tmp_path, settings) as served:
        assert "result" in served.call("read")
        fingerprint = build_fingerprinter(tmp_path / "store")(secret.read_text())
        subject = build_fingerprint_credential_id(fingerprint)
        assert '"state": "dead"' in operate("-o", "json", "kill", subject, *NAMED)
        taken(served, "kill.taken", 1)
        shown = len(server.shown)
        assert "error" in served.call("read")
        assert len(server.shown) == shown
        assert served.end() == 0
    # A kill of before the start, when the gateway has not read the credential yet.
    with serving(tmp_path, settings) as served:
        assert "error" in served.call("read")
        assert len(server.shown) == shown
        operate("revive", subject, *NAMED)
        taken(served, "kill.revived", 1)
        assert "result" in served.call("read")


def test_one_command_says_what_is_dead_and_leaves_one_record(
    tmp_path: Path, server: Backend, operate: Operate
) -> None:
    agent = "agent:declared/ana"
    with serving(tmp_path, configuration(server.server_port)) as served:

        def rows(*words: str) -> list[dict[str, Any]]:
            said = operate("-o", "ndjson", *words, *NAMED)
            return [
                json.loads(line)
                for line in said.splitlines()
                if line.startswith('{"act"')
            ]

        (tried, unknown) = rows("kill", agent, "--dry-run")
        assert (tried["act"], tried["state"]) == ("dry-run", "dead")
        # Nothing was scanned, so its credentials are not known: never none.
        assert (unknown["what"], unknown["state"]) == ("credentials", "not-known")
        assert "result" in served.call("read")
        (dead, _) = rows("kill", agent, "--reason", "it mails strangers")
        assert (dead["where"], dead["state"], dead["until"]) == (
            "the gateway",
            "dead",
            None,
        )
        taken(served, "kill.taken", 1)
        assert "error" in served.call("read")
        note = RevocationFile(tmp_path / "store").read_revocations()[agent]  # type: ignore[index]
        assert note.reason == "it mails strangers"
        (back,) = rows("revive", agent, "--reason", "mended")
        assert back["state"] == "revived"
        assert served.end() == 0
    with EvidenceStore.open(tmp_path / "store", now=time.time_ns()) as store:
        records, total = read_revocation_records(store, 9)
    assert total == 2  # and none of the dry run
    told = [(each.revived, each.reason, each.subject) for each in records]
    assert told == [(True, "mended", agent), (False, "it mails strangers", agent)]


def test_kills_of_an_earlier_release_hold_and_are_taken_back(
    tmp_path: Path, server: Backend, operate: Operate
) -> None:
    old = RevocationFile(tmp_path / "store" / "gateway")
    operate("--store", "store", "scan", "repo:.")
    old.revoke("agent:declared/ana", "ana")
    with serving(tmp_path, configuration(server.server_port)) as served:
        assert "error" in served.call("read")
        operate("revive", "agent:declared/ana", *NAMED)
        taken(served, "kill.revived", 1)
        assert "result" in served.call("read")
    assert not old.read_subjects()


def test_a_server_with_another_store_is_reached_in_its_own_folder(
    tmp_path: Path, server: Backend, operate: Operate
) -> None:
    settings = configuration(server.server_port, state="state")
    with serving(tmp_path, settings, "--store", str(tmp_path / "other")) as served:
        operate("kill", "agent:declared/ana", *NAMED)
        taken(served, "kill.taken", 1)
        assert "error" in served.call("read")
        operate("revive", "agent:declared/ana", *NAMED)
        taken(served, "kill.revived", 1)
        assert "result" in served.call("read")
