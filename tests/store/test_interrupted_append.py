"""An append that a signal interrupts anywhere, repeated in the same process."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from answerable.store import deduplication, journal_files
from answerable.store import store as store_module
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW
from tests.store.conftest import _make as event

TRACED = {module.__file__ for module in (deduplication, journal_files, store_module)}
BATCHES = [[event(n, event_time=NOW + n) for n in (k, k + 1)] for k in (0, 2, 4)]


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


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "open"])
def test_an_interrupted_append_that_is_repeated_stores_each_event_once(
    tmp_path: Path,
    sealed: bool,
) -> None:
    """Each line that an append runs may be the last one."""
    first, second, third = BATCHES
    for line in range(1 if sealed else 2, 400, 2):
        root = tmp_path / str(line)
        with EvidenceStore.open(root, now=NOW) as store:
            store.append(first, NOW)
            interrupted = interrupt_at(line, lambda: store.append(second, NOW))
            if sealed:
                store.seal(NOW)
            store.append(second, NOW)
            store.append(third, NOW)
            store.seal(NOW)
            rows = store.run_query("SELECT event_id FROM events ORDER BY event_time")
            expected = [(each.event_id,) for batch in BATCHES for each in batch]
            assert rows == expected, line
        if not interrupted:
            assert line > 50
            break
    else:
        pytest.fail("an append has fewer lines")
