"""Verifier of bundles and tiles, written from docs/evidence.md alone.

It shares no code with the product. RFC 6962 and the C2SP pages that docs/evidence.md names
are its other sources. Each function returns what was proven, or raises `InvalidProofError`.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Read = Callable[[str], bytes]


class InvalidProofError(Exception):
    """The input proves nothing."""


def require(holds: object) -> None:
    if not holds:
        raise InvalidProofError


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaf(data: bytes) -> bytes:
    return sha256(b"\0" + data)


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right)


def root_of(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:split]), root_of(leaves[split:]))


def root_by_path(index: int, size: int, here: bytes, path: list[bytes]) -> bytes:
    """Root that an inclusion path leads to, from the recursion of RFC 6962 2.1.1."""
    require(0 <= index < size)
    if size == 1:
        require(not path)
        return here
    require(path)
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        return node(root_by_path(index, split, here, path[:-1]), path[-1])
    return node(path[-1], root_by_path(index - split, size - split, here, path[:-1]))


def decode64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    require(base64.b64encode(data).decode() == text)
    return data


def checkpoint(note: bytes, key: str) -> tuple[int, bytes]:
    """Size and root of a signed checkpoint."""
    name, key_hash, body = key.strip().split("+", 2)
    public = decode64(body)
    require(public[0] == 1)
    require(sha256(name.encode() + b"\n" + public)[:4].hex() == key_hash)
    text, _, signatures = note.decode().rpartition("\n\n")
    *lines, end = signatures.split("\n")
    require(not end and all(line.startswith("\u2014 ") for line in lines))
    for line in lines:
        signature = decode64(line.removeprefix("\u2014 ").partition(" ")[2])
        if line.startswith(f"\u2014 {name} ") and signature[:4].hex() == key_hash:
            signed = f"{text}\n".encode()
            Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], signed)
            origin, size, root, *_ = text.split("\n")
            require(origin == name and str(int(size)) == size)
            return int(size), decode64(root)
    raise InvalidProofError


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    require(len(dict(pairs)) == len(pairs))
    return dict(pairs)


def hashes(path: list[str]) -> list[bytes]:
    found = [bytes.fromhex(each) for each in path]
    require([each.hex() for each in found] == path)
    return found


def bundle(data: bytes, key: str) -> int:
    """Number of proven events in a bundle."""
    whole = json.loads(data, object_pairs_hook=members)
    require(whole.keys() == {"schema", "checkpoint", "segments", "events"})
    require(whole["schema"] == "answerable/bundle/v1" and whole["events"])
    size, root = checkpoint(whole["checkpoint"].encode(), key)
    manifests = []
    for each in whole["segments"]:
        require(each.keys() == {"manifest", "index", "path"})
        entry, path = each["manifest"].encode(), hashes(each["path"])
        require(root_by_path(each["index"], size, leaf(entry), path) == root)
        manifests.append(json.loads(entry, object_pairs_hook=members))
        require(manifests[-1]["kind"] == "segment")
    seen = set()
    for each in whole["events"]:
        require(each.keys() == {"event", "segment", "row", "path"})
        require(0 <= each["segment"] < len(manifests))
        manifest = manifests[each["segment"]]
        here, path = leaf(each["event"].encode()), hashes(each["path"])
        found = root_by_path(each["row"], manifest["count"], here, path)
        require(found.hex() == manifest["event_root"])
        seen.add((manifest["segment"], each["row"]))
    require(len(seen) == len(whole["events"]))
    return len(seen)


def tile_path(index: int, width: int) -> str:
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03d}")
    return "/".join(parts) + (f".p/{width}" if width < 256 else "")


def tiles(read: Read, key: str) -> list[bytes]:
    """Entries of a log that is served as tiles, after checking each tile."""
    size, root = checkpoint(read("checkpoint"), key)
    entries: list[bytes] = []
    for index in range(-(-size // 256)):
        width = min(256, size - index * 256)
        data = read(f"tile/entries/{tile_path(index, width)}")
        for _ in range(width):
            length = int.from_bytes(data[:2], "big")
            require(len(data) >= 2 + length)
            entries.append(data[2 : 2 + length])
            data = data[2 + length :]
        require(not data)
    level, row = 0, [leaf(entry) for entry in entries]
    require(root_of(row) == root)
    while row:
        for index in range(-(-len(row) // 256)):
            tile = row[index * 256 : index * 256 + 256]
            path = f"tile/{level}/{tile_path(index, len(tile))}"
            require(read(path) == b"".join(tile))
        full = range(len(row) // 256)
        level, row = level + 1, [root_of(row[i * 256 : i * 256 + 256]) for i in full]
    return entries
