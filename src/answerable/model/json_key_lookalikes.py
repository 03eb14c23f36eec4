"""Detect JSON keys that other parsers would confuse with a key that a policy reads.

A case-insensitive parser treats `Amount` as `amount` (Go's `encoding/json`
does so, and the last one wins: https://pkg.go.dev/encoding/json#Unmarshal). Others
normalise, cut at a NUL, or drop invisible characters. A decision on one spelling
could then reach a parser that reads the other.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

# Controls, format characters, halves of surrogate pairs, and unassigned code points.
_IGNORED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Cn"})
_ASCII_CONTROLS = str.maketrans("", "", "".join(map(chr, (*range(32), 127))))
# Default ignorable code points of other categories (Unicode 15, DerivedCoreProperties).
_IGNORABLE = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0}
    | {*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
)

KeyPath = tuple[str, ...]


class JsonObject(dict[str, object]):
    """JSON object that also lists the keys with null values.

    Attributes:
        nulls: Keys with null values; a policy sees no such member.
    """

    __slots__ = ("nulls",)

    def __init__(self, members: Mapping[str, object], nulls: Iterable[str]) -> None:
        super().__init__(members)
        self.nulls = tuple(nulls)


def normalise_json_key(name: str) -> str:
    """Fold a key: NFKC, case folding and removal of invisible characters."""
    if name.isascii():
        return name.translate(_ASCII_CONTROLS).lower()
    plain = unicodedata.normalize("NFKC", name)
    # Upper case first: a dotless i is an i to readers that compare so.
    folded = unicodedata.normalize("NFKC", plain.upper().casefold())
    return "".join(
        char
        for char in folded
        if ord(char) not in _IGNORABLE
        and unicodedata.category(char) not in _IGNORED_CATEGORIES
    )


@dataclass(frozen=True, slots=True)
class JsonKeyTree:
    """Tree of the keys that a policy reads from an object and its nested objects.

    Attributes:
        names: Keys as read.
        folded: Their folded forms.
        below: Trees of nested objects.
    """

    names: frozenset[str]
    folded: frozenset[str]
    below: tuple[tuple[str, "JsonKeyTree"], ...]

    def find_lookalike_key(self, members: Mapping[str, object]) -> str:
        """Return the first key another parser may confuse, or `""`."""
        nulls = members.nulls if isinstance(members, JsonObject) else ()
        for keys in (members, nulls):
            for key in keys:
                if key not in self.names and normalise_json_key(key) in self.folded:
                    return key or "\0"
        for name, tree in self.below:
            for inner in _find_outermost_objects(members.get(name)):
                if found := tree.find_lookalike_key(inner):
                    return found
        return ""


def _find_outermost_objects(value: object) -> Iterator[Mapping[str, object]]:
    """Find the objects in a value and in its lists, but not in nested objects."""
    stack = [value]
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            yield here
        elif isinstance(here, list):
            stack += here


@lru_cache(8192)
def build_json_key_tree(paths: tuple[KeyPath, ...]) -> JsonKeyTree:
    """Build the key tree from paths that start at the outermost object."""
    below: dict[str, list[KeyPath]] = {}
    for first, *rest in filter(None, paths):
        below.setdefault(first, []).append(tuple(rest))
    names = frozenset(below)
    trees = (
        (name, build_json_key_tree(tuple(inner)))
        for name, each in below.items()
        if (inner := [path for path in each if path])
    )
    return JsonKeyTree(names, frozenset(map(normalise_json_key, names)), tuple(trees))
