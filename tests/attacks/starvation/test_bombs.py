"""Compressed logs that unfold to far more than they are: the work is bounded."""

import time
import zlib
from pathlib import Path

import pytest

from answerable.cli.main import main

SIZE = 300 << 20  # bytes that each would unfold to
PROCESSOR = 5.0  # seconds; before there was a bound, a blank one took over a minute

BOMBS: dict[str, tuple[bytes, bytes]] = {
    "blanks": (b'{"Records":[', b" "),
    "digits": (b'{"Records":[', b"0"),
    "brackets": (b"", b"["),
    "lines of nothing": (b"", b"{}\n"),
    "one string": (b'{"Records":[{"eventName":"', b"a"),
    "no records": (b'{"Records":[', b'{"eventName":"GetObject","eventID":"1"},'),
    "commas": (b'{"Records":[', b","),
}
SHORT = ("blanks", "no records")


def bomb(path: Path, head: bytes, unit: bytes) -> None:
    packer = zlib.compressobj(6, wbits=31)
    block = unit * ((1 << 20) // len(unit))
    with path.open("wb") as file:
        file.write(packer.compress(head))
        for _ in range(SIZE >> 20):
            file.write(packer.compress(block))
        file.write(packer.flush())


@pytest.mark.parametrize(
    "name",
    [
        name if name in SHORT else pytest.param(name, marks=pytest.mark.world)
        for name in BOMBS
    ],
)
def test_a_bomb_costs_seconds_and_is_named(
    name: str,
    tmp_path: Path,
    counted: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "bomb.json.gz"
    bomb(path, *BOMBS[name])
    began = time.process_time()
    code = main(["--store", str(tmp_path / "store"), "ingest", f"cloudtrail:{path}"])
    assert time.process_time() - began < PROCESSOR
    assert code == 3
    assert "warning: cloudtrail:" in capsys.readouterr().err
    counted.append(name)
