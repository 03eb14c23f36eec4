"""An append that a signal interrupts anywhere, repeated in the same process."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from answerable.model.event import AuditEvent
from answerable.store import deduplication, journal_files
from answerable.store import store as store_module
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW
from tests.store.conftest import _make as event

TRACED = {module.__file__ for module in (deduplication, journal_files, store_module)}
LINES_OF_STORE = 8  # a store is asked for its events once for so many lines


class InterruptionError(BaseException):
    """A signal arrived."""


def interrupt_at(line: int, call: Callable[[], object]) -> bool:
    """Run a call, and interrupt it at a line; return whether it was interrupted."""
    seen = 0

    def trace(frame: FrameType, kind: str, _: Any) -> Any:
        nonlocal seen
        if frame.f_code.co_filename not in TRACED:
            return None
        if kind == "line":
            seen += 1
            if seen == line:
                sys.settrace(None)
                raise InterruptionError
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except InterruptionError:
        return True
    finally:
        sys.settrace(before)
    return False


def make_batches(line: int) -> list[list[AuditEvent]]:
    """Make three batches of events that no other line stores."""
    starts = (10 * line, 10 * line + 2, 10 * line + 4)
    return [[event(n, event_time=NOW + n) for n in (k, k + 1)] for k in starts]


def append_interrupted(root: Path, line: int, *, sealed: bool) -> bool:
    """Interrupt the second of three appends at a line, and repeat it.

    Return whether it was interrupted.
    """
    first, second, third = make_batches(line)
    with EvidenceStore.open(root, now=NOW) as store:
        store.append(first, NOW)
        interrupted = interrupt_at(line, lambda: store.append(second, NOW))
        if sealed:
            store.seal(NOW)
        store.append(second, NOW)
        store.append(third, NOW)
        store.seal(NOW)
    return interrupted


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "open"])
def test_an_interrupted_append_that_is_repeated_stores_each_event_once(
    tmp_path: Path,
    sealed: bool,
) -> None:
    """Each line that an append runs may be the last one."""
    lines = range(1 if sealed else 2, 400, 2)
    for start in range(0, len(lines), LINES_OF_STORE):
        root, expected, interrupted = tmp_path / str(start), [], True
        for line in lines[start : start + LINES_OF_STORE]:
            interrupted = append_interrupted(root, line, sealed=sealed)
            batches = make_batches(line)
            expected += [(each.event_id,) for batch in batches for each in batch]
            if not interrupted:
                break
        with EvidenceStore.open(root, now=NOW) as store:
            rows = store.run_query("SELECT event_id FROM events ORDER BY event_time")
        assert rows == expected, line
        if not interrupted:
            assert line > 50
            break
    else:
        pytest.fail("an append has fewer lines")
