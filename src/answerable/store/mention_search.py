"""Search the files of a store for mentions of a person."""

import base64
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from answerable.model.errors import AnswerableError
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.letter_escapes import decode_letters, has_escaped_letter
from answerable.store.mention_pattern import build_mention_pattern
from answerable.store.row_conditions import (
    build_mention_condition,
    build_person_condition,
)

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_MAX_PATTERN_BYTES = 64 << 20  # for many or long names
SET_ASIDE = "set-aside"  # folder of damaged files in the store
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}|[A-Za-z0-9_-]{16,}")
_ZSTD_FRAME = b"\x28\xb5\x2f\xfd"
_URLSAFE = bytes.maketrans(b"-_", b"+/")


class MentionSearch:
    """Search for one person.

    Args:
        names: Names of the person, with or without `person:`.
    """

    def __init__(self, names: Sequence[str]) -> None:
        import re2  # slow to import; the engine of the SQL condition, too

        options = re2.Options()
        options.max_mem = _MAX_PATTERN_BYTES  # the engine is slower beyond it
        options.log_errors = False
        self._pattern = re2.compile(build_mention_pattern(names), options)
        self._any_text = build_mention_condition("t::VARCHAR", names)
        self._condition = build_person_condition(names)
        has_backslash = any("\\" in each for each in names)
        self._decodings = (False, True) if has_backslash else (False,)

    def in_text(self, text: str) -> bool:
        """Return whether a text mentions the person."""
        valid = text.encode("utf-8", "replace").decode("utf-8")
        return self._pattern.search(valid) is not None or (
            has_escaped_letter(valid)
            and any(
                self._pattern.search(decode_letters(valid, keeps_backslash=keeps))
                is not None
                for keeps in self._decodings
            )
        )

    def in_bytes(self, data: bytes) -> bool:
        """Return whether bytes, or what is base64 in them, mention the person.

        Quarantined records and payloads of signed statements are base64.
        """
        parts = [data]
        for match in _BASE64.finditer(data):
            with suppress(ValueError):
                text = match[0].translate(_URLSAFE)
                parts.append(base64.b64decode(text + b"=" * (-len(text) % 4)))
        return self.in_text(b"\n".join(parts).decode("utf-8", "replace"))

    def list_files(
        self, store: "EvidenceStore", without: Sequence[str] = ()
    ) -> Iterator[str]:
        """Yield the files of a store that mention the person, relative to it.

        Args:
            store: The store.
            without: Folders of the store that are not searched.
        """
        engine = DuckDbEngine(store.root)
        try:
            for path in sorted(store.root.rglob("*")):
                if path.is_symlink() or not path.is_file():
                    continue
                name = str(path.relative_to(store.root))
                if name.partition("/")[0] in without:
                    continue
                if self.in_text(name) or self._is_in_file(store, engine, path):
                    yield name
        finally:
            engine.close()

    def list_damaged_files(self, store: "EvidenceStore") -> list[Path]:
        """List the files that were set aside and mention the person, or may."""
        folder = store.root / SET_ASIDE
        engine = DuckDbEngine(store.root)
        try:
            return [
                each
                for each in (sorted(folder.iterdir()) if folder.is_dir() else [])
                if self._is_in_file(store, engine, each)
            ]
        finally:
            engine.close()

    def _is_in_file(
        self, store: "EvidenceStore", engine: DuckDbEngine, path: Path
    ) -> bool:
        """Return whether a file mentions the person; a damaged table may."""
        import _duckdb as duckdb

        if path.suffix != ".parquet":
            # A difference has the pieces that are not in the earlier object.
            return self.in_bytes(_read_frames(path))
        condition = self._any_text
        if path.is_relative_to(store.layout.segments):
            condition = self._condition
        try:
            found = engine.run(
                "SELECT count(*) FROM read_parquet("  # noqa: S608 - ours
                f"{quote_text(str(path.absolute()))}, hive_partitioning=false) AS t "
                f"WHERE {condition.sql}",
                condition.parameters,
            )
        except (AnswerableError, duckdb.Error):
            return True
        return found != [(0,)]


def _read_frames(path: Path) -> bytes:
    """Read a file, and the content of each frame of zstd in it.

    A journal has a frame after the length of each batch.
    """
    raw = path.read_bytes()
    parts = [raw]
    place = raw.find(_ZSTD_FRAME)
    while place >= 0:
        with suppress(zstandard.ZstdError):
            decompressor = zstandard.ZstdDecompressor().decompressobj()
            parts.append(decompressor.decompress(raw[place:]))
        place = raw.find(_ZSTD_FRAME, place + 1)
    return b"\n".join(parts)
