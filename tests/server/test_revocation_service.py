"""One kill ends a subject at the gateway and at the token service of one file."""

import json
import socket
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.server import admin_client
from answerable.server import revocation_list as kills_module
from answerable.server.recording.spool_segments import SegmentWriter
from answerable.server.revocation_list import RevocationFile, RevocationNote
from answerable.server.revocation_service import GATEWAY, SERVICE
from tests.server.configured_servers import (
    AGENT,
    BOTH,
    RUN,
    SERVERS,
    killed,
    kills_of,
    service,
    state_of,
    sts,
    took,
)


def test_where_none_runs_it_waits_in_the_store_and_is_taken_back_from_it(
    tmp_path: Path,
) -> None:
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    done = kills.revoke(AGENT, "ana")
    assert (done.is_new, done.at, done.ended, done.refused) == (True, BOTH, None, ())
    assert killed(tmp_path) == {AGENT}
    assert not kills.revoke(AGENT, "ben").is_new
    assert {note.by for note in kills.list_revoked().values()} == {"ana"}
    back = kills.reinstate(AGENT)
    assert (back.is_new, back.at) == (True, BOTH)
    assert killed(tmp_path) == frozenset()
    assert not kills.reinstate(AGENT).is_new


@pytest.mark.parametrize(
    ("subject", "at"),
    [
        (AGENT, BOTH),
        (RUN, BOTH),
        ("person:ana@corp.example", BOTH),
        # No call says these, so a gateway refuses nothing for them by itself.
        ("rule:desk", (SERVICE,)),
        ("issuer:corp", (SERVICE,)),
        ("server:files", (GATEWAY,)),
        ("tool:mcp/files/read", (GATEWAY,)),
        ("principal:https://sts.example/x", (GATEWAY,)),
    ],
)
def test_a_kill_goes_where_it_stops_something_by_itself(
    tmp_path: Path, subject: str, at: tuple[str, ...]
) -> None:
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    assert kills.revoke(subject, "").at == at
    assert kills.reinstate(subject).at == at


def test_a_door_that_the_file_does_not_have_is_not_written_to(tmp_path: Path) -> None:
    assert kills_of(tmp_path, SERVERS).revoke(AGENT, "").at == (GATEWAY,)
    assert not (tmp_path / "store" / "sts").exists()
    alone = tmp_path / "alone"
    alone.mkdir()
    assert kills_of(alone, sts(alone)).revoke(AGENT, "").at == (SERVICE,)
    assert not (alone / "store" / "gateway").exists()
    with pytest.raises(
        EnvironmentFailure, match="no server of the configuration handles this subject"
    ):
        kills_of(alone, sts(alone)).revoke("server:files", "")
    for subject in ("rule:nope", "issuer:nope"):
        with pytest.raises(
            EnvironmentFailure,
            match="no server of the configuration handles this subject",
        ):
            kills_of(tmp_path, SERVERS).revoke(subject, "")
        assert (
            subject
            not in RevocationFile(tmp_path / "store" / "gateway").read_subjects()
        )


def test_a_rule_is_killed_at_the_gateway_once_it_is_known_what_was_given(
    tmp_path: Path,
) -> None:
    state_of(tmp_path)
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    for _ in range(2):  # as often as it is asked
        with service(tmp_path, 200, took(True, "d-1", "d-2")):
            done = kills.revoke("rule:desk", "ana")
        (tmp_path / "sts.sock").unlink()
        assert (set(done.at), done.ended) == (set(BOTH), ("d-1", "d-2"))
        assert not any(
            "accepts these tokens until they expire" in each for each in done.waits
        )
        assert killed(tmp_path) == {"rule:desk", RUN, "run:d-2"}
    with service(tmp_path, 200, took(True)):
        assert set(kills.revoke("rule:idle", "ana").at) == set(BOTH)
    (tmp_path / "sts.sock").unlink()
    for unknown in ("null", '"d-1"', '["d\\n1"]', "[1, {}]"):
        said = b'{"new": true, "ended": %s}' % unknown.encode()
        with service(tmp_path, 200, said):
            done = kills.revoke("issuer:corp", "ana")
        (tmp_path / "sts.sock").unlink()
        assert (done.at, done.ended) == ((SERVICE,), None), unknown
        assert "answerable kill rule:ID --config" in done.waits[-1]


def test_a_rule_that_stands_at_the_gateway_is_taken_back_there_too(
    tmp_path: Path,
) -> None:
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    RevocationFile(tmp_path / "store" / "gateway").revoke("rule:desk")
    assert set(kills.reinstate("rule:desk").at) == set(BOTH)
    assert killed(tmp_path) == frozenset()


@pytest.mark.parametrize(
    ("subject", "is_half"),
    [
        ("rule:desk", True),
        ("person:ana@corp.example", True),
        (RUN, True),
        (AGENT, False),
        ("server:files", False),
    ],
)
def test_what_the_gateway_cannot_know_is_said_with_what_to_run(
    tmp_path: Path, subject: str, is_half: bool
) -> None:
    done = kills_of(tmp_path, SERVERS, sts(tmp_path)).revoke(subject, "")
    said = [
        each for each in done.waits if "accepts these tokens until they expire" in each
    ]
    assert bool(said) is is_half
    for each in said:
        assert "answerable kill run:DELEGATION --config" in each
        assert "Run this again" in each
    alone = tmp_path / "alone"
    alone.mkdir()
    if subject != "server:files":
        # No gateway of the file, nothing to say of it.
        (told,) = kills_of(alone, sts(alone)).revoke(subject, "").waits
        assert told.startswith("the token service is not running")


def test_forty_thousand_delegations_are_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    write = kills_module.write_file
    monkeypatch.setattr(
        kills_module,
        "write_file",
        lambda path, data, **how: (writes.append(len(data)), write(path, data, **how)),
    )
    state_of(tmp_path)
    runs = [f"{number:032x}" for number in range(40_000)]
    said = took(True, *runs)
    assert len(said) > 1 << 20
    with service(tmp_path, 200, said):
        done = kills_of(tmp_path, SERVERS, sts(tmp_path)).revoke(AGENT, "")
    assert (done.at, len(done.ended or ())) == (BOTH, len(runs))
    assert killed(tmp_path) == {AGENT, *(f"run:{each}" for each in runs)}
    assert len(writes) == 2


def test_one_that_drips_is_waited_for_no_longer_than_one_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_client, "REQUEST_TIMEOUT", 0.2)
    state_of(tmp_path)
    ended = threading.Event()

    def drip() -> None:
        wire, _ = listening.accept()
        with wire, suppress(OSError):
            while not ended.wait(0.02):
                wire.sendall(b" ")

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "sts.sock"))
        listening.listen()
        thread = threading.Thread(target=drip)
        thread.start()
        done = kills_of(tmp_path, SERVERS, sts(tmp_path)).revoke(AGENT, "")
        ended.set()
        thread.join(60)
    assert (done.at, done.ended) == (BOTH, None)
    assert killed(tmp_path) == {AGENT}


def test_a_kill_says_where_no_gateway_runs_that_would_read_it(tmp_path: Path) -> None:
    kills = kills_of(tmp_path, SERVERS)
    state = tmp_path / "store" / "gateway"
    (said,) = kills.revoke(AGENT, "").waits
    assert said.startswith(f"no gateway is running with {state}: the kill is stored")
    assert "--store" in said
    ended = SegmentWriter(state / "spool", "one")
    ended.close()
    assert kills.revoke(AGENT, "").waits == (said,)
    # A worker of the gateway, a wrapper, or the decision point, which it binds too.
    for spool in (state / "spool", tmp_path / "store" / "decisions" / "spool"):
        running = SegmentWriter(spool, "two")
        assert kills.revoke(AGENT, "").waits == ()
        running.close()
    assert kills.revoke(AGENT, "").waits == (said,)


def test_what_ended_at_a_service_that_runs_the_gateway_refuses_too(
    tmp_path: Path,
) -> None:
    state_of(tmp_path)
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    with service(tmp_path, 200, took(True, "d-1", "d-2")) as asked:
        done = kills.revoke(AGENT, "ana")
    assert (done.at, done.ended, done.refused) == (BOTH, ("d-1", "d-2"), ())
    assert killed(tmp_path) == {AGENT, RUN, "run:d-2"}
    assert asked[0].startswith(b"POST /admin/kill ")
    assert asked[0].endswith(json.dumps({"subject": AGENT, "by": "ana"}).encode())
    (tmp_path / "sts.sock").unlink()
    revived = json.dumps({"subject": AGENT, "revived": True}).encode()
    with service(tmp_path, 200, revived) as asked:
        assert kills.reinstate(AGENT).is_new
    assert asked[0].startswith(b"POST /admin/revive ")


def test_a_gateway_that_refuses_what_ended_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RevocationFile.revoke_all

    def full(
        self: RevocationFile, subjects: Collection[str], note: RevocationNote
    ) -> bool:
        if any(each.startswith("run:") for each in subjects):
            raise EnvironmentFailure("no space left", "")
        return write(self, subjects, note)

    monkeypatch.setattr(RevocationFile, "revoke_all", full)
    state_of(tmp_path)
    with service(tmp_path, 200, took(True, "d-1")):
        done = kills_of(tmp_path, SERVERS, sts(tmp_path)).revoke(AGENT, "")
    assert (done.at, done.refused) == ((SERVICE,), ("the gateway: no space left",))


def test_where_neither_takes_it_that_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    with pytest.raises(EnvironmentFailure, match="not killed") as caught:
        kills.revoke(AGENT, "")
    assert "the gateway: " in caught.value.message
    assert "the token service: " in caught.value.message
    with pytest.raises(EnvironmentFailure, match="not revived"):
        kills.reinstate(AGENT)


def test_a_preview_changes_nothing_and_says_what_would_end(tmp_path: Path) -> None:
    state_of(tmp_path)
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    with service(tmp_path, 200, took(True, "d-1", "d-2")) as asked:
        done = kills.preview(AGENT)
    assert (done.is_new, done.at, done.ended) == (True, BOTH, ("d-1", "d-2"))
    assert done.waiting == (GATEWAY,)
    assert asked[0].startswith(b"POST /admin/given ")
    assert killed(tmp_path) == frozenset()
    (tmp_path / "sts.sock").unlink()
    kills.revoke(AGENT, "ana")
    done = kills.preview(AGENT)
    assert (done.is_new, done.ended, done.waiting) == (False, None, BOTH)
