"""Shipping in a process of its own: what became of it is told, and it can be stopped."""

import asyncio
from pathlib import Path

import pytest

from answerable.model.config import Limits
from answerable.model.record import Exchanged
from answerable.serving.shipping import NICE, Told, niceness, ship_apart
from answerable.serving.stored import make_store
from answerable.sts.recording.recorder import Recorder


def recorded(spool: Path) -> None:
    """Leave one record in a spool."""

    async def main() -> None:
        recorder = Recorder(spool, asyncio.get_running_loop(), Limits())
        recorder.refused(Exchanged(0, 0, "", "exchange", error="invalid_grant"))
        recorder.close()

    asyncio.run(main())


def test_what_waits_is_stored_by_another_process(tmp_path: Path) -> None:
    root, spool = tmp_path / "store", tmp_path / "spool"
    make_store(root)
    recorded(spool)
    told = asyncio.run(ship_apart(root, spool))
    assert (told.refused, told.problems) == ("", ())
    assert told.stored == 1
    assert asyncio.run(ship_apart(root, spool)) == Told()


def test_why_it_stays_where_it_is_is_told(tmp_path: Path) -> None:
    root, spool = tmp_path / "store", tmp_path / "spool"
    root.mkdir()
    (root / "something").write_text("else")
    recorded(spool)
    assert str(root) in asyncio.run(ship_apart(root, spool)).refused


def test_one_that_is_stopped_ships_the_next_time(tmp_path: Path) -> None:
    root, spool = tmp_path / "store", tmp_path / "spool"
    make_store(root)
    recorded(spool)

    async def main() -> None:
        shipping = asyncio.create_task(ship_apart(root, spool))
        await asyncio.sleep(0.05)
        shipping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await shipping
        assert (await ship_apart(root, spool)).refused == ""

    asyncio.run(main())
    assert not list(spool.glob("*/*.jsonl"))


def test_shipping_gives_way_while_little_waits(tmp_path: Path) -> None:
    assert niceness(tmp_path / "none", 1600) == NICE
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "000001.jsonl").write_bytes(bytes(100))
    assert niceness(tmp_path, 1600) == NICE
    (tmp_path / "one" / "000002.jsonl").write_bytes(b"x")
    assert niceness(tmp_path, 1600) == 0
