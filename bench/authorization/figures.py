"""Authorization figures: reload of many policies under load."""

from collections.abc import Iterator
from pathlib import Path

from bench.authorization import reload
from bench.figures import Line

COUNT, QUICK = 10_000, 500


def measure_authorization(folder: Path, command: str, *, quick: bool) -> Iterator[Line]:
    """Measure them all."""
    command = f"{command} --only enforce"
    yield from reload.measure_reload(folder, QUICK if quick else COUNT, command)
