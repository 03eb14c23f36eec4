"""Buffer of recent tool results, searched to find where a value came from.

One byte buffer holds the fields of results in sequence, and another what the run itself
wrote. Comparison ignores ASCII case; offsets are kept.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from ahocorasick_rs import BytesAhoCorasick

from answerable.baseline.json_leaves import encode_utf8_with_surrogates

BUFFER_SIZE = 1 << 20  # bytes of text
_MIN_SUBSTRING = 3  # bytes of a value that is looked for inside of texts
_MAX_WHOLE = 256  # bytes of a field that can be a value
_MAX_HITS = 256  # places of one value that are looked at
# Up to here, looking for each alone is faster than for all in one pass.
_MAX_SEPARATE = 16
_JOINING = b"-./@:?&=#%+~\\"


@dataclass(frozen=True, slots=True)
class ResultField:
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
class FieldHit:
    """An occurrence of a value in a field.

    Attributes:
        whole: The field equals the value.
        start: First byte in the field.
        end: Byte after the last.
        bounded: It is delimited as a word of its own.
    """

    field: ResultField
    whole: bool
    start: int
    end: int
    bounded: bool


def fold_case(text: str) -> bytes:
    """Return a text as UTF-8 bytes with ASCII letters in lower case."""
    return encode_utf8_with_surrogates(text).lower()


def _is_word_byte(byte: int) -> bool:
    """Return whether a byte can be part of a word."""
    return byte >= 0x80 or byte == 0x5F or chr(byte).isalnum()


def is_whole_word(
    text: bytes | bytearray, low: int, high: int, start: int, end: int
) -> bool:
    """Return whether `text[start:end]` is no part of a longer word in `text[low:high]`.

    `bob@corp.example` is part of `jim.bob@corp.example` and of `bob@corp.example.net`,
    and ends a sentence in `to bob@corp.example.`
    """
    if start > low and _is_word_byte(text[start]):
        before = text[start - 1]
        joined = (
            before in _JOINING and start - 1 > low and _is_word_byte(text[start - 2])
        )
        if _is_word_byte(before) or (joined and before not in b":="):
            return False
    if end < high and _is_word_byte(text[end - 1]):
        after = text[end]
        joined = after in _JOINING and end + 1 < high and _is_word_byte(text[end + 1])
        if _is_word_byte(after) or joined:
            return False
    return True


class ResultBuffer:
    """Buffer of the result fields of a window.

    Args:
        limit: Bytes of text; the oldest fields are evicted and explain nothing.
    """

    def __init__(self, limit: int = BUFFER_SIZE) -> None:
        self._lost: dict[str, int] = {}
        self._limit = limit
        self._text = bytearray()
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._fields: list[ResultField] = []
        self._whole: dict[bytes, list[int]] = {}

    def add_result_field(self, field: ResultField, text: str) -> None:
        """Add one field of a result; a text over half the limit is cut."""
        whole = fold_case(text)
        data = whole[: self._limit // 2]
        if len(data) < len(whole):
            self.mark_results_lost(field.run, field.turn)
        if len(self._text) + len(data) > self._limit:
            self._evict_oldest_fields(self._limit * 3 // 4 - len(data))
        self._append_field(field, data)

    def _append_field(self, field: ResultField, data: bytes | bytearray) -> None:
        """Append a result field to the text that later values are searched in."""
        start = len(self._text)
        self._starts.append(start)
        self._ends.append(start + len(data))
        self._text += data
        self._text += b"\x00"
        if len(data) <= _MAX_WHOLE:
            self._whole.setdefault(bytes(data), []).append(len(self._fields))
        self._fields.append(field)

    def _evict_oldest_fields(self, size: int) -> None:
        """Evict the oldest fields until the text has at most this size."""
        first = bisect_right(self._starts, len(self._text) - max(size, 0) - 1)
        for field in self._fields[:first]:
            self.mark_results_lost(field.run, field.turn)
        self._rebuild_from_fields(range(first, len(self._fields)))

    def _rebuild_from_fields(self, indexes: Sequence[int]) -> None:
        """Rebuild the buffer from the fields at these indexes."""
        old, spans = self._text, [(self._starts[i], self._ends[i]) for i in indexes]
        fields = [self._fields[i] for i in indexes]
        self._text, self._starts, self._ends = bytearray(), [], []
        self._fields, self._whole = [], {}
        for field, (start, end) in zip(fields, spans, strict=True):
            self._append_field(field, old[start:end])

    @property
    def first_lost_turn(self) -> int | None:
        """Return the turn of the first field that is not complete, None if all are."""
        return min(self._lost.values(), default=None)

    def mark_results_lost(self, run: str, turn: int) -> None:
        """Record that part of a run's results is not in the buffer."""
        self._lost[run] = min(turn, self._lost.get(run, turn))

    def retain_runs(self, runs: frozenset[str]) -> None:
        """Drop the fields of all runs except these."""
        self._lost = {run: turn for run, turn in self._lost.items() if run in runs}
        kept = [i for i, field in enumerate(self._fields) if field.run in runs]
        if len(kept) < len(self._fields):
            self._rebuild_from_fields(kept)

    def find_values(self, values: Sequence[tuple[bytes, ...]]) -> list[list[FieldHit]]:
        """Find where values occur in the buffered fields.

        Args:
            values: For each value its case-folded forms.

        Returns:
            Hits of each value: whole fields first, then substrings, older ones first.
        """
        found = [self._find_whole_field_hits(spellings) for spellings in values]
        wanted = [
            (index, spelling)
            for index, spellings in enumerate(values)
            for spelling in spellings
            if len(spelling) >= _MIN_SUBSTRING
        ]
        for index, start, end in self._find_substring_hits(wanted):
            hit = self._build_search_hit(start, end)
            if hit is not None and not hit.whole and len(found[index]) < _MAX_HITS:
                found[index].append(hit)
        return found

    def _find_whole_field_hits(self, spellings: tuple[bytes, ...]) -> list[FieldHit]:
        """Find result fields that equal an argument value as a whole."""
        return [
            FieldHit(self._fields[index], True, 0, len(spelling), True)
            for spelling in spellings
            for index in self._whole.get(spelling, ())
        ]

    def _find_substring_hits(
        self, wanted: list[tuple[int, bytes]]
    ) -> list[tuple[int, int, int]]:
        """Return (index of value, start, end) of substring matches."""
        if not wanted or not self._text:
            return []
        if len(wanted) <= _MAX_SEPARATE:
            return [
                (index, start, end)
                for index, spelling in wanted
                for _, start, end in _search_all_occurrences([spelling], self._text)
            ]
        spellings = [spelling for _, spelling in wanted]
        hits = _search_all_occurrences(spellings, self._text)
        return [(wanted[which][0], start, end) for which, start, end in hits]

    def _build_search_hit(self, start: int, end: int) -> FieldHit | None:
        """Build the hit of a match; None if it spans two fields."""
        index = bisect_right(self._starts, start) - 1
        low, high = self._starts[index], self._ends[index]
        if end > high:
            return None
        alone = is_whole_word(self._text, low, high, start, end)
        whole = start == low and end == high and high - low <= _MAX_WHOLE
        return FieldHit(self._fields[index], whole, start - low, end - low, alone)


def _search_all_occurrences(
    spellings: list[bytes], text: bytearray
) -> list[tuple[int, int, int]]:
    """Find all overlapping occurrences of several texts at once (Aho-Corasick)."""
    return BytesAhoCorasick(spellings).find_matches_as_indexes(text, overlapping=True)
