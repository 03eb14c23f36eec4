"""Files of a folder that an earlier run has read are left out."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from answerable.connectors.cloudtrail import fetch
from answerable.connectors.cloudtrail.log_format import FORMAT
from answerable.connectors.log_parser_process import read_in_subprocess
from answerable.model.connector import EventBatch, EventContext
from answerable.model.log_position import FilePosition

DATA = Path(__file__).parents[2] / "data" / "cloudtrail"
LATER = 2**62  # every file has settled


@pytest.mark.parametrize(
    "read", [fetch.read, partial(read_in_subprocess, FORMAT.module)]
)
def test_files_that_were_read_are_left_out(
    tmp_path: Path, read: Callable[[str, EventContext], Iterator[EventBatch]]
) -> None:
    for name in ("1.json", "2.json"):
        (tmp_path / name).write_bytes((DATA / "day.json").read_bytes())

    def places(
        cursor: dict[str, FilePosition],
    ) -> tuple[set[str], dict[str, FilePosition]]:
        batches = list(read(str(tmp_path), EventContext(cursor=cursor, now=LATER)))
        positions: dict[str, FilePosition] = {}
        for batch in batches:
            positions |= batch.positions
        return {Path(batch.place).name for batch in batches if batch.place}, positions

    found, cursor = places({})
    assert found == {"1.json", "2.json"}
    assert places(cursor) == (set(), cursor)
    del cursor[str(tmp_path / "2.json")]
    assert places(cursor)[0] == {"2.json"}
