"""When a run counts as in progress: until its result is saved and in the log."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from answerable.collector import source_collector
from answerable.collector.run_result import RunResult
from answerable.collector.source_collector import SourceCollector
from answerable.model.collection import CollectionSchedule
from answerable.server.operator_log import OperatorLog


class _RecordingLog:
    """A log that remembers whether the collector was running at each line."""

    def __init__(self, is_running: Callable[[], bool]) -> None:
        self.lines: list[tuple[str, bool]] = []
        self._is_running = is_running

    def info(self, event: str, **_fields: object) -> None:
        self.lines.append((event, self._is_running()))


def test_a_run_is_in_progress_until_its_result_is_saved_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drain that begins while the state is being saved waits for the line of the log."""

    async def succeed(*_: object) -> RunResult:
        return RunResult(stored=1)

    monkeypatch.setattr(source_collector, "run_in_process", succeed)
    saved: list[bool] = []

    async def save() -> None:
        saved.append(bool(collector.running_since))
        collector.drain()

    log = _RecordingLog(lambda: bool(collector.running_since))
    collector = SourceCollector(
        tmp_path,
        f"home:{tmp_path}",
        CollectionSchedule(every=3600, deadline=60, retry=1),
        state=None,
        slots=asyncio.Semaphore(1),
        log=cast("OperatorLog", log),
        save=save,
    )
    asyncio.run(asyncio.wait_for(collector.run_forever(), 60))
    assert saved == [True]
    assert log.lines == [("source.collected", True)]
    assert not collector.running_since
