"""Files of a folder that a caller has read already are left out."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from answerable.connectors.cloudtrail import fetch
from answerable.connectors.cloudtrail.log_format import FORMAT
from answerable.connectors.log_parser_process import read_in_subprocess
from answerable.model.connector import EventBatch, EventContext

DATA = Path(__file__).parents[2] / "data" / "cloudtrail"


@pytest.mark.parametrize(
    "read", [fetch.read, partial(read_in_subprocess, FORMAT.module)]
)
def test_files_of_a_folder_may_be_skipped(
    tmp_path: Path, read: Callable[[str, EventContext], Iterator[EventBatch]]
) -> None:
    for name in ("1.json", "2.json"):
        (tmp_path / name).write_bytes((DATA / "day.json").read_bytes())

    def places(*skipped: str) -> set[str]:
        skip = frozenset(str(tmp_path / name) for name in skipped)
        batches = read(str(tmp_path), EventContext(skip=skip))
        return {Path(batch.place).name for batch in batches}

    assert places() == {"1.json", "2.json"}
    assert places("1.json", "other.json") == {"2.json"}
    assert places("1.json", "2.json") == set()
