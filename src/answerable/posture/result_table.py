"""Results of rules in compressed blocks, decoded when they are read.

A million findings would need gigabytes as objects.
"""

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import msgspec

from answerable.model.documents.shared_shapes import PathItem
from answerable.posture.rule import Evidence, Finding, Fix, NotEvaluated, RuleResult
from answerable.posture.severity import (
    ExposureFactor,
    ReachLevel,
    SeverityFacts,
    Trigger,
)

_BLOCK = 64  # results that are encoded together
_MOST_DECODED = 64  # blocks that stay in memory


class _PackedFinding(msgspec.Struct, array_like=True, tag="finding"):
    """Finding with the names of its severity's factors."""

    rule: str
    subject: str
    platform: str
    title: str
    trigger: str
    reach: str
    held: list[str]
    evidence: tuple[Evidence, ...]
    fix: Fix
    path: tuple[PathItem, ...]
    identity: str
    at: str
    causes: tuple[str, ...]
    covers: tuple[tuple[str, str], ...]


class _PackedGap(msgspec.Struct, array_like=True, tag="gap"):
    """Rule that could not be evaluated."""

    gap: NotEvaluated


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(list[_PackedFinding | _PackedGap]).decode


class ResultTable:
    """Results by the number in which they were added."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._last: list[RuleResult] = []
        self._decoded: dict[int, list[RuleResult]] = {}

    def add(self, result: RuleResult) -> int:
        """Add a result; return its number."""
        number = len(self._blocks) * _BLOCK + len(self._last)
        self._last.append(result)
        if len(self._last) == _BLOCK:
            packed = _ENCODE([_pack_result(each) for each in self._last])
            self._blocks.append(zlib.compress(packed, 1))
            self._last = []
        return number

    def get(self, number: int) -> RuleResult:
        """Return the result with a number."""
        block, at = divmod(number, _BLOCK)
        if block == len(self._blocks):
            return self._last[at]
        found = self._decoded.pop(block, None)
        if found is None:
            packed = _DECODE(zlib.decompress(self._blocks[block]))
            found = [_unpack_result(each) for each in packed]
            if len(self._decoded) >= _MOST_DECODED:
                del self._decoded[next(iter(self._decoded))]
        self._decoded[block] = found
        return found[at]


class ResultList(Sequence[RuleResult]):
    """Results of a table in one order."""

    def __init__(self, table: ResultTable, numbers: Iterable[int]) -> None:
        self._table = table
        self._numbers = array("I", numbers)

    def select(self, positions: Iterable[int]) -> "ResultList":
        """Select the results at some positions."""
        return ResultList(self._table, (self._numbers[at] for at in positions))

    def __add__(self, other: "ResultList") -> "ResultList":
        """Return the results of two lists of one table."""
        return ResultList(self._table, (*self._numbers, *other._numbers))

    def __len__(self) -> int:
        """Count the results."""
        return len(self._numbers)

    def __iter__(self) -> Iterator[RuleResult]:
        """Yield the results in order."""
        return map(self._table.get, self._numbers)

    @overload
    def __getitem__(self, at: int) -> RuleResult: ...

    @overload
    def __getitem__(self, at: slice) -> "ResultList": ...

    def __getitem__(self, at: int | slice) -> "RuleResult | ResultList":
        """Return the result at a position, or a part of the list."""
        if isinstance(at, slice):
            return ResultList(self._table, self._numbers[at])
        return self._table.get(self._numbers[at])


def _pack_result(result: RuleResult) -> _PackedFinding | _PackedGap:
    """Convert a result to a form that can be encoded."""
    if isinstance(result, NotEvaluated):
        return _PackedGap(result)
    severity = result.severity
    return _PackedFinding(
        rule=result.rule,
        subject=result.subject,
        platform=result.platform,
        title=result.title,
        trigger=severity.trigger.name,
        reach=severity.reach.name,
        held=[each.name for each in severity.held],
        evidence=result.evidence,
        fix=result.fix,
        path=result.path,
        identity=result.identity,
        at=result.at,
        causes=result.causes,
        covers=result.covers,
    )


def _unpack_result(packed: _PackedFinding | _PackedGap) -> RuleResult:
    """Convert an encoded result back."""
    if isinstance(packed, _PackedGap):
        return packed.gap
    return Finding(
        rule=packed.rule,
        subject=packed.subject,
        platform=packed.platform,
        title=packed.title,
        severity=SeverityFacts(
            Trigger[packed.trigger],
            ReachLevel[packed.reach],
            frozenset(ExposureFactor[each] for each in packed.held),
        ),
        evidence=packed.evidence,
        fix=packed.fix,
        path=packed.path,
        identity=packed.identity,
        at=packed.at,
        causes=packed.causes,
        covers=packed.covers,
    )
