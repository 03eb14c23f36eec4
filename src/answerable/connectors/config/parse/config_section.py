"""Read typed values from a YAML mapping; unknown keys are reported as faults.

Nothing raises here: a value of the wrong kind is reported with its position, the
default is used, and reading continues, so that one run reports all faults.
"""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from answerable.connectors.config.parse.config_faults import ConfigFaults, TextPosition
from answerable.connectors.config.parse.yaml_nodes import YamlMember, YamlNode

EnumWordT = TypeVar("EnumWordT", bound=StrEnum)
ValueT = TypeVar("ValueT")
LeafValue = str | int | bool | tuple[str | int | bool, ...]

_TIME = re.compile(r"([1-9][0-9]{0,5})([smh])")
_UNITS = {"s": 1, "m": 60, "h": 3600}
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")

MAX_TEXT_LENGTH = 4096


class ConfigSection:
    """Mapping of the configuration.

    Args:
        node: The value; anything except a mapping is a fault.
        path: Its path, for faults.
        shape: The same with `NAME` and `[]`, as in the documentation.
        faults: Collector of faults.
    """

    def __init__(
        self, node: YamlNode, path: str, shape: str, faults: ConfigFaults
    ) -> None:
        self.mark = node.position
        self.path = path
        self._shape = shape
        self._faults = faults
        self._asked: list[str] = []
        self._members: dict[str, YamlMember] = {}
        if isinstance(node.value, dict):
            self._members = node.value
        elif node.value is not None:
            faults.add(node.position, path, "expected a mapping")

    def __bool__(self) -> bool:
        return bool(self._members)

    def has_key(self, key: str) -> bool:
        """Return whether a key is present."""
        return key in self._members

    def report_fault(self, key: str, message: str) -> None:
        """Record a fault of the file at a key, or at the section without it."""
        member = self._members.get(key)
        mark = member.node.position if member else self.mark
        self._faults.add(mark, self._path_of(key) if key else self.path, message)

    def read_text(self, key: str, default: str | None = "") -> str:
        """Read a text; a default of None makes it required."""
        node = self._find_member(key)
        if node is None:
            if default is None:
                self._faults.add(self.mark, self.path, f"{key} is missing")
            return default or ""
        return self._parse_text(node, self._path_of(key)) or ""

    def read_texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts, empty if missing."""
        items = self._find_value(key, list, "expected a list") or []
        read = [
            self._parse_text(item, f"{self._path_of(key)}[{index}]")
            for index, item in enumerate(items)
        ]
        return tuple(text for text in read if text is not None)

    def list_item_positions(self, key: str) -> tuple[TextPosition, ...]:
        """Return the positions of a list's items."""
        member = self._members.get(key)
        value = member.node.value if member else None
        return tuple(node.position for node in value) if isinstance(value, list) else ()

    def read_text_mapping(self, key: str) -> tuple[tuple[str, str], ...]:
        """Read a mapping of names to texts, empty if missing."""
        members = self._find_value(key, dict, "expected a mapping") or {}
        read = [
            (name, self._parse_text(member.node, f"{self._path_of(key)}.{name}"))
            for name, member in members.items()
        ]
        return tuple((name, text) for name, text in read if text is not None)

    def read_numbers(self, key: str, minimum: int, maximum: int) -> tuple[int, ...]:
        """Read a list of integers within bounds, empty if missing."""
        node = self._find_member(key)
        if node is None:
            return ()
        items = node.value if isinstance(node.value, list) else [node]
        read = [
            item.value
            for item in items
            if isinstance(item.value, int)
            and not isinstance(item.value, bool)
            and minimum <= item.value <= maximum
        ]
        if not isinstance(node.value, list) or len(read) != len(items):
            what = f"expected a list of numbers from {minimum} to {maximum}"
            self._faults.add(node.position, self._path_of(key), what)
        return tuple(read)

    def read_number(self, key: str, default: int, minimum: int, maximum: int) -> int:
        """Read an integer within bounds."""
        node = self._find_member(key)
        if node is None:
            return default
        value = node.value
        # To Python, true is 1.
        if isinstance(value, bool) or not isinstance(value, int):
            what = "expected a whole number"
        elif not minimum <= value <= maximum:
            what = f"expected a number from {minimum} to {maximum}"
        else:
            return value
        self._faults.add(node.position, self._path_of(key), what)
        return default

    def read_seconds(self, key: str, default: int, minimum: int, maximum: int) -> int:
        """Read a duration: whole seconds, or a text like `90s`, `10m`, `1h`."""
        node = self._find_member(key)
        if node is None:
            return default
        value: object = node.value
        if isinstance(value, str) and (said := _TIME.fullmatch(value)):
            value = int(said[1]) * _UNITS[said[2]]
        if isinstance(value, bool) or not isinstance(value, int):
            what = "expected whole seconds, or a duration such as 10m"
        elif not minimum <= value <= maximum:
            what = f"expected {minimum} to {maximum} seconds"
        else:
            return value
        self._faults.add(node.position, self._path_of(key), what)
        return default

    def read_nested_values(
        self, key: str
    ) -> "tuple[tuple[tuple[str, ...], LeafValue], ...]":
        """Read nested mappings of names to texts, numbers, booleans, or lists of them.

        A nested value is returned with its path.
        """
        members = self._find_value(key, dict, "expected a mapping") or {}
        return tuple(self._iter_leaf_values((), members, self._path_of(key)))

    def read_flag(self, key: str) -> bool:
        """Read a boolean; false if missing."""
        return bool(self._find_value(key, bool, "expected true or false"))

    def read_variable(self, key: str) -> str:
        """Read the name of an environment variable that holds a secret."""
        name = self.read_text(key)
        if name and not VARIABLE.fullmatch(name):
            what = "expected the name of an environment variable, not its value"
            self.report_fault(key, what)
        return name

    def read_enum(self, key: str, default: EnumWordT) -> EnumWordT:
        """Read a text that must be a member of an enumeration."""
        text = self.read_text(key)
        if not self.has_key(key):
            return default
        kind = type(default)
        if text not in list(kind):
            words = ", ".join(kind)
            self.report_fault(key, f"expected one of {words}")
            return default
        return kind(text)

    def read_section(self, key: str) -> "ConfigSection":
        """Read a mapping, empty if missing."""
        node = self._find_member(key)
        return self._wrap_section(node or YamlNode(self.mark, None), key, key)

    def read_named_sections(self, key: str) -> Iterator[tuple[str, "ConfigSection"]]:
        """Read a mapping of names to mappings, in file order."""
        holder = self.read_section(key)
        for name, member in holder._members.items():
            yield name, holder._wrap_section(member.node, name, "NAME")
        holder._asked += holder._members

    def read_section_list(
        self, key: str, text_key: str = ""
    ) -> Iterator["ConfigSection"]:
        """Read a list of mappings, in file order.

        Args:
            text_key: Key that an item without a mapping gives, alone; empty for none.
        """
        items = self._find_value(key, list, "expected a list") or []
        for index, item in enumerate(items):
            if text_key and isinstance(item.value, str):
                member = YamlMember(item.position, item)
                item = YamlNode(item.position, {text_key: member})
            yield self._wrap_section(item, f"{key}[{index}]", f"{key}[]")

    def require(self, *keys: str) -> None:
        """Report each of these keys that is missing."""
        for key in keys:
            if not self.has_key(key):
                self.report_fault("", f"{key} is missing")

    def report_unknown_keys(self) -> None:
        """Report every unknown key, with the nearest known one."""
        for name, member in self._members.items():
            if name not in self._asked:
                close = get_close_matches(name.lower(), self._asked, n=1, cutoff=0.6)
                known = ", ".join(sorted(set(self._asked)))
                hint = f"did you mean {close[0]}?" if close else f"known: {known}"
                self._faults.add(
                    member.key_position, self.path, f"unknown key {name[:80]!r}; {hint}"
                )

    def check_texts(
        self, key: str, is_valid: Callable[[str], bool], message: str
    ) -> None:
        """Check a text or each item of a list; report invalid ones as faults."""
        member = self._members.get(key)
        value = member.node.value if member else None
        nodes = value if isinstance(value, list) else [member.node] if member else []
        for node in nodes:
            if isinstance(node.value, str) and not is_valid(node.value):
                self._faults.add(node.position, self._path_of(key), message)

    def _iter_leaf_values(
        self, path_keys: tuple[str, ...], members: dict[str, YamlMember], path: str
    ) -> "Iterator[tuple[tuple[str, ...], LeafValue]]":
        """Yield the path and value of each leaf below a mapping."""
        for name, member in members.items():
            here, spelled = (*path_keys, name), f"{path}.{name}"
            value = member.node.value
            if isinstance(value, dict) and value:
                yield from self._iter_leaf_values(here, value, spelled)
            elif isinstance(value, str | int):
                yield here, value
            elif isinstance(value, list) and all(
                isinstance(item.value, str | int) for item in value
            ):
                yield (
                    here,
                    tuple(
                        item.value
                        for item in value
                        if isinstance(item.value, str | int)
                    ),
                )
            else:
                what = "expected a string, a number, true, false or a list of them"
                self._faults.add(member.node.position, spelled, what)

    def _find_member(self, key: str) -> YamlNode | None:
        """Return a member by its key, and mark the key as known."""
        self._asked.append(key)
        self._faults.known_keys.add(f"{self._shape}.{key}".removeprefix("."))
        member = self._members.get(key)
        return None if member is None or member.node.value is None else member.node

    def _find_value(
        self, key: str, value_type: type[ValueT], expected: str
    ) -> ValueT | None:
        """Return the value of a member; None and a fault for one of another type."""
        node = self._find_member(key)
        if node is None:
            return None
        if isinstance(node.value, value_type):
            return node.value
        self._faults.add(node.position, self._path_of(key), expected)
        return None

    def _path_of(self, key: str) -> str:
        """Return the path of a key in the file."""
        return f"{self.path}.{key}" if self.path else key

    def _wrap_section(self, node: YamlNode, key: str, shape: str) -> "ConfigSection":
        """Wrap a YAML node in a section; a node that is no mapping is a fault."""
        below = f"{self._shape}.{shape}" if self._shape else shape
        return ConfigSection(node, self._path_of(key), below, self._faults)

    def _parse_text(self, node: YamlNode, path: str) -> str | None:
        """Return a printable text, None and a fault for anything else."""
        value = node.value
        if not isinstance(value, str):
            self._faults.add(node.position, path, "expected a string (quote numbers)")
        elif not _is_printable_text(value):
            what = f"expected a printable string of 1 to {MAX_TEXT_LENGTH} characters"
            self._faults.add(node.position, path, what)
        else:
            return value
        return None


def _is_printable_text(value: str) -> bool:
    """Return whether a text is printable and of bounded length."""
    trimmed = bool(value) and value == value.strip()
    return trimmed and len(value) <= MAX_TEXT_LENGTH and value.isprintable()


def root_section(node: YamlNode, faults: ConfigFaults) -> ConfigSection:
    """Return the root section of the file."""
    if node.value is None:
        faults.add(TextPosition(1, 1), "", "the file is empty")
    return ConfigSection(node, "", "", faults)
