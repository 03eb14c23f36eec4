"""An independent verifier accepts what the product writes, and rejects each change."""

import json
import random
import shutil
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from answerable.cli.main import main
from answerable.evidence.log_entries import ObjectEntry
from answerable.evidence.proof_bundle import encode_bundle
from answerable.store.inclusion_proofs import build_inclusion_bundle
from answerable.store.store import EvidenceStore
from tests.evidence import independent_consistency
from tests.evidence import independent_verifier as verifier
from tests.store.conftest import NOW, _make

CHANGES = 200
REJECTED = (
    verifier.InvalidProofError,
    InvalidSignature,
    LookupError,
    OSError,
    AttributeError,  # a member of another type
    TypeError,
    ValueError,
)
OBJECTS = 300  # more than one tile


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a bundle, tiles, two checkpoints and their proof from a store."""
    folder = tmp_path_factory.mktemp("exported")
    with EvidenceStore.open(folder / "store", now=NOW) as store:
        rows = [_make(number) for number in range(30)]
        store.append(rows[:20], NOW)
        store.seal(NOW)
        (folder / "old").write_bytes(store.log.checkpoint())
        digests = [
            sha256(str(number).encode()).hexdigest() for number in range(OBJECTS)
        ]
        store.log.append([ObjectEntry(of="x", sha256=d, at=str(NOW)) for d in digests])
        store.append(rows[20:], NOW)
        store.seal(NOW)
        chosen = [rows[number].event_id for number in (0, 7, 19, 29)]
        bundle = encode_bundle(build_inclusion_bundle(store, chosen))
        (folder / "bundle").write_bytes(bundle)
    run(folder, "tiles", "--to", str(folder / "tiles"))
    run(folder, "consistency", str(folder / "old"), "--out", str(folder / "proof"))
    shutil.copy(folder / "store" / "keys" / "log.pub", folder / "key")
    return folder


def holds(check: Callable[[], object]) -> bool:
    """Return whether a check passes; malformed input proves nothing, too."""
    try:
        check()
    except REJECTED:
        return False
    return True


def run(folder: Path, *words: str) -> None:
    store = ["--store", str(folder / "store")]
    assert main([*store, "evidence", *words, "-q", "-o", "json"]) == 0


def change_bytes(chance: random.Random, data: bytes) -> bytes:
    """Replace, insert or remove some bytes."""
    at = chance.randrange(len(data))
    new = bytes([chance.choice((chance.randrange(256), data[at] ^ 1, data[at] ^ 32))])
    cut = chance.choice((0, 1, 1, 1, 2))
    return data[:at] + chance.choice((new, new, b"")) + data[at + cut :]


def parsed(data: bytes) -> object:
    """What a bundle says: white space between its members is none of it."""
    try:
        return json.loads(data)
    except ValueError:
        return data


def changes_of(
    data: bytes, chance: random.Random, says: Callable[[bytes], object] = bytes
) -> bytes:
    """Change a file until it says something else."""
    while says(changed := change_bytes(chance, data)) == says(data):
        pass
    return changed


def product_accepts(*words: str) -> bool:
    return main(["evidence", "verify", *words, "-q", "-o", "json"]) == 0


def test_a_bundle_is_accepted_and_each_change_is_rejected(exported: Path) -> None:
    data, key = (exported / "bundle").read_bytes(), (exported / "key").read_text()
    assert verifier.bundle(data, key) == 4
    chance = random.Random(1)  # noqa: S311 - no secret
    for _ in range(CHANGES):
        changed = changes_of(data, chance, parsed)
        assert not holds(partial(verifier.bundle, changed, key)), changed


def test_tiles_are_accepted_and_each_change_is_rejected(exported: Path) -> None:
    key = (exported / "key").read_text()
    root = exported / "tiles"
    files = {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    assert len(verifier.tiles(files.__getitem__, key)) > OBJECTS
    assert len(files) == 6  # checkpoint, two bundles, two tiles, and one above them
    chance = random.Random(2)  # noqa: S311 - no secret
    for number in range(CHANGES):
        name = sorted(files)[number % len(files)]
        changed = {**files, name: changes_of(files[name], chance)}
        if number % 20 == 0:
            del changed[name]
        assert not holds(partial(verifier.tiles, changed.__getitem__, key))


def test_a_consistency_proof_is_accepted_and_each_change_is_rejected(
    exported: Path,
) -> None:
    proof, old, key = (
        (exported / name).read_bytes() for name in ("proof", "old", "key")
    )
    text = key.decode()
    sizes = independent_consistency.consistency(proof, old, text)
    assert 0 < sizes[0] < sizes[1]
    chance = random.Random(3)  # noqa: S311 - no secret
    for _ in range(CHANGES):
        changed = changes_of(proof, chance)
        check = partial(independent_consistency.consistency, changed, old, text)
        assert not holds(check), changed


def test_the_product_agrees(exported: Path, tmp_path: Path) -> None:
    key = ["--key", str(exported / "key")]
    old = ["--checkpoint", str(exported / "old")]
    bundle, proof = str(exported / "bundle"), str(exported / "proof")
    tiles = tmp_path / "tiles"
    shutil.copytree(exported / "tiles", tiles)
    assert product_accepts(bundle, *key, "--tiles", str(tiles))
    assert product_accepts("--tiles", str(tiles), *key, *old)
    assert product_accepts(proof, *key, *old)
    chance = random.Random(4)  # noqa: S311 - no secret
    files = sorted(path for path in tiles.rglob("*") if path.is_file())
    for file in files:
        whole = file.read_bytes()
        file.write_bytes(changes_of(whole, chance))
        assert not product_accepts("--tiles", str(tiles), *key, *old), file
        file.write_bytes(whole)
    for name in ("bundle", "proof"):
        for _ in range(10):
            says = parsed if name == "bundle" else bytes
            data = (exported / name).read_bytes()
            changed = tmp_path / name
            changed.write_bytes(changes_of(data, chance, says))
            more = old if name == "proof" else []
            assert not product_accepts(str(changed), *key, *more)


def test_tiles_of_an_older_copy_do_not_replace_newer_ones(
    exported: Path, tmp_path: Path
) -> None:
    with EvidenceStore.open(tmp_path / "other", now=NOW) as store:
        store.put_object("sync", b"x", NOW)
    words = ["--store", str(tmp_path / "other"), "evidence", "tiles", "--to"]
    before = (exported / "tiles" / "checkpoint").read_bytes()
    assert main([*words, str(exported / "tiles"), "-q"]) == 1
    assert (exported / "tiles" / "checkpoint").read_bytes() == before
    assert main([*words, str(exported), "-q"]) == 5  # a folder with other files
