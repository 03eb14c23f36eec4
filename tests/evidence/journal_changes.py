"""Changes to the compressed records of a journal."""

from collections.abc import Callable

from zstandard import ZstdCompressor, ZstdDecompressor

_HEAD = 4 + 104


def change_records(
    data: bytes, change: Callable[[bytes], bytes], level: int = 1
) -> bytes:
    """Change the content of each batch; heads and lengths stay consistent with it."""
    at = data.index(b"\n", data.index(b"\n") + 1) + 1
    parts = [data[:at]]
    while at < len(data):
        if data[at] & 0x80:
            parts.append(data[at : at + _HEAD])
            at += _HEAD
            continue
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        text = change(ZstdDecompressor().decompress(data[at + 4 : end]))
        frame = ZstdCompressor(level=level, write_checksum=True).compress(text)
        parts += (len(frame).to_bytes(4, "big"), frame)
        at = end
    return b"".join(parts)
