"""Everything that a stored file says: its bytes, and what its compressed parts hold."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import zstandard

_FRAME = b"\x28\xb5\x2f\xfd"
_PARQUET = b"PAR1"


def iterate_stored_contents(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, the cells of a table, and the content of zstd frames.

    A frame may be anywhere in the file: a journal has one after the length of each batch.
    """
    raw = path.read_bytes()
    yield raw
    if raw.startswith(_PARQUET):
        rows = duckdb.connect().execute("select * from read_parquet(?)", [str(path)])
        for row in rows.fetchall():
            for cell in row:
                yield cell if isinstance(cell, bytes) else str(cell).encode()
        return
    place = raw.find(_FRAME)
    while place >= 0:
        with suppress(zstandard.ZstdError):
            yield zstandard.ZstdDecompressor().decompressobj().decompress(raw[place:])
        place = raw.find(_FRAME, place + 1)
