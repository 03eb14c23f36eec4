"""Decode a stored sync from the parts of its JSON, so that these are never joined.

The lists of facts are decoded a part at a time. A part ends where one entity ends and the
next begins: a text that is cut anywhere else is no JSON.
"""

import typing
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from typing import Any

import msgspec

from answerable.inventory.fact_pool import FactPool
from answerable.model.coverage import CoverageScope
from answerable.model.sighting import Probe, ReadProblem, SightedFacts, Sync

_PART_BYTES = 256 << 10
_TRIED = 8  # last places where an entity may end
_FACTS = b',"facts":'
_KINDS = tuple(
    (name, typing.get_args(hint)[0])
    for name, hint in typing.get_type_hints(SightedFacts).items()
)


class _SyncHead(msgspec.Struct, forbid_unknown_fields=True):
    """Members of a sync before its facts."""

    source: str
    connector: str
    started_at: int


class _SyncRest(msgspec.Struct, forbid_unknown_fields=True):
    """Members of a sync after its facts."""

    probes: tuple[Probe, ...]
    problems: tuple[ReadProblem, ...]
    collected: tuple[str, ...]
    not_collected: tuple[str, ...]
    held: tuple[CoverageScope, ...]


def decode_sync(parts: Iterable[bytes], pool: FactPool) -> Sync | None:
    """Decode a sync from the parts of its JSON.

    Args:
        parts: Its JSON; the last one has been read before a sync is returned.
        pool: Values that its facts share.

    Returns:
        None if it has other members than this release writes, in this order.

    Raises:
        AnswerableError: From the iterator of the parts.
    """
    text = _Text(iter(parts))
    try:
        head = msgspec.json.decode(text.take(_FACTS) + b"}", type=_SyncHead)
        facts: dict[str, Any] = {}
        lead = b"{"
        for index, (name, kind) in enumerate(_KINDS):
            text.expect(lead + b'"%b":[' % name.encode())
            lead = b","
            last = index + 1 == len(_KINDS)
            following = '},"probes":' if last else f',"{_KINDS[index + 1][0]}":['
            facts[name] = tuple(_iterate_rows(text, kind, following.encode(), pool))
        text.expect(b"},")
        rest = msgspec.json.decode(b"{" + text.take_all(), type=_SyncRest)
    except (msgspec.DecodeError, _UnexpectedTextError):
        return None
    return Sync(
        **msgspec.structs.asdict(head),
        facts=SightedFacts(**facts),
        **msgspec.structs.asdict(rest),
    )


class _UnexpectedTextError(Exception):
    """Text of another form."""


class _Text:
    """Text that arrives in parts.

    Attributes:
        buffer: Its beginning.
    """

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self.buffer = b""

    def read(self) -> bool:
        """Read more; return False at the end."""
        size = len(self.buffer)
        parts = [self.buffer]
        for part in self._parts:
            parts.append(part)
            size += len(part)
            if size >= len(self.buffer) + _PART_BYTES:
                break
        grown = size > len(self.buffer)
        self.buffer = b"".join(parts)
        return grown

    def take(self, end: bytes) -> bytes:
        """Take the text before the first occurrence of an end, and drop the end."""
        while end not in self.buffer:
            if not self.read():
                raise _UnexpectedTextError
        taken, _, self.buffer = self.buffer.partition(end)
        return taken

    def take_all(self) -> bytes:
        """Take the rest of the text."""
        while self.read():
            pass
        return self.buffer

    def expect(self, start: bytes) -> None:
        """Drop an expected start."""
        while len(self.buffer) < len(start) and self.read():
            pass
        if not self.buffer.startswith(start):
            raise _UnexpectedTextError
        self.buffer = self.buffer[len(start) :]


def _iterate_rows(
    text: _Text, kind: type, following: bytes, pool: FactPool
) -> Iterator[object]:
    """Yield the rows of a list; leave what follows its end."""
    decoder = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]  # of this kind
    end = b"]" + following
    between = b'},{"%b":' % fields(kind)[0].name.encode()
    while True:
        rows = _take_to_end(text, decoder, end)
        is_last = rows is not None
        if rows is None and len(text.buffer) >= _PART_BYTES:
            rows = _take_part(text, decoder, between)
        if rows is None:
            if not text.read():
                raise _UnexpectedTextError
            continue
        yield from pool.share(rows)
        if is_last:
            return


def _take_to_end(
    text: _Text, decoder: "msgspec.json.Decoder[list[object]]", end: bytes
) -> list[object] | None:
    """Take the rows up to the end of their list; None if it was not read yet."""
    at = text.buffer.find(end)
    while at >= 0:
        with suppress(msgspec.DecodeError):
            rows = decoder.decode(b"[" + text.buffer[: at + 1])
            text.buffer = text.buffer[at + 1 :]
            return rows
        at = text.buffer.find(end, at + 1)
    return None


def _take_part(
    text: _Text, decoder: "msgspec.json.Decoder[list[object]]", between: bytes
) -> list[object] | None:
    """Take the rows up to the last one that is complete; None for none."""
    at = len(text.buffer)
    for _ in range(_TRIED):
        at = text.buffer.rfind(between, 0, at)
        if at < 0:
            return None
        with suppress(msgspec.DecodeError):
            rows = decoder.decode(b"[" + text.buffer[: at + 1] + b"]")
            text.buffer = text.buffer[at + 2 :]
            return rows
    return None
