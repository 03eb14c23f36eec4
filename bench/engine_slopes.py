"""From which number of events a cluster answers earlier than DuckDB, by the slopes.

A slope is the processor time that one more event costs. A command on a cluster of `c`
cores ends after `start + slope * events / c`; one on DuckDB, with its two threads, after
`start + slope * events / 2`. The start is the processor time of a first answer on two
cores. Perfect division among the cores flatters the cluster.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import format_number

DUCKDB_CORES = 2
_CLUSTERS = tuple(2**n for n in range(1, 11))


@dataclass(frozen=True, slots=True)
class EngineSlope:
    """Cost of a query on an engine.

    Attributes:
        start: Processor seconds of a command that few events need too.
        slopes: Processor seconds for an event, of each round.
    """

    start: float
    slopes: tuple[float, ...]

    @property
    def slope(self) -> float:
        return statistics.median(self.slopes)

    @property
    def is_distinct(self) -> bool:
        """Return whether more events cost more in every round."""
        return min(self.slopes) > 0


def compute_slopes(
    small: Sequence[float], large: Sequence[float], events: int
) -> tuple[float, ...]:
    """Compute what an event more costs, from the same rounds at two sizes.

    Args:
        small: Processor seconds at the smaller size.
        large: Processor seconds at the larger size.
        events: How many more events the larger size has.
    """
    return tuple((b - a) / events for a, b in zip(small, large, strict=True))


def compute_crossover(
    duckdb: EngineSlope, spark: EngineSlope, cores: float
) -> float | None:
    """Compute the events from which Spark on so many cores ends earlier; None: never."""
    gain = duckdb.slope / DUCKDB_CORES - spark.slope / cores
    return _count_later_seconds(duckdb, spark) / gain if gain > 0 else None


def _count_later_seconds(duckdb: EngineSlope, spark: EngineSlope) -> float:
    """Return how much later Spark gives a first answer on two free cores."""
    return max(spark.start - duckdb.start, 0) / DUCKDB_CORES


def describe_crossover(name: str, duckdb: EngineSlope, spark: EngineSlope) -> str:
    """Describe the arithmetic of a query in a sentence."""
    if not duckdb.is_distinct:
        return (
            f"{name}: more events cost DuckDB no more than the spread of the rounds; "
            "no size was found from which a cluster is faster"
        )
    later = _count_later_seconds(duckdb, spark)
    least = _describe_size(compute_crossover(duckdb, spark, math.inf))
    if min(spark.slopes) <= max(duckdb.slopes) and max(spark.slopes) >= duckdb.slope:
        return (
            f"{name}: an event more costs DuckDB {duckdb.slope * 1e6:.3f} us; the rounds "
            f"of Spark spread too much to compare. Spark starts {later:.1f} s later, so "
            f"with any number of cores it can be faster {least}"
        )
    more = spark.slope / duckdb.slope
    alone = compute_crossover(duckdb, spark, DUCKDB_CORES)
    text = (
        f"{name}: an event more costs DuckDB {duckdb.slope * 1e6:.3f} us and Spark "
        f"{spark.slope * 1e6:.3f} us of processor time ({format_number(more)}x), and "
        f"Spark starts {later:.1f} s later; one machine of {DUCKDB_CORES} cores: "
        f"{_describe_size(alone)}"
    )
    needed = next(
        (cores for cores in _CLUSTERS if cores > more * DUCKDB_CORES * 1.25), None
    )
    if needed is not None:
        size = compute_crossover(duckdb, spark, needed)
        text += f"; workers with {needed} cores: {_describe_size(size)}"
    return f"{text}; any number of cores: {least}"


def _describe_size(events: float | None) -> str:
    """Describe a number of events in millions."""
    if events is None:
        return "never"
    return f"from {format_number(events / 1e6)} million events"
