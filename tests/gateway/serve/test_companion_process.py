"""Another door's process is started anew, and whoever reads is told its new link."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.gateway.serve.companion_process import CompanionProcess
from answerable.gateway.serve.health import WorkerHealth
from answerable.gateway.serve.supervisor import find_sign_in_links
from answerable.server.operator_log import OperatorLog
from tests.gateway.recording.recorder_fixture import until

# It tells its number, closes its output, and ends when its input does.
CHILD = "echo web http://h; echo sign-in http://h/sign-in#$$; exec 1>&-; read x"


def test_a_link_that_was_lost_with_its_process_is_told_anew(tmp_path: Path) -> None:
    told: list[list[tuple[str, str]]] = []
    handle = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)

    async def story() -> list[tuple[str, str]]:
        heard = asyncio.Event()

        def again(listening: list[tuple[str, str]]) -> None:
            told.append(listening)
            heard.set()

        beside = CompanionProcess(
            "web", ["/bin/sh", "-c", CHILD], OperatorLog("s", handle), again
        )
        await beside.open()
        before = beside.listening
        os.kill(int(before[1][1].rpartition("#")[2]), signal.SIGKILL)
        await asyncio.wait_for(heard.wait(), 60)
        await beside.stop(1)
        return before

    before = asyncio.run(story())
    os.close(handle)
    (again,) = told
    assert [what for what, _ in again] == ["web", "sign-in"]
    assert again[1] != before[1]
    assert find_sign_in_links(again) == [again[1]]
    assert find_sign_in_links(again[:1]) == []


# It starts as long as there is no `go`, and notes in `heard` that it was told to reload.
SLOW = """
cd "$1"; until [ -e go ]; do sleep 0.01; done
trap 'touch heard' HUP
echo web http://h; exec 1>&-
while :; do sleep 0.01; done
"""


@pytest.fixture
def hang_up() -> Iterator[None]:
    """A shell traps no signal that was ignored at its start, as `nohup` has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hang_up")
def test_a_reload_while_it_starts_is_heard_once_it_listens(tmp_path: Path) -> None:
    handle = os.open(os.devnull, os.O_WRONLY)
    argv = ["/bin/sh", "-c", SLOW, "sh", str(tmp_path)]

    async def story() -> None:
        beside = CompanionProcess("web", argv, OperatorLog("s", handle))
        opening = asyncio.create_task(beside.open())
        await until(lambda: beside._process is not None)
        beside.reload()
        (tmp_path / "go").touch()
        await opening
        await until((tmp_path / "heard").exists)
        (tmp_path / "heard").unlink()
        beside.reload()
        await until((tmp_path / "heard").exists)
        await beside.stop(1)

    asyncio.run(story())
    os.close(handle)


def test_readiness_names_each_companion_that_does_not_listen() -> None:
    companions = [
        CompanionProcess(name, [], OperatorLog("s")) for name in ("sts", "web")
    ]
    assert WorkerHealth((), companions).not_ready_reasons() == [
        "the token service is not ready",
        "the web page is not ready",
    ]
