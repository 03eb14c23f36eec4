"""Verifier of consistency proofs, written from docs/evidence.md and RFC 9162 alone."""

from tests.evidence.independent_verifier import checkpoint, decode64, node, require


def roots_by_path(
    old: int, size: int, old_root: bytes, path: list[bytes], whole: bool = True
) -> tuple[bytes, bytes]:
    """Old and new root that a consistency path leads to (RFC 6962 2.1.2)."""
    if old == size:
        here = old_root if whole else path[-1] if path else b""
        require(len(path) == (0 if whole else 1))
        return here, here
    require(path)
    split = 1 << (size - 1).bit_length() - 1
    if old <= split:
        left, both = roots_by_path(old, split, old_root, path[:-1], whole)
        return left, node(both, path[-1])
    right, both = roots_by_path(old - split, size - split, old_root, path[:-1], False)
    return node(path[-1], right), node(path[-1], both)


def consistency(proof: bytes, old: bytes, key: str) -> tuple[int, int]:
    """Old and new size of a proven consistency."""
    head, _, note = proof.partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    old_size, old_root = checkpoint(old, key)
    size, root = checkpoint(note, key)
    require(first == f"old {old_size}" and old_size <= size)
    path = [decode64(each) for each in lines]
    if old_size:
        require(roots_by_path(old_size, size, old_root, path) == (old_root, root))
    else:
        require(not path)
    return old_size, size
