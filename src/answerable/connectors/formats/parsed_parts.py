"""Cache of parts that the records of a log repeat, such as the caller."""

from collections.abc import Callable
from typing import TypeVar

Part = TypeVar("Part")
_MAX_PARTS = 4096
_MAX_PART_BYTES = 1024


class ParsedParts(dict[bytes, Part]):
    """Values of parts of records, by their bytes; a missing one is parsed.

    It keeps at most 4,096 parts of at most 1,024 bytes, and is emptied when it is full.

    Args:
        parse: Parser of a part. Its errors are raised by the look-up.
    """

    def __init__(self, parse: Callable[[bytes], Part]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, raw: bytes) -> Part:
        part = self._parse(raw)
        if len(raw) <= _MAX_PART_BYTES:
            if len(self) >= _MAX_PARTS:
                self.clear()
            self[raw] = part
        return part
