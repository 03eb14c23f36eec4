"""Build bitsets, plain or three-valued, and match ARN patterns to them.

A set is a Python integer with bit n for member n. A `BitsetBounds` is a set in Kleene's
three-valued logic: bits in `sure` are members, bits outside `maybe` are not, and all
others are open.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import compress, groupby
from typing import NamedTuple

from answerable.reach.aws.patterns.arn_matching import (
    ANY_ARN,
    ArnParts,
    split_arn_uncached,
)
from answerable.reach.aws.patterns.glob_matching import (
    ANY_CHARACTER,
    ANY_TEXT,
    has_no_wildcard,
    matches_glob,
)

_FEW = 8
_SPARSE = 6  # where fewer than one in so many is a member, members are searched for
_CHOSEN = bytes.maketrans(b"01", b"\0\1")
_LAST = "\U0010ffff"


class BitsetBounds(NamedTuple):
    """Three-valued bitset: lower and upper bound of a set.

    Attributes:
        sure: Members.
        maybe: Possible members; a superset of `sure`.
    """

    sure: int
    maybe: int

    def __or__(self, other: "BitsetBounds") -> "BitsetBounds":
        """Union."""
        return BitsetBounds(self.sure | other.sure, self.maybe | other.maybe)

    def __and__(self, other: "BitsetBounds") -> "BitsetBounds":
        """Intersection."""
        return BitsetBounds(self.sure & other.sure, self.maybe & other.maybe)

    def restrict_to(self, bits: int) -> "BitsetBounds":
        """Return the intersection of a three-valued bitset with a plain one."""
        return BitsetBounds(self.sure & bits, self.maybe & bits)


EMPTY_BOUNDS = BitsetBounds(0, 0)


class VerdictBits(NamedTuple):
    """Resources on which a call is allowed, as bitsets.

    Attributes:
        sure: Always.
        some: Always, or under conditions that can hold.
        doubt: Undecided; the conditions must be evaluated together.
    """

    sure: int
    some: int
    doubt: int = 0

    def __or__(self, other: "VerdictBits") -> "VerdictBits":
        """Union."""
        return VerdictBits(
            self.sure | other.sure, self.some | other.some, self.doubt | other.doubt
        )

    def restrict_to(self, bits: int) -> "VerdictBits":
        """Return the decided verdict bits of some resources only."""
        return VerdictBits(self.sure & bits, self.some & bits)


NO_VERDICTS = VerdictBits(0, 0)


def list_positions(bits: int) -> list[int]:
    """List the members of a bitset, in order."""
    if bits.bit_count() <= _FEW:
        found = []
        while bits:
            low = bits & -bits
            found.append(low.bit_length() - 1)
            bits ^= low
        return found
    text = bin(bits)[:1:-1]
    if bits.bit_count() * _SPARSE > len(text):
        chosen = text.encode().translate(_CHOSEN)
        return list(compress(range(len(text)), chosen))
    found = []
    at = text.find("1")
    while at >= 0:
        found.append(at)
        at = text.find("1", at + 1)
    return found


def build_bitset(members: Iterable[int], size: int) -> int:
    """Build a bitset of members below a size."""
    listed = members if isinstance(members, list) else list(members)
    if len(listed) <= _FEW:
        found = 0
        for member in listed:
            found |= 1 << member
        return found
    held = bytearray((size >> 3) + 1)
    for member in listed:
        held[member >> 3] |= 1 << (member & 7)
    return int.from_bytes(held, "little")


def build_range(start: int, stop: int) -> int:
    """Build the bitset of the range from `start` up to and without `stop`."""
    return ((1 << (stop - start)) - 1) << start if stop > start else 0


class _ArnBlock(NamedTuple):
    """ARNs with equal first five parts.

    Attributes:
        tails: Sixth parts, sorted.
        positions: Position of each in the index; a range if the ARNs are sorted.
    """

    tails: list[str]
    positions: Sequence[int]


class ArnIndex:
    """Index of resources by ARN pattern."""

    def __init__(
        self, arns: Sequence[str], parts: Iterable[ArnParts] | None = None
    ) -> None:
        """Index resources; those of one service, region and account are adjacent.

        Args:
            arns: The ARNs.
            parts: The ARNs split into parts, if at hand.
        """
        self.texts = tuple(arns)
        self.all = build_range(0, len(self.texts))
        self.number = {text: n for n, text in enumerate(self.texts)}
        self._blocks: dict[ArnParts, list[_ArnBlock]] = {}
        self._heads: dict[ArnParts, list[_ArnBlock]] = {}
        self._found: dict[ArnParts, int] = {ANY_ARN: self.all}
        start = 0
        for head, group in groupby(
            parts or map(split_arn_uncached, self.texts), lambda p: p[:5]
        ):
            tails = [parts[-1] for parts in group]
            if len(head) == 5:
                self._blocks.setdefault(head, []).append(_build_block(start, tails))
            start += len(tails)

    def find_matching_arns(self, pattern: ArnParts) -> int:
        """Return the ARNs that match a split ARN pattern, as a bitset."""
        found = self._found.get(pattern)
        if found is None:
            found = 0
            for block in self._list_matching_arn_blocks(pattern[:5]):
                found |= _match_resource_part_in_block(block, pattern[5])
            self._found[pattern] = found
        return found

    def _list_matching_arn_blocks(self, prefix: ArnParts) -> list[_ArnBlock]:
        """List the blocks of ARNs whose first five parts match the prefix."""
        if all(map(has_no_wildcard, prefix)):
            return self._blocks.get(prefix, [])
        found = self._heads.get(prefix)
        if found is None:
            found = [
                block
                for other, blocks in self._blocks.items()
                if all(map(matches_glob, prefix, other))
                for block in blocks
            ]
            self._heads[prefix] = found
        return found


def _build_block(start: int, tails: list[str]) -> _ArnBlock:
    """Sort the sixth parts of adjacent ARNs."""
    ordered = sorted(tails)
    if ordered == tails:
        return _ArnBlock(tails, range(start, start + len(tails)))
    order = sorted(range(len(tails)), key=tails.__getitem__)
    return _ArnBlock(ordered, [start + n for n in order])


def _match_resource_part_in_block(block: _ArnBlock, pattern: str) -> int:
    """Return the ARNs of a block whose sixth part matches a glob, as a bitset."""
    tails, positions = block
    prefix = pattern.partition(ANY_TEXT)[0].partition(ANY_CHARACTER)[0]
    low, high = 0, len(tails)
    if prefix:
        low = bisect_left(tails, prefix)
        if prefix[-1] < _LAST:
            high = bisect_left(tails, prefix[:-1] + chr(ord(prefix[-1]) + 1), low)
    rest = pattern[len(prefix) :]
    if rest.strip(ANY_TEXT) == "" and rest:
        found = positions[low:high]
        if isinstance(found, range):
            return build_range(found.start, found.stop)
    else:
        found = [
            positions[n] for n in range(low, high) if matches_glob(pattern, tails[n])
        ]
    return build_bitset(found, max(found) + 1) if found else 0
