"""Profile documents: canonical JSON, identified by digest.

The schema is `answerable/baseline/v1`. Members are sorted, defaults are left out, there
are no floats, and unknown members are rejected.
"""

import hashlib

import msgspec

from answerable.model.baseline import SCHEMA, Profile
from answerable.model.errors import VerificationError

_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Profile, strict=True)


def encode(profile: Profile) -> bytes:
    """Encode a profile."""
    return _encoder.encode(profile)


def decode(data: bytes) -> Profile:
    """Decode a profile.

    Raises:
        VerificationError: The bytes are no profile in canonical form.
    """
    try:
        profile = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        # msgspec names the member, and never what stands there.
        said = str(error) if isinstance(error, msgspec.ValidationError) else "not JSON"
        raise _wrong(said) from None
    if encode(profile) != data:
        raise _wrong("not in the one spelling that it has")
    return profile


def _wrong(said: str) -> VerificationError:
    return VerificationError(
        f"not a baseline (got: {said}; expected {SCHEMA})",
        "learn it again, or use the original file",
    )


def digest(data: bytes) -> str:
    """Return the SHA-256 of a document, hex."""
    return hashlib.sha256(data).hexdigest()
