"""Lengths of time in nanoseconds, the unit of every stored time, and the epoch."""

from datetime import UTC, datetime

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
LAST_TIME_NS = (1 << 63) - 1  # in the year 2262; a store holds 64 bits
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
