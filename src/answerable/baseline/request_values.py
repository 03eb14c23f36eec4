"""Extract the values that a person's request names; nothing else is kept.

They are typed entities, quoted texts, and words that stand out from prose (a capital, a
digit or a sign), alone and in sequence. A person can name more. The text is never
stored.
"""

from collections.abc import Iterator

from answerable.baseline.entity_extraction import (
    canonicalise_entity,
    classify_entity_kind,
    find_entities,
)

MIN_VALUE = 3  # bytes of a value that a request can explain
MAX_VALUE = 128  # characters of one
MAX_VALUES = 256  # values of one request
_MAX_WORDS = 5  # adjacent words that can be one name
_APOSTROPHE = "\u2019"
_QUOTES = {
    **{mark: mark for mark in ('"', "'", "`")},
    "\u201c": "\u201d",
    "\u201e": "\u201c",
    "\u2018": _APOSTROPHE,
    "\xab": "\xbb",
}
_EDGES = "".join(_QUOTES) + "".join(_QUOTES.values()) + ".,;:!?()[]{}<>"
_SIGNS = frozenset("_-./@#:\\")


def extract_requested_values(text: str) -> tuple[str, ...]:
    """Extract the values that a request names, each once, in canonical form.

    A result longer than `MAX_VALUES` says that the list was cut.
    """
    found: dict[str, None] = {}
    for value in _iterate_requested_values(text):
        if len(value) <= MAX_VALUE and len(value.encode()) >= MIN_VALUE:
            found[value] = None
        if len(found) > MAX_VALUES:
            break
    return tuple(found)


def canonicalise_requested_value(value: str) -> str:
    """Return the canonical form of a value that a person names explicitly."""
    return canonicalise_entity(classify_entity_kind(value), value)


def _iterate_requested_values(text: str) -> Iterator[str]:
    """Yield the typed entities, quoted texts and distinctive words of a text."""
    text = text.encode("utf-8", "replace").decode()
    rest, place = [], 0
    for kind, said, start, end in find_entities(text):
        yield canonicalise_entity(kind, said)
        rest.append(text[place:start])
        place = end
    for said in _list_quoted_texts(text):
        yield canonicalise_requested_value(said)
    # Half an account number would be another account.
    for line in "\n".join((*rest, text[place:])).splitlines():
        yield from _list_distinctive_words(line)


def _list_quoted_texts(text: str) -> Iterator[str]:
    """Yield quoted texts; an apostrophe in a word is no quote."""
    for start, mark in enumerate(text):
        closing = _QUOTES.get(mark)
        if closing is None or (start and text[start - 1].isalnum()):
            continue
        end = text.find(closing, start + 1, start + MAX_VALUE + 2)
        while 0 <= end < len(text) - 1 and text[end + 1].isalnum():
            end = text.find(closing, end + 1, start + MAX_VALUE + 2)
        if end > start + 1:
            yield text[start + 1 : end].strip()


def _list_distinctive_words(line: str) -> Iterator[str]:
    """Yield distinct words, and names of several such words."""
    adjacent_words: list[str] = []
    for word in line.split():
        bare = _strip_word(word)
        if not bare or not _is_distinctive_word(bare):
            adjacent_words = []
            continue
        if not word.startswith(bare):
            adjacent_words = []
        adjacent_words = [*adjacent_words[1 - _MAX_WORDS :], bare]
        for count in range(1, len(adjacent_words) + 1):
            yield canonicalise_requested_value(" ".join(adjacent_words[-count:]))
        if not word.endswith(bare):
            adjacent_words = []


def _strip_word(word: str) -> str:
    """Remove punctuation and a possessive `'s` from a word."""
    bare = word.strip(_EDGES)
    for ending in ("'s", f"{_APOSTROPHE}s"):
        bare = bare.removesuffix(ending)
    return bare


def _is_distinctive_word(word: str) -> bool:
    """Return whether a word looks like an identifier: capital, digit or sign in it."""
    return any(each.isupper() or each.isdigit() or each in _SIGNS for each in word)
