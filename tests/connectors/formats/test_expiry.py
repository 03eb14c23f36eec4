"""An expiry that is parsed by its midnight equals one that is parsed whole."""

import base64
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.connectors.formats import (
    client_certificates,
    found_credential_facts,
    timestamps,
)
from answerable.connectors.formats.aws_api_responses import parse_timestamp_ns
from answerable.model.time_units import LAST_TIME_NS

DATES = (
    "Nov 2, 2026,",
    "Nov 02, 2026",
    "July 31, 2023,",
    "Feb 30, 2026,",
    "Jan 1, 1970,",
)
TWO = st.one_of(st.integers(0, 99).map(str), st.integers(0, 99).map("{:02}".format))
CLOCKS = st.builds(
    lambda parts, mark: mark.join(parts),
    st.lists(
        st.one_of(TWO, st.sampled_from(("", "1a", "\u0661\u0662", "-1"))), max_size=4
    ),
    st.sampled_from((":", ":", ":", ".")),
)
TEXTS = st.builds(
    lambda date, clock, half, space: f"{date}{space}{clock}{space}{half}",
    st.sampled_from(DATES),
    CLOCKS,
    st.sampled_from(("AM", "PM", "am", "XM", "")),
    st.sampled_from((" ", " ", " ", "\u202f", "  ")),
)


@settings(max_examples=500)
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_a_known_midnight_changes_no_expiry(texts: list[str]) -> None:
    for date in DATES:
        timestamps.parse_expiry(f"{date} 1:00:00 AM")  # its midnight is known now
    for text in texts:
        assert timestamps.parse_expiry(text) == timestamps._parse_expiry_text(text)


def test_the_usual_spelling_is_exact() -> None:
    for _ in range(2):
        found = timestamps.parse_expiry("Jul 10, 2023, 12:47:05 PM")
        assert found == 1_688_993_225 * 10**9
        assert timestamps.parse_expiry("2023-07-10T12:47:05Z") == found


def test_an_expiry_that_no_store_can_hold_is_none() -> None:
    # What never expires names the year 9999, and a store has 64 bits.
    claims = base64.urlsafe_b64encode(b'{"exp": 253402300799}').decode().rstrip("=")
    found = [
        parse_timestamp_ns("2999-08-22T19:55:36Z"),
        parse_timestamp_ns("9999-12-31T23:59:59Z"),
        found_credential_facts.read_jwt_expiry(f"eyJhbGciOiJub25lIn0.{claims}.x"),
        client_certificates.read_certificate_expiry(_build_certificate()),
    ]

    assert found == [0] * 4
    assert parse_timestamp_ns("2262-04-11T23:47:16Z") < LAST_TIME_NS


def _build_certificate() -> str:
    """Return base64 of a certificate without an end (RFC 5280 section 4.1.2.5)."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "agent")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
        .sign(key, None)
    )
    return base64.b64encode(certificate.public_bytes(Encoding.PEM)).decode()
