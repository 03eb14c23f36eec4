"""Member names that other JSON readers take for one that was read.

A reader that is not sensitive to case takes `Amount` for `amount` (Go's `encoding/json`
does, and the last one wins: https://pkg.go.dev/encoding/json#Unmarshal). Others
normalise, cut at a NUL, or drop characters that show nothing. A decision that is made on
one spelling then goes on to a reader of the other.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

# Controls, format characters, halves of surrogate pairs, and unassigned code points.
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Cn"})
_ASCII_CONTROLS = str.maketrans("", "", "".join(map(chr, (*range(32), 127))))
# Default ignorable code points of other categories (Unicode 15, DerivedCoreProperties).
_IGNORABLE = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0}
    | {*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
)

KeyPath = tuple[str, ...]


class JsonObject(dict[str, object]):
    """Members of a JSON object, and the names of those that are null.

    Attributes:
        nulls: Names whose value is null; a policy sees no such member.
    """

    __slots__ = ("nulls",)

    def __init__(self, members: Mapping[str, object], nulls: Iterable[str]) -> None:
        super().__init__(members)
        self.nulls = tuple(nulls)


def fold_key(name: str) -> str:
    """Return what is left of a name after NFKC, case folding and dropped characters."""
    if name.isascii():
        return name.translate(_ASCII_CONTROLS).lower()
    plain = unicodedata.normalize("NFKC", name)
    # Upper case first: a dotless i is an i to readers that compare so.
    folded = unicodedata.normalize("NFKC", plain.upper().casefold())
    return "".join(
        char
        for char in folded
        if ord(char) not in _IGNORABLE and unicodedata.category(char) not in _DROPPED
    )


@dataclass(frozen=True, slots=True)
class KeyTree:
    """Names that are read of one object, and of the objects in it.

    Attributes:
        names: As they are read.
        folded: What they fold to.
        below: Of the members that are objects themselves.
    """

    names: frozenset[str]
    folded: frozenset[str]
    below: tuple[tuple[str, "KeyTree"], ...]

    def find_lookalike(self, members: Mapping[str, object]) -> str:
        """Return the first name that another reader takes for one of these, or ``""``."""
        nulls = members.nulls if isinstance(members, JsonObject) else ()
        for keys in (members, nulls):
            for key in keys:
                if key not in self.names and fold_key(key) in self.folded:
                    return key or "\0"
        for name, tree in self.below:
            for inner in _objects(members.get(name)):
                if found := tree.find_lookalike(inner):
                    return found
        return ""


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    """Find the objects in a value, also in lists, and not in objects."""
    stack = [value]
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            yield here
        elif isinstance(here, list):
            stack += here


@lru_cache(8192)
def key_tree(paths: tuple[KeyPath, ...]) -> KeyTree:
    """Index the paths of members that are read, each from the outermost object on."""
    below: dict[str, list[KeyPath]] = {}
    for first, *rest in filter(None, paths):
        below.setdefault(first, []).append(tuple(rest))
    names = frozenset(below)
    trees = (
        (name, key_tree(tuple(inner)))
        for name, each in below.items()
        if (inner := [path for path in each if path])
    )
    return KeyTree(names, frozenset(map(fold_key, names)), tuple(trees))
