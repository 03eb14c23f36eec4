"""Notes and checkpoints are those of C2SP, and only the key's signature counts."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.evidence.checkpoint import Checkpoint, parse_checkpoint
from answerable.evidence.signed_note import (
    VerifierKey,
    derive_verifier_key,
    sign_note,
    verify_note,
)
from answerable.model.errors import UsageError, VerificationError

SEED = bytes(range(32))
KEY = derive_verifier_key("log.example/one", SEED)
OTHER = derive_verifier_key("log.example/one", bytes(32))


def test_a_note_of_another_implementation_is_read() -> None:
    # The example of the Go package golang.org/x/mod/sumdb/note.
    key = VerifierKey.parse(
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    )
    note = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
        "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    ).encode()
    assert verify_note(note, key).startswith("If you think cryptography")


def test_a_key_text_reads_back() -> None:
    assert VerifierKey.parse(str(KEY)) == KEY
    assert VerifierKey.parse(f" {KEY}\n") == KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+AA==",
        f"other+{KEY.key_hash.hex()}+{str(KEY).split('+', 2)[2]}",
        f"a b+{KEY.key_hash.hex()}+{str(KEY).split('+', 2)[2]}",
        str(KEY)[:-4],
        str(KEY) + "!",
    ],
)
def test_what_is_no_key_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        VerifierKey.parse(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_signed_note_opens_with_its_key_alone(text: str) -> None:
    note = sign_note(text + "\n", KEY, SEED)
    assert verify_note(note, KEY) == text + "\n"
    with pytest.raises(VerificationError):
        verify_note(note, OTHER)


def test_a_signature_of_someone_else_beside_ours_is_ignored() -> None:
    note = sign_note("text\n", KEY, SEED)
    other = derive_verifier_key("witness.example", bytes(32))
    line = sign_note("text\n", other, bytes(32)).decode().split("\n\n", 1)[1]
    both = note + line.encode()
    assert verify_note(both, KEY) == verify_note(both, other) == "text\n"


def test_every_flipped_bit_of_a_checkpoint_is_found() -> None:
    note = Checkpoint(KEY.name, 7, bytes(32)).sign(KEY, SEED)
    whole = parse_checkpoint(note, KEY)
    assert whole == Checkpoint(KEY.name, 7, bytes(32))
    for place in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[place] ^= 1 << bit
            with pytest.raises(VerificationError):
                parse_checkpoint(bytes(changed), KEY)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n1\n",
        "origin\n01\n{root}\n",
        "origin\n-1\n{root}\n",
        "origin\n\u0661\n{root}\n",
        "origin\n1\nAAAA\n",
        "\n1\n{root}\n",
        "origin\n1" + "0" * 40 + "\n{root}\n",
    ],
)
def test_a_malformed_checkpoint_is_refused_even_when_signed(text: str) -> None:
    body = text.format(root=base64.b64encode(bytes(32)).decode())
    with pytest.raises(VerificationError):
        parse_checkpoint(sign_note(body, KEY, SEED), KEY)


@pytest.mark.parametrize(
    "note", [b"", b"text\n", b"text\n\n", b"\xff\n\n\n", b"a\n\nb\n"]
)
def test_what_is_no_note_is_refused(note: bytes) -> None:
    with pytest.raises(VerificationError):
        verify_note(note, KEY)


def test_a_text_without_a_last_newline_is_not_signed() -> None:
    with pytest.raises(ValueError, match="newline"):
        sign_note("text", KEY, SEED)
