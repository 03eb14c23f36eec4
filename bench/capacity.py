"""Machine sizes for amounts of logs a day, computed from the page of measurements.

`python -m bench.capacity` prints a table of docs/scale.md, and the arithmetic of its last
columns. Nothing is measured.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import format_number

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
BYTES_PER_RECORD = 1_260  # of a public trail of CloudTrail
BUSIEST_HOUR = 4  # its events, over those of a mean hour
SHARE = 0.5  # of the processors; the rest answers questions
QUESTIONS = 4  # at once
QUESTION_MIB = 384  # DuckDB's limit
_DAY = 86_400
_MIB_PER_GB = 1e9 / (1 << 20)
_SIZES = (("1 GB", 1e9), ("10 GB", 1e10), ("100 GB", 1e11), ("1 TB", 1e12))
_SMALL, _LARGE = 200_000, 2_000_000


@dataclass(frozen=True, slots=True)
class MeasuredIngest:
    """What `python -m bench --only ingest` measured.

    Attributes:
        rate: Events for a processor second of ingest.
        verified: Events for a second of `evidence verify`.
        size: Bytes of an event in the store.
        memory: Peak MiB of an ingest of no event, by the two measured sizes.
        growth: MiB for an event more.
        verify_memory: Peak MiB of `evidence verify`.
    """

    rate: float
    verified: float
    size: float
    memory: float
    growth: float
    verify_memory: float


@dataclass(frozen=True, slots=True)
class MachineSize:
    """What an amount of logs a day needs.

    Attributes:
        events: A day.
        busy: Processors that ingest and verification use in the busiest hour.
        cores: Power of two.
        needed: MiB of memory in the busiest hour.
        memory: GB, a power of two.
    """

    events: float
    busy: float
    cores: int
    needed: float
    memory: int


def read_measurements(page: str) -> MeasuredIngest:
    """Read the figures of the page.

    Raises:
        RuntimeError: It has no such row.
    """

    def read(what: str, events: int = _LARGE) -> float:
        _, found, rest = page.partition(f"\n| {what}, {events:,} events | ")
        if not found:
            raise RuntimeError(f"the page has no row {what!r} of {events:,} events")
        return float(rest.split(maxsplit=1)[0].replace(",", ""))

    small, large = read("peak memory", _SMALL), read("peak memory")
    growth = (large - small) / (_LARGE - _SMALL)
    return MeasuredIngest(
        rate=read("per processor second"),
        verified=_LARGE / read("evidence verify"),
        size=read("whole store"),
        memory=small - growth * _SMALL,
        growth=growth,
        verify_memory=read("peak memory of verify"),
    )


def compute_machine(measured: MeasuredIngest, bytes_per_day: float) -> MachineSize:
    """Compute the machine for an amount of logs a day."""
    events = bytes_per_day / BYTES_PER_RECORD
    hour = events / 24 * BUSIEST_HOUR
    busy = hour / 3_600 * (1 / measured.rate + 1 / measured.verified)
    needed = (
        measured.memory
        + measured.growth * hour
        + measured.verify_memory
        + QUESTIONS * QUESTION_MIB
    )
    return MachineSize(
        events,
        busy,
        _round_up(busy / SHARE, 2),
        needed,
        _round_up(needed / _MIB_PER_GB, 4),
    )


def _round_up(value: float, least: int) -> int:
    """Return the next power of two."""
    found = least
    while found < value:
        found *= 2
    return found


def render_table(measured: MeasuredIngest) -> str:
    """Draw the table."""
    lines = [
        "| logs a day, uncompressed | events a day | mean rate | processor time of "
        "`ingest` a day | store a day | store a year | busy processors, busiest hour | "
        "memory, busiest hour | machine |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for title, amount in _SIZES:
        found = compute_machine(measured, amount)
        day = found.events * measured.size
        lines.append(
            f"| {title} | {format_number(found.events / 1e6)} million "
            f"| {format_number(found.events / _DAY)}/s "
            f"| {format_number(found.events / measured.rate / 60)} min "
            f"| {format_number(day / 1e9)} GB | {format_number(day * 365 / 1e9)} GB "
            f"| {format_number(found.busy)} | {found.needed / _MIB_PER_GB:.1f} GB "
            f"| {found.cores} cores, {found.memory} GB |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    """Print the table of a page of measurements."""
    page = Path(argv[0]) if argv else PAGE
    sys.stdout.write(render_table(read_measurements(page.read_text("utf-8"))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
