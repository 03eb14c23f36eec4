"""Buffer of recent results, searched for the origin of a value.

One byte buffer holds the fields of results in sequence, and another what the run itself
wrote. Comparison ignores ASCII case; offsets are kept.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from ahocorasick_rs import BytesAhoCorasick

from answerable.baseline.json_leaves import as_bytes

LIMIT = 1 << 20  # bytes of text
_SHORTEST = 3  # bytes of a value that is looked for inside of texts
_WHOLE = 256  # bytes of a field that can be a value
_HITS = 256  # places of one value that are looked at
# Up to here, looking for each alone is faster than for all in one pass.
_ALONE = 16
_JOINS = b"-./@:?&=#%+~\\"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a result, or an argument that the run wrote to a store.

    Attributes:
        turn: Sequence number of its call.
        call: Evidence id of its call.
        tool: `SERVER/TOOL`.
        selector: Arguments of the call.
        trusted: No untrusted party writes it.
    """

    run: str
    turn: int
    call: str
    tool: str
    selector: tuple[tuple[str, str], ...]
    path: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """An occurrence of a value in a field.

    Attributes:
        whole: The field equals the value.
        start: First byte in the field.
        end: Byte after the last.
        bounded: It is delimited as a word of its own.
    """

    field: Field
    whole: bool
    start: int
    end: int
    bounded: bool


def folded(text: str) -> bytes:
    """Return the bytes that are compared."""
    return as_bytes(text).lower()


def _is_wordy(byte: int) -> bool:
    return byte >= 0x80 or byte == 0x5F or chr(byte).isalnum()


def stands_alone(
    text: bytes | bytearray, low: int, high: int, start: int, end: int
) -> bool:
    """Tell whether `text[start:end]` is no part of a longer word in `text[low:high]`.

    `bob@corp.example` is part of `jim.bob@corp.example` and of `bob@corp.example.net`,
    and ends a sentence in `to bob@corp.example.`
    """
    if start > low and _is_wordy(text[start]):
        before = text[start - 1]
        joined = before in _JOINS and start - 1 > low and _is_wordy(text[start - 2])
        if _is_wordy(before) or (joined and before not in b":="):
            return False
    if end < high and _is_wordy(text[end - 1]):
        after = text[end]
        joined = after in _JOINS and end + 1 < high and _is_wordy(text[end + 1])
        if _is_wordy(after) or joined:
            return False
    return True


class Kept:
    """Buffer of the result fields of a window.

    Args:
        limit: Bytes of text; the oldest fields are evicted and explain nothing.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._lost: dict[str, int] = {}
        self._limit = limit
        self._text = bytearray()
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._fields: list[Field] = []
        self._whole: dict[bytes, list[int]] = {}

    def add(self, field: Field, text: str) -> None:
        """Add one field; a text over half the limit is cut."""
        whole = folded(text)
        data = whole[: self._limit // 2]
        if len(data) < len(whole):
            self.lose(field.run, field.turn)
        if len(self._text) + len(data) > self._limit:
            self._shrink(self._limit * 3 // 4 - len(data))
        self._place(field, data)

    def _place(self, field: Field, data: bytes | bytearray) -> None:
        start = len(self._text)
        self._starts.append(start)
        self._ends.append(start + len(data))
        self._text += data
        self._text += b"\x00"
        if len(data) <= _WHOLE:
            self._whole.setdefault(bytes(data), []).append(len(self._fields))
        self._fields.append(field)

    def _shrink(self, size: int) -> None:
        """Evict the oldest fields until the text has this size."""
        first = bisect_right(self._starts, len(self._text) - max(size, 0) - 1)
        for field in self._fields[:first]:
            self.lose(field.run, field.turn)
        self._keep(range(first, len(self._fields)))

    def _keep(self, indexes: Sequence[int]) -> None:
        old, spans = self._text, [(self._starts[i], self._ends[i]) for i in indexes]
        fields = [self._fields[i] for i in indexes]
        self._text, self._starts, self._ends = bytearray(), [], []
        self._fields, self._whole = [], {}
        for field, (start, end) in zip(fields, spans, strict=True):
            self._place(field, old[start:end])

    @property
    def lost(self) -> int | None:
        """Return the turn of the first field that is not complete, None if all are."""
        return min(self._lost.values(), default=None)

    def lose(self, run: str, turn: int) -> None:
        """Record that a part of a call is not in the buffer."""
        self._lost[run] = min(turn, self._lost.get(run, turn))

    def forget(self, runs: frozenset[str]) -> None:
        """Drop fields of all other runs."""
        self._lost = {run: turn for run, turn in self._lost.items() if run in runs}
        kept = [i for i, field in enumerate(self._fields) if field.run in runs]
        if len(kept) < len(self._fields):
            self._keep(kept)

    def find(self, values: Sequence[tuple[bytes, ...]]) -> list[list[Hit]]:
        """Find occurrences of values.

        Args:
            values: For each value its case-folded forms.

        Returns:
            Hits of each value: whole fields first, then substrings, older ones first.
        """
        found = [self._wholes(spellings) for spellings in values]
        wanted = [
            (index, spelling)
            for index, spellings in enumerate(values)
            for spelling in spellings
            if len(spelling) >= _SHORTEST
        ]
        for index, start, end in self._parts(wanted):
            hit = self._hit(start, end)
            if hit is not None and not hit.whole and len(found[index]) < _HITS:
                found[index].append(hit)
        return found

    def _wholes(self, spellings: tuple[bytes, ...]) -> list[Hit]:
        return [
            Hit(self._fields[index], True, 0, len(spelling), True)
            for spelling in spellings
            for index in self._whole.get(spelling, ())
        ]

    def _parts(self, wanted: list[tuple[int, bytes]]) -> list[tuple[int, int, int]]:
        if not wanted or not self._text:
            return []
        if len(wanted) <= _ALONE:
            return [
                (index, start, end)
                for index, spelling in wanted
                for _, start, end in _search([spelling], self._text)
            ]
        spellings = [spelling for _, spelling in wanted]
        hits = _search(spellings, self._text)
        return [(wanted[which][0], start, end) for which, start, end in hits]

    def _hit(self, start: int, end: int) -> Hit | None:
        index = bisect_right(self._starts, start) - 1
        low, high = self._starts[index], self._ends[index]
        if end > high:
            return None
        alone = stands_alone(self._text, low, high, start, end)
        whole = start == low and end == high and high - low <= _WHOLE
        return Hit(self._fields[index], whole, start - low, end - low, alone)


def _search(spellings: list[bytes], text: bytearray) -> list[tuple[int, int, int]]:
    return BytesAhoCorasick(spellings).find_matches_as_indexes(text, overlapping=True)
