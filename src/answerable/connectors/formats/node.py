"""A parsed document: values with the JSON pointer that leads to them.

JSON, TOML and YAML all become the same tree, so what is read out of it does not care
which of them it was. A node never shows its value when printed: what lies in a
configuration may be a secret.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.model.errors import ParseError

Raw = dict[str, "Raw"] | list["Raw"] | str | int | float | bool | None

DEPTH_LIMIT = 100
NODE_LIMIT = 500_000
KEY_LIMIT = 4096


class Doubled(dict[str, Raw]):
    """An object in which keys stood more than once; the last value of each is kept.

    Attributes:
        names: The keys that stood more than once.
    """

    names: tuple[str, ...] = ()


def pointer_token(key: str) -> str:
    """Escape one key for a JSON pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


@dataclass(frozen=True, slots=True, repr=False)
class Node:
    """One value of a document.

    Attributes:
        pointer: JSON pointer from the root, empty for the root itself.
        raw: The bare value; kept out of every repr.
    """

    pointer: str
    raw: Raw

    def __repr__(self) -> str:
        return f"Node({self.pointer!r})"

    @property
    def is_object(self) -> bool:
        """Tell whether this is an object."""
        return isinstance(self.raw, dict)

    @property
    def is_array(self) -> bool:
        """Tell whether this is an array."""
        return isinstance(self.raw, list)

    def get(self, *names: str) -> "Node | None":
        """Return the member under the first of the names that is there, or None."""
        if isinstance(self.raw, dict):
            for name in names:
                if name in self.raw:
                    return self._child(name, self.raw[name])
        return None

    def at(self, *path: str) -> "Node | None":
        """Descend by several keys, or None where one is missing."""
        node: Node | None = self
        for name in path:
            node = node.get(name) if node is not None else None
        return node

    def members(self) -> Iterator[tuple[str, "Node"]]:
        """Yield the members of an object in file order; nothing for anything else."""
        if isinstance(self.raw, dict):
            for name, value in self.raw.items():
                yield name, self._child(name, value)

    def items(self) -> Iterator["Node"]:
        """Yield the items of an array; nothing for anything else."""
        if isinstance(self.raw, list):
            for index, value in enumerate(self.raw):
                yield self._child(str(index), value)

    def text(self) -> str:
        """Return a scalar as text; empty for objects, arrays and null."""
        raw = self.raw
        if isinstance(raw, str):
            return raw
        if isinstance(raw, bool):
            return "true" if raw else "false"
        return str(raw) if isinstance(raw, int | float) else ""

    def text_at(self, *names: str) -> str:
        """Return the text of the first of the members that is there, else empty."""
        node = self.get(*names)
        return node.text() if node is not None else ""

    def flag(self, *names: str) -> bool:
        """Tell whether a member is `true` (or the text `true`)."""
        return self.text_at(*names).lower() == "true"

    def texts(self, *names: str) -> tuple[str, ...]:
        """Return a member as texts: an array of scalars, or one comma-separated text."""
        node = self.get(*names)
        if node is None:
            return ()
        if node.is_array:
            return tuple(item.text() for item in node.items())
        return tuple(p.strip() for p in node.text().split(",") if p.strip())

    def _child(self, key: str, value: Raw) -> "Node":
        return Node(f"{self.pointer}/{pointer_token(key)}", value)


def walk(root: Node) -> Iterator[Node]:
    """Yield every scalar below a node, in file order, without recursion."""
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node.raw, dict):
            stack += [child for _, child in node.members()][::-1]
        elif isinstance(node.raw, list):
            stack += list(node.items())[::-1]
        else:
            yield node


def check_bounds(raw: Raw) -> None:
    """Refuse a tree that is too deep or too large to be a configuration.

    Raises:
        ParseError: It is deeper than DEPTH_LIMIT, has more than NODE_LIMIT values, a
            key of more than KEY_LIMIT characters, or a text that is not Unicode.
    """
    level: list[Raw] = [raw]
    count = depth = 0
    while level:
        count += len(level)
        if depth > DEPTH_LIMIT:
            raise ParseError(f"nested deeper than {DEPTH_LIMIT} levels")
        if count > NODE_LIMIT:
            raise ParseError(f"more than {NODE_LIMIT} values")
        below: list[Raw] = []
        for value in level:
            if isinstance(value, dict):
                for key in value:
                    _check_text(key, KEY_LIMIT)
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str):
                _check_text(value, len(value))
        level = below
        depth += 1


def _check_text(text: str, limit: int) -> None:
    if len(text) > limit:
        raise ParseError(f"a key of more than {limit} characters")
    # `"\\ud800"` alone is no character (RFC 8259 section 8.2) and cannot be stored.
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ParseError("half of a surrogate pair in a text")


def doubled_keys(raw: Raw) -> tuple[str, ...]:
    """Return the pointers of all keys that stood more than once in their object."""
    found: list[str] = []
    stack = [Node("", raw)]
    while stack:
        node = stack.pop()
        if isinstance(node.raw, Doubled):
            found += [
                f"{node.pointer}/{pointer_token(name)}" for name in node.raw.names
            ]
        stack += [child for _, child in node.members()]
        stack += node.items()
    return tuple(sorted(found))
