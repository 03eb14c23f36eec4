"""Renewal of an agent's session: refused, slow, killed in the meantime, expired."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.server.agent_credentials import credential_broker
from answerable.server.agent_credentials.credential_cache import CredentialCache
from answerable.store.log_stamp import read_log_stamp
from tests.agent_credentials.conftest import AGENT, NAME, Laptop
from tests.agent_credentials.test_credential_process import Capture, fetch


def edit_cache(laptop: Laptop, **changes: object) -> Path:
    """Change fields of the cached credential."""
    folder = laptop.home.parent / "runtime" / "answerable" / "agent-credentials"
    (file,) = folder.glob("*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return file


def test_while_aws_is_away_the_last_session_is_given_without_a_new_call(
    laptop: Laptop, capsys: Capture
) -> None:
    laptop.sign()
    first, _ = fetch(capsys)
    edit_cache(laptop, renew_at=1)
    laptop.sts.refuses = {"GetScopedCredentials": "ServiceUnavailable"}
    for _ in range(3):
        assert fetch(capsys)[0] == first
    assert laptop.sts.operations().count("GetScopedCredentials") == 2
    edit_cache(laptop, renew_at=1)
    laptop.sts.refuses = {}
    assert fetch(capsys)[0] != first


def test_a_renewal_in_another_process_keeps_nobody_waiting(
    laptop: Laptop, capsys: Capture
) -> None:
    laptop.sign()
    first, _ = fetch(capsys)
    file = edit_cache(laptop, renew_at=1)
    handle = os.open(file.parent, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        assert fetch(capsys)[0] == first
    finally:
        os.close(handle)
    assert fetch(capsys)[0] != first


def test_a_kill_during_the_wait_for_another_process_is_seen(
    laptop: Laptop, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop.sign()
    fetch(capsys)
    edit_cache(laptop, stamp="an earlier log", renew_at=1)

    class OtherProcess(CredentialCache):
        @contextmanager
        def lock(self, *, wait: bool = True) -> Iterator[bool]:
            edit_cache(laptop, stamp=read_log_stamp(laptop.store), renew_at=1 << 62)
            assert main(["kill", AGENT]) == 0
            yield wait

    monkeypatch.setattr(credential_broker, "CredentialCache", OtherProcess)
    assert main(["aws", "credential-process", "--agent", NAME]) == 5
    assert "is killed" in capsys.readouterr().err


def test_expired_sessions_of_ended_runs_are_removed(
    laptop: Laptop, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop.sign()
    fetch(capsys)
    old = edit_cache(laptop, expires=1)
    monkeypatch.setenv("ANSWERABLE_RUN", "0" * 16)
    fetch(capsys)
    assert not old.exists()
    assert len(list(old.parent.glob("*.json"))) == 1
