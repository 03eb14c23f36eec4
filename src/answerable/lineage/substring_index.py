"""Index many texts for substring search."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator

_SEPARATOR = b"\n"  # no word contains it


class SubstringIndex:
    """Substring index over numbered texts, ignoring case.

    Args:
        texts: Texts in the order of their numbers.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        folded = [_encode_case_folded(text) + _SEPARATOR for text in texts]
        self._starts = array("Q", [0])
        for each in folded:
            self._starts.append(self._starts[-1] + len(each))
        self._whole = b"".join(folded)

    def find_texts_with_substring(self, word: str) -> Iterator[int]:
        """Return the positions of the texts that contain a word.

        Args:
            word: Not empty, without white space.
        """
        wanted, starts = _encode_case_folded(word), self._starts
        at = self._whole.find(wanted)
        while at >= 0:
            number = bisect_right(starts, at) - 1
            yield number
            at = self._whole.find(wanted, starts[number + 1])


def _encode_case_folded(text: str) -> bytes:
    """Encode a text without case as UTF-8, lone surrogates included."""
    # UTF-8 is self-synchronizing; a file name may hold a lone surrogate.
    return text.casefold().encode("utf-8", "surrogatepass")
