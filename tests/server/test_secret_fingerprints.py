"""Secrets have the same fingerprint in a gateway as in the store's inventory."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from answerable.server.secret_fingerprints import build_fingerprinter
from answerable.store.store import EvidenceStore

SECRET = "the-secret-of-somebody"


def test_a_secret_has_the_fingerprint_that_a_scan_gives_it(tmp_path: Path) -> None:
    with EvidenceStore.open(tmp_path / "store", now=time.time_ns()) as store:
        known = store.fingerprint(SECRET)
    assert build_fingerprinter(tmp_path / "store")(SECRET) == known


def test_of_a_new_store_the_first_makes_the_key_for_all(tmp_path: Path) -> None:
    EvidenceStore.open(tmp_path / "store", now=time.time_ns()).close()
    given = [build_fingerprinter(tmp_path / "store") for _ in range(2)]
    with ThreadPoolExecutor(8) as threads:
        found = {*threads.map(given[0], [SECRET] * 16)}
    assert found == {given[1](SECRET)}
