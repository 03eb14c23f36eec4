"""Access nodes of a parsed document: values with their JSON pointers.

JSON, TOML and YAML all become the same tree, so readers are independent of the format.
The repr of a node omits its value, which may be a secret.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from answerable.model.errors import ParseError

RawValue = dict[str, "RawValue"] | list["RawValue"] | str | int | float | bool | None

DEPTH_LIMIT = 100
NODE_LIMIT = 200_000
PATH_LIMIT = 4_096
DUPLICATE_KEYS_LIMIT = 100


class ObjectWithDuplicates(dict[str, RawValue]):
    """Object with repeated keys; the last value of each is kept.

    Attributes:
        names: The repeated keys.
    """

    names: tuple[str, ...] = ()


def build_object(pairs: list[tuple[str, RawValue]]) -> dict[str, RawValue]:
    """Build an object that remembers its repeated names."""
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    doubled = ObjectWithDuplicates(plain)
    counts = Counter(name for name, _ in pairs)
    doubled.names = tuple(name for name, times in counts.items() if times > 1)
    return doubled


def escape_pointer_token(key: str) -> str:
    """Escape one key for a JSON pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


@dataclass(frozen=True, slots=True, repr=False)
class DocumentNode:
    """Value of a document.

    Attributes:
        pointer: JSON pointer from the root, empty for the root itself.
        raw: The value; kept out of every repr.
    """

    pointer: str
    raw: RawValue

    def __repr__(self) -> str:
        return f"Node({self.pointer!r})"

    @property
    def is_object(self) -> bool:
        """Return whether this is an object."""
        return isinstance(self.raw, dict)

    @property
    def is_array(self) -> bool:
        """Return whether this is an array."""
        return isinstance(self.raw, list)

    def get(self, *names: str) -> "DocumentNode | None":
        """Return the member of the first present name, or None."""
        if isinstance(self.raw, dict):
            for name in names:
                if name in self.raw:
                    return self._child_node(name, self.raw[name])
        return None

    def descend(self, *path: str) -> "DocumentNode | None":
        """Descend by several keys; None if one is missing."""
        node: DocumentNode | None = self
        for name in path:
            node = node.get(name) if node is not None else None
        return node

    def members(self) -> Iterator[tuple[str, "DocumentNode"]]:
        """Yield the members of an object in file order; nothing for anything else."""
        if isinstance(self.raw, dict):
            for name, value in self.raw.items():
                yield name, self._child_node(name, value)

    def items(self) -> Iterator["DocumentNode"]:
        """Yield the items of an array; nothing for anything else."""
        if isinstance(self.raw, list):
            for index, value in enumerate(self.raw):
                yield self._child_node(str(index), value)

    def text(self) -> str:
        """Return a scalar as text; empty for objects, arrays and null."""
        raw = self.raw
        if isinstance(raw, str):
            return raw
        if isinstance(raw, bool):
            return "true" if raw else "false"
        return str(raw) if isinstance(raw, int | float) else ""

    def text_at(self, *names: str) -> str:
        """Return the text of the first present member, else empty."""
        node = self.get(*names)
        return node.text() if node is not None else ""

    def flag(self, *names: str) -> bool:
        """Return whether a member is `true` (or the text `true`)."""
        return self.text_at(*names).lower() == "true"

    def texts(self, *names: str) -> tuple[str, ...]:
        """Return a member as texts: an array of scalars or a comma-separated text."""
        node = self.get(*names)
        if node is None:
            return ()
        if node.is_array:
            return tuple(item.text() for item in node.items())
        return tuple(p.strip() for p in node.text().split(",") if p.strip())

    def _child_node(self, key: str, value: RawValue) -> "DocumentNode":
        """Return a member or an item with its pointer."""
        return DocumentNode(f"{self.pointer}/{escape_pointer_token(key)}", value)


def walk_scalars(root: DocumentNode) -> Iterator[DocumentNode]:
    """Yield every scalar below a node, in file order, without recursion.

    One pointer per level is kept: a long pointer above many values would otherwise be
    copied for each of them.
    """
    stack: list[Iterator[DocumentNode]] = [iter((root,))]
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
        elif isinstance(node.raw, dict):
            stack.append(child for _, child in node.members())
        elif isinstance(node.raw, list):
            stack.append(node.items())
        else:
            yield node


def check_tree_size(raw: RawValue) -> None:
    """Refuse a tree that is too deep or too large for a configuration.

    Raises:
        ParseError: It is deeper than DEPTH_LIMIT, has more than NODE_LIMIT values, a
            path of keys of more than PATH_LIMIT characters, or a text that is not
            Unicode.
    """
    level: list[tuple[RawValue, int]] = [(raw, 0)]
    count = depth = 0
    while level:
        count += len(level)
        if depth > DEPTH_LIMIT:
            raise ParseError(
                f"the document has more than {DEPTH_LIMIT} levels of nesting"
            )
        below: list[tuple[RawValue, int]] = []
        for value, length in level:
            if length > PATH_LIMIT:
                raise ParseError(
                    f"the path of a value has more than {PATH_LIMIT} characters"
                )
            if isinstance(value, dict):
                for key, inner in value.items():
                    _check_surrogates(key)
                    below.append((inner, length + len(key) + 1))
            elif isinstance(value, list):
                below += [(inner, length + 7) for inner in value]
            elif isinstance(value, str):
                _check_surrogates(value)
            # Within a level: many aliases of one long list stand side by side.
            if count + len(below) > NODE_LIMIT:
                raise ParseError(f"the document has more than {NODE_LIMIT} values")
        level = below
        depth += 1


def _check_surrogates(text: str) -> None:
    """Raise if a text contains half of a surrogate pair."""
    # `"\\ud800"` alone is no character (RFC 8259 section 8.2) and cannot be stored.
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ParseError("an unpaired surrogate in a string")


def find_duplicate_keys(raw: RawValue) -> tuple[str, ...]:
    """Return pointers of repeated keys, at most DOUBLED_LIMIT."""
    if not _has_duplicate_keys(raw):
        return ()
    found: list[str] = []
    stack: list[Iterator[DocumentNode]] = [iter((DocumentNode("", raw),))]
    while stack and len(found) < DUPLICATE_KEYS_LIMIT:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
            continue
        if isinstance(node.raw, ObjectWithDuplicates):
            found += [
                f"{node.pointer}/{escape_pointer_token(name)}"
                for name in node.raw.names
            ]
        stack.append(child for _, child in node.members())
        stack.append(node.items())
    return tuple(sorted(found[:DUPLICATE_KEYS_LIMIT]))


def _has_duplicate_keys(raw: RawValue) -> bool:
    """Return whether any object of a tree has repeated keys."""
    stack = [raw]
    while stack:
        value = stack.pop()
        if isinstance(value, ObjectWithDuplicates):
            return True
        if isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    return False
