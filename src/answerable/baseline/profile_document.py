"""Encode and decode profile documents: canonical JSON, identified by digest.

The schema is `answerable/baseline/v1`. Members are sorted, defaults are left out, there
are no floats, and unknown members are rejected.
"""

import hashlib

import msgspec

from answerable.model.baseline import PROFILE_SCHEMA, BaselineProfile
from answerable.model.errors import VerificationError

_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(BaselineProfile, strict=True)


def encode_profile(profile: BaselineProfile) -> bytes:
    """Encode a profile as canonical JSON."""
    return _encoder.encode(profile)


def decode_profile(data: bytes) -> BaselineProfile:
    """Decode a profile document; an error if it is not canonical.

    Raises:
        VerificationError: The bytes are no profile in canonical form.
    """
    try:
        profile = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        # msgspec names the member, and never what stands there.
        said = str(error) if isinstance(error, msgspec.ValidationError) else "not JSON"
        raise _build_format_error(said) from None
    if encode_profile(profile) != data:
        raise _build_format_error("not in canonical form")
    return profile


def _build_format_error(found: str) -> VerificationError:
    """Build the error for a document that is not a profile."""
    return VerificationError(
        f"not a baseline (got: {found}; expected {PROFILE_SCHEMA})",
        "learn the baseline again, or use the original file",
    )


def profile_document_digest(data: bytes) -> str:
    """Return the SHA-256 of a document in hex; it is the profile's name."""
    return hashlib.sha256(data).hexdigest()
