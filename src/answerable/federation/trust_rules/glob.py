"""Match anchored globs of `match_glob`: `*` is one or more visible characters.

A matched claim decides an identity. So `*` matches no empty text, no control or format
character, and no character that looks like or normalises (NFKC) to a slash. Patterns
and texts are compared segment by segment.
"""

import unicodedata

from answerable.model.text_pattern import matches_parts_between_wildcards

STAR = "*"
MAX_PATTERN = 512  # characters

# Regular expression characters: rejected, because they would be literals here and the
# pattern would match less than its author expects.
REJECTED_CHARACTERS = frozenset("^$|()[]{}+?\\")
_ANY_CHARACTER = "\0"  # any one character, in `_segments_intersect`
_ONE_OR_MORE = _ANY_CHARACTER + STAR
# Letters that are drawn like a slash (Unicode TR39, confusables.txt).
_SLASH_LOOKALIKES = frozenset("\u30ce\u4e3f\u2cc6\u1735\u31d3\u2f03")


def matches_anchored_glob(pattern: str, text: str) -> bool:
    """Return whether a pattern matches a whole text."""
    patterns, texts = pattern.split("/"), text.split("/")
    return len(patterns) == len(texts) and all(map(_segment_matches, patterns, texts))


def anchored_globs_intersect(one: str, other: str) -> bool:
    """Return whether some text matches both patterns."""
    ones, others = one.split("/"), other.split("/")
    return len(ones) == len(others) and all(map(_segments_intersect, ones, others))


def _segment_matches(pattern: str, text: str) -> bool:
    """Return whether a pattern matches one segment between slashes."""
    parts = pattern.split(STAR)
    return matches_parts_between_wildcards(text, parts, minimum=1) and (
        len(parts) == 1 or all(map(_is_visible, text))
    )


def _is_visible(letter: str) -> bool:
    """Return whether a character is visible and not mistaken for another."""
    if letter.isascii():
        return letter.isprintable()
    return (
        letter.isalnum()
        and letter not in _SLASH_LOOKALIKES
        and unicodedata.normalize("NFKC", letter) == letter
    )


def _segments_intersect(one: str, other: str) -> bool:
    """Return whether some text matches both patterns of one segment.

    Dynamic programming: a star is one character and then any number of them. `ends[j]`
    says whether the rest of `one` and `others[j:]` share a text; rows go from the end
    of `one` to its beginning.
    """
    others = other.replace(STAR, _ONE_OR_MORE)
    width = len(others)
    ends = [True] * (width + 1)
    for j in reversed(range(width)):
        ends[j] = others[j] == STAR and ends[j + 1]
    for letter in reversed(one.replace(STAR, _ONE_OR_MORE)):
        row = [False] * (width + 1)
        row[width] = letter == STAR and ends[width]
        for j in reversed(range(width)):
            if letter == STAR:
                row[j] = ends[j] or row[j + 1]
            elif others[j] == STAR:
                row[j] = row[j + 1] or ends[j]
            else:
                same = letter == others[j] or _ANY_CHARACTER in (letter, others[j])
                row[j] = same and ends[j + 1]
        ends = row
    return ends[0]
