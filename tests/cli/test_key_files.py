import base64
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from answerable.cli import owner_key_files
from answerable.model.errors import EnvironmentFailure, UsageError

PHRASE = "correct horse battery"
# As they are, before `tests/conftest.py` makes them less.
COST, PARALLEL = owner_key_files._COST, owner_key_files._PARALLEL


def test_guessing_a_passphrase_is_dear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner_key_files, "_COST", COST)
    monkeypatch.setattr(owner_key_files, "_PARALLEL", PARALLEL)
    place = tmp_path / "key.pem"
    signer, _ = owner_key_files.write_key_pair(place, PHRASE)
    written = base64.b64decode("".join(place.read_text().splitlines()[1:-1]))
    # scrypt-params (RFC 7914, section 7): 2^14, 8 and 8, each an INTEGER.
    assert bytes.fromhex("02024000 020108 020108") in written
    loaded = load_pem_private_key(place.read_bytes(), PHRASE.encode())
    assert loaded.private_bytes_raw() == signer.seed  # type: ignore[union-attr]


def test_a_place_is_looked_at_before_a_passphrase_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure, match="Not a directory"):
        owner_key_files.check_key_file_writable(tmp_path / "file" / "below" / "key.pem")
    (tmp_path / "key.pem").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="exists"):
        owner_key_files.check_key_file_writable(tmp_path / "key.pem")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(EnvironmentFailure, match=r"the link .*gone cannot be followed"):
        owner_key_files.check_key_file_writable(tmp_path / "gone" / "below" / "key.pem")
    owner_key_files.check_key_file_writable(tmp_path / "new" / "folder" / "key.pem")
    assert not (tmp_path / "new").exists()
    # Whoever runs this may be allowed everything.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(EnvironmentFailure, match="Permission denied"):
        owner_key_files.check_key_file_writable(tmp_path / "new" / "key.pem")
