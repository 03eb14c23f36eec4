"""The tree is that of RFC 6962, and its proofs prove exactly what they say."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.evidence import merkle
from tests.evidence import reference_encoding

SIZES = st.integers(1, 70)


def leaves_of(size: int) -> tuple[list[bytes], list[bytes]]:
    data = [f"leaf {number}".encode() for number in range(size)]
    return data, [merkle.leaf_hash(leaf) for leaf in data]


@pytest.mark.parametrize("size", range(35))
def test_the_root_is_what_the_rfc_says(size: int) -> None:
    data, leaves = leaves_of(size)
    assert merkle.merkle_root(leaves) == reference_encoding.tree(data)
    assert merkle.MerkleFrontier(leaves).root() == reference_encoding.tree(data)


def test_the_test_vectors_of_certificate_transparency_hold() -> None:
    # The reference tree of the certificate-transparency project: eight inputs.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    inputs.append("606162636465666768696a6b6c6d6e6f")
    leaves = [merkle.leaf_hash(bytes.fromhex(text)) for text in inputs]
    assert merkle.merkle_root([]).hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert merkle.merkle_root(leaves[:1]).hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert merkle.merkle_root(leaves).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


@given(size=SIZES, at=st.integers(0, 69))
def test_an_inclusion_path_is_the_one_of_the_rfc(size: int, at: int) -> None:
    data, leaves = leaves_of(size)
    index = at % size
    path = merkle.inclusion_path(index, leaves)
    assert path == reference_encoding.path(index, data)
    assert merkle.verify_inclusion(
        index, size, leaves[index], path, merkle.merkle_root(leaves)
    )


@given(new=SIZES, at=st.integers(1, 70))
def test_a_consistency_path_is_the_one_of_the_rfc(new: int, at: int) -> None:
    data, leaves = leaves_of(new)
    old = 1 + (at - 1) % new
    path = merkle.consistency_path(old, leaves)
    assert path == reference_encoding.proof(old, data)
    old_root = merkle.merkle_root(leaves[:old])
    assert merkle.verify_consistency(
        old, old_root, new, merkle.merkle_root(leaves), path
    )


@given(SIZES, st.integers(0, 69), st.data())
def test_an_inclusion_path_proves_no_other_leaf_place_or_size(
    size: int, at: int, data: st.DataObject
) -> None:
    _, leaves = leaves_of(size)
    index, tree_root = at % size, merkle.merkle_root(leaves)
    path = merkle.inclusion_path(index, leaves)
    other = data.draw(st.integers(0, size + 2).filter(lambda n: n != index))
    assert not merkle.verify_inclusion(other, size, leaves[index], path, tree_root)
    assert not merkle.verify_inclusion(
        index, size, hashlib.sha256().digest(), path, tree_root
    )
    longer = [*path, hashlib.sha256().digest()]
    assert not merkle.verify_inclusion(index, size, leaves[index], longer, tree_root)
    if path:
        assert not merkle.verify_inclusion(
            index, size, leaves[index], path[:-1], tree_root
        )
        broken = list(path)
        place = data.draw(st.integers(0, len(path) - 1))
        broken[place] = hashlib.sha256(broken[place]).digest()
        assert not merkle.verify_inclusion(
            index, size, leaves[index], broken, tree_root
        )


@given(st.integers(1, 40), st.integers(0, 30), st.data())
def test_a_rewritten_prefix_has_no_consistency_proof(
    old: int, more: int, data: st.DataObject
) -> None:
    _, leaves = leaves_of(old + more)
    changed = list(leaves)
    place = data.draw(st.integers(0, old - 1))
    changed[place] = hashlib.sha256(b"rewritten").digest()
    old_root = merkle.merkle_root(leaves[:old])
    path = merkle.consistency_path(old, changed)
    assert not merkle.verify_consistency(
        old, old_root, old + more, merkle.merkle_root(changed), path
    )


@given(st.integers(1, 40), st.integers(1, 30))
def test_a_consistency_proof_does_not_fit_a_deeper_tree(old: int, more: int) -> None:
    _, leaves = leaves_of(old + more)
    path = merkle.consistency_path(old, leaves)
    old_root, new_root = merkle.merkle_root(leaves[:old]), merkle.merkle_root(leaves)
    for deeper in (2 * (old + more), 4 * (old + more) + 1):
        assert not merkle.verify_consistency(old, old_root, deeper, new_root, path)


def test_the_empty_tree_is_a_prefix_of_every_tree() -> None:
    _, leaves = leaves_of(5)
    whole = merkle.merkle_root(leaves)
    assert merkle.verify_consistency(0, merkle.EMPTY_ROOT, 5, whole, [])
    assert not merkle.verify_consistency(0, whole, 5, whole, [])
    assert not merkle.verify_consistency(0, merkle.EMPTY_ROOT, 5, whole, [whole])


@pytest.mark.parametrize(("old", "new"), [(6, 5), (-1, 5)])
def test_a_larger_or_negative_old_tree_is_no_prefix(old: int, new: int) -> None:
    _, leaves = leaves_of(6)
    root = merkle.merkle_root(leaves)
    assert not merkle.verify_consistency(old, root, new, root, [])


def test_no_proof_is_cut_for_a_leaf_that_is_not_there() -> None:
    _, leaves = leaves_of(3)
    with pytest.raises(IndexError):
        merkle.inclusion_path(3, leaves)
    with pytest.raises(IndexError):
        merkle.consistency_path(4, leaves)
