"""Values that a person's request names: what it explains, and all that is kept of it.

Typed entities, what stands in quotation marks, and words that are no everyday prose:
with a capital, a digit or a sign in them, alone and beside each other. A person can name
others. The words of a request are kept nowhere.
"""

from collections.abc import Iterator

from answerable.baseline.entities import canonical, kind_of, recognised

SHORTEST = 3  # bytes of a value that a request can explain
LONGEST = 128  # characters of one
MOST = 256  # values of one request
_SPAN = 5  # words beside each other that can be one name
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


def requested(text: str) -> tuple[str, ...]:
    """Give the values that a request names, each once, in canonical spelling.

    There may be one more than `MOST`, which says that not all were looked at.
    """
    found: dict[str, None] = {}
    for value in _named(text):
        if len(value) <= LONGEST and len(value.encode()) >= SHORTEST:
            found[value] = None
        if len(found) > MOST:
            break
    return tuple(found)


def spelled(value: str) -> str:
    """Give the one spelling of a value that a person names by itself."""
    return canonical(kind_of(value), value)


def _named(text: str) -> Iterator[str]:
    text = text.encode("utf-8", "replace").decode()
    rest, place = [], 0
    for kind, said, start, end in recognised(text):
        yield canonical(kind, said)
        rest.append(text[place:start])
        place = end
    for said in _quoted(text):
        yield spelled(said)
    # Half an account number would be another account.
    for line in "\n".join((*rest, text[place:])).splitlines():
        yield from _words(line)


def _quoted(text: str) -> Iterator[str]:
    """Give what stands in quotation marks; an apostrophe in a word is none."""
    for start, mark in enumerate(text):
        closing = _QUOTES.get(mark)
        if closing is None or (start and text[start - 1].isalnum()):
            continue
        end = text.find(closing, start + 1, start + LONGEST + 2)
        while 0 <= end < len(text) - 1 and text[end + 1].isalnum():
            end = text.find(closing, end + 1, start + LONGEST + 2)
        if end > start + 1:
            yield text[start + 1 : end].strip()


def _words(line: str) -> Iterator[str]:
    """Give words that stand out, and names of several of them."""
    beside: list[str] = []
    for word in line.split():
        bare = _bare(word)
        if not bare or not _stands_out(bare):
            beside = []
            continue
        if not word.startswith(bare):
            beside = []
        beside = [*beside[1 - _SPAN :], bare]
        for count in range(1, len(beside) + 1):
            yield spelled(" ".join(beside[-count:]))
        if not word.endswith(bare):
            beside = []


def _bare(word: str) -> str:
    bare = word.strip(_EDGES)
    for ending in ("'s", f"{_APOSTROPHE}s"):
        bare = bare.removesuffix(ending)
    return bare


def _stands_out(word: str) -> bool:
    return any(each.isupper() or each.isdigit() or each in _SIGNS for each in word)
