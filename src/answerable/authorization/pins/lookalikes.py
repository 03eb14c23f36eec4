"""Detect tool names that look like another server's, as in tool shadowing.

| how | means |
|---|---|
| same | the same name |
| confusable | the same after NFKC, case folding, the letters below, and without separators |
| near | one edit apart (from three letters on), or two (from five on) |

Same and confusable names of two servers *shadow* each other: an agent may call the
    wrong one.
"""

import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

MAX_COMPARED = 256  # letters of a name that are compared

# Letters of other scripts, and digits, that most typefaces draw like these
# (a small part of Unicode TR39, confusables.txt).
_CYRILLIC = "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u04bb\u051b\u051d\u043a\u043c\u0442\u0432"
_GREEK = "\u03b1\u03b5\u03bf\u03c1\u03c5\u03bd\u03b9\u03ba\u03c4\u03c9\u03b7\u03b3"
_LATIN = "\u0131\u0269\u0237\u0261\u0251\u028f"
_LETTERS = str.maketrans(
    {
        **dict(zip(_CYRILLIC, "aeopcyxljsdhqwkmtb", strict=True)),
        **dict(zip(_GREEK, "aeopuvlktwny", strict=True)),
        **dict(zip(_LATIN, "lljgay", strict=True)),
        **dict(zip("015|i", "olsll", strict=True)),
    }
)
_PAIRS = (("rn", "m"), ("vv", "w"))
_SEPARATORS = str.maketrans("", "", "_-. /:")
_INVISIBLE = {"Cf", "Mn", "Me", "Cc"}


class NameSimilarity(StrEnum):
    """Kind of similarity between two names."""

    SAME = "same"
    CONFUSABLE = "confusable"
    NEAR = "near"


def lookalike_skeleton(name: str) -> str:
    """Return the TR39-style skeleton of a name: lookalike letters folded together."""
    return _cached_skeleton(name[:MAX_COMPARED])


@lru_cache(maxsize=8192)
def _cached_skeleton(name: str) -> str:
    """Fold case, accents, invisible characters and lookalike letters of a name."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    # Accents go, too: they are easily overlooked.
    apart = unicodedata.normalize("NFD", folded)
    seen = "".join(c for c in apart if unicodedata.category(c) not in _INVISIBLE)
    drawn = seen.translate(_LETTERS).translate(_SEPARATORS)
    for pair, letter in _PAIRS:
        drawn = drawn.replace(pair, letter)
    return drawn


def compare_name_similarity(one: str, other: str) -> NameSimilarity | None:
    """Return how two names are similar; None if they are not."""
    if one == other:
        return NameSimilarity.SAME
    left, right = lookalike_skeleton(one), lookalike_skeleton(other)
    if left == right:
        return NameSimilarity.CONFUSABLE
    shorter = min(len(left), len(right))
    most = 2 if shorter >= 5 else 1 if shorter >= 3 else 0
    if abs(len(left) - len(right)) > most:
        return None
    return NameSimilarity.NEAR if _is_within_edits(left, right, most) else None


def _is_within_edits(one: str, other: str, max_edits: int) -> bool:
    """Return whether two texts are at most so many edits apart (0 to 2)."""
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    one, other = one[at:], other[at:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    if not one or not other:
        return len(one) + len(other) <= max_edits
    if max_edits == 0:
        return False
    return (
        _is_within_edits(one[1:], other[1:], max_edits - 1)
        or _is_within_edits(one[1:], other, max_edits - 1)
        or _is_within_edits(one, other[1:], max_edits - 1)
    )


PinnedName = tuple[str, str, str, str]  # server, key of the item, its name, its digest


class NameIndex:
    """Index of pinned item names by skeleton.

    Args:
        named: Items of a kind, of all servers.
    """

    def __init__(self, named: Iterable[PinnedName] = ()) -> None:
        self._by_skeleton: dict[str, list[PinnedName]] = {}
        for each in named:
            self._by_skeleton.setdefault(lookalike_skeleton(each[2]), []).append(each)

    def find_shadowed_item(
        self, server: str, name: str, sha256: str
    ) -> PinnedName | None:
        """Return an item of another server with the same or a confusable name.

        An item with an identical definition shadows nothing: two servers may run one
        program.
        """
        found = self._by_skeleton.get(lookalike_skeleton(name), ())
        return next((e for e in found if e[0] != server and e[3] != sha256), None)


EMPTY_NAME_INDEX = NameIndex()
