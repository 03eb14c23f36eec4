"""Pack the records of a journal in zstd frames, and unpack them."""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

MAX_RECORD_SIZE = 16 << 20
_LENGTH = struct.Struct(">I")
CHECK_SIZE = 2  # bytes of the chain hash, which name the record that was changed
_FRAMING = _LENGTH.size + CHECK_SIZE
_MAX_CONTENT = _FRAMING + MAX_RECORD_SIZE
MAX_BATCH_SIZE = _MAX_CONTENT + (1 << 17)  # of content that zstd cannot compress
# A batch of several records has at most this: it fits in the processor's cache.
_CONTENT_SIZE = 1 << 20
_ZSTD_LEVEL = 1  # canonical records become no smaller at the next levels
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def pack_batches(records: Sequence[bytes], checks: Sequence[bytes]) -> Iterator[bytes]:
    """Yield zstd frames of records.

    Args:
        records: Records; each has its length (4 bytes) before it.
        checks: Two bytes after each of them.
    """
    from zstandard import ZstdCompressor  # most commands write no journal

    compressor = ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
    sizes = list(map(len, records))
    ends = list(accumulate(map(_FRAMING.__add__, sizes)))
    start = before = 0
    while start < len(sizes):
        end = max(bisect_right(ends, before + _CONTENT_SIZE), start + 1)
        parts = [b""] * (3 * (end - start))
        parts[::3] = map(_LENGTH.pack, sizes[start:end])
        parts[1::3], parts[2::3] = records[start:end], checks[start:end]
        yield compressor.compress(b"".join(parts))
        start, before = end, ends[end - 1]


class BatchReader:
    """Reader of the batches of one journal, for one thread."""

    def __init__(self) -> None:
        import zstandard

        self._decompress = zstandard.ZstdDecompressor().decompress
        self._read_parameters = zstandard.get_frame_parameters
        self._error = zstandard.ZstdError

    def unpack(self, frame: bytes) -> list[tuple[bytes, bytes]] | None:
        """Decompress the records of a batch, each with its check.

        None if it is not one whole frame of records.
        """
        try:
            # The frame states the memory it needs: a hostile one may state too much.
            if not 0 < self._read_parameters(frame).content_size <= _MAX_CONTENT:
                return None
            content = self._decompress(frame, allow_extra_data=False)
        except self._error:
            return None
        records: list[tuple[bytes, bytes]] = []
        unpack_length, at, last = _LENGTH.unpack_from, 0, len(content) - _FRAMING
        while at <= last:
            start = at + _LENGTH.size
            end = start + unpack_length(content, at)[0]
            at = end + CHECK_SIZE
            records.append((content[start:end], content[end:at]))
        return records if at == len(content) else None
