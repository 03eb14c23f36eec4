"""Compute and verify Merkle trees of RFC 6962 2.1: hashes, roots and proofs."""

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash a leaf: SHA-256(0x00 || data), RFC 6962 2.1."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_leaves(records: Sequence[bytes]) -> list[bytes]:
    """Hash leaves, each as `leaf_hash` does."""
    sha256 = hashlib.sha256
    return [sha256(b"\x00" + record).digest() for record in records]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash a node: SHA-256(0x01 || left || right), RFC 6962 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Compute the Merkle tree hash over leaf hashes, RFC 6962 2.1."""
    if not leaves:
        return EMPTY_ROOT
    sha256 = hashlib.sha256
    level = list(leaves)
    while len(level) > 1:
        # An odd last node rises unchanged: the same tree as the largest-power split.
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        level += odd
    return level[0]


def split_point(size: int) -> int:
    """Return the largest power of two smaller than `size` (size > 1)."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """List the ranges of leaves whose roots prove a leaf: RFC 6962 2.1.1, leaf first."""
    if not 0 <= index < size:
        raise IndexError("no such leaf")
    ranges: list[tuple[int, int]] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + split_point(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    ranges.reverse()
    return ranges


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Build the inclusion proof of leaf `index`: PATH of RFC 6962 2.1.1, leaf first."""
    ranges = inclusion_ranges(index, len(leaves))
    return [merkle_root(leaves[low:high]) for low, high in ranges]


def consistency_ranges(old_size: int, size: int) -> list[tuple[int, int]]:
    """List the ranges of leaves whose roots prove an older tree: RFC 6962 2.1.2."""
    if not 0 <= old_size <= size:
        raise IndexError("the old tree is larger than the new tree")
    ranges: list[tuple[int, int]] = []
    low, high, whole = 0, size, True
    while 0 < old_size < high:
        middle = low + split_point(high - low)
        if old_size <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low, whole = middle, False
        if old_size == high:
            break
    if ranges and not whole:
        ranges.append((low, high))
    ranges.reverse()
    return ranges


def consistency_path(old_size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Build the consistency proof of an older tree: PROOF of RFC 6962 2.1.2."""
    ranges = consistency_ranges(old_size, len(leaves))
    return [merkle_root(leaves[low:high]) for low, high in ranges]


def root_from_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes]
) -> bytes | None:
    """Compute the root that an inclusion proof leads to, RFC 9162 2.1.3.2.

    Returns:
        The root, or None where the path has the wrong length for the tree.
    """
    if not 0 <= index < size:
        return None
    node, last, here = index, size - 1, leaf
    for other in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            here = node_hash(other, here)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            here = node_hash(here, other)
        node >>= 1
        last >>= 1
    return here if last == 0 else None


def verify_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], tree_root: bytes
) -> bool:
    """Verify that a path proves the leaf at `index` of a tree with that root."""
    return root_from_inclusion(index, size, leaf, path) == tree_root


def verify_consistency(
    old_size: int,
    old_root: bytes,
    new_size: int,
    new_root: bytes,
    path: Sequence[bytes],
) -> bool:
    """Verify that a path proves the old tree a prefix of the new, RFC 9162 2.1.4.2."""
    if not 0 < old_size < new_size:
        same = old_size == new_size and old_root == new_root
        grown = old_size == 0 < new_size and old_root == EMPTY_ROOT
        return not path and (same or grown)
    # A whole subtree is its own first step.
    steps = [old_root, *path] if old_size & old_size - 1 == 0 else list(path)
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    return bool(steps) and _compute_old_and_new_root(node, last, steps) == (
        old_root,
        new_root,
    )


def _compute_old_and_new_root(
    node: int, last: int, steps: Sequence[bytes]
) -> tuple[bytes, bytes] | None:
    """Compute the roots of both trees from a consistency proof; None if malformed."""
    first = second = steps[0]
    for other in steps[1:]:
        if last == 0:
            return None
        if node & 1 or node == last:
            first = node_hash(other, first)
            second = node_hash(other, second)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            second = node_hash(second, other)
        node >>= 1
        last >>= 1
    return (first, second) if last == 0 else None


class MerkleFrontier:
    """Right edge of a growing Merkle tree, enough to append and to compute the root."""

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        for leaf in leaves:
            self.append(leaf)

    def append(self, leaf: bytes) -> None:
        """Append a leaf hash to the tree."""
        here, size = leaf, self.size
        while size & 1:
            here = node_hash(self._peaks.pop(), here)
            size >>= 1
        self._peaks.append(here)
        self.size += 1

    def root(self) -> bytes:
        """Return the root over all appended leaves."""
        if not self._peaks:
            return EMPTY_ROOT
        here = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            here = node_hash(peak, here)
        return here
