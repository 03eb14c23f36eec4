"""Parse client certificates of mutual TLS, and check their validity dates.

OpenSSL verifies the chain in a full handshake alone. A connection, or a session that a
later connection resumes (RFC 5246 F.1.4), may outlive the certificate it began with.
"""

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from answerable.server.connection_info import ConnectionInfo

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_MAX_CACHED = 1024  # certificates


@lru_cache(maxsize=_MAX_CACHED)
def parse_certificate(der: bytes) -> "Certificate":
    """Parse a DER-encoded X.509 certificate.

    Raises:
        ValueError: The bytes are no certificate, or one of an unsupported version or
            key type.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import InvalidVersion, load_der_x509_certificate

    try:
        certificate = load_der_x509_certificate(der)
        certificate.public_key()  # fails here where the key is malformed
    except (InvalidVersion, UnsupportedAlgorithm) as unsupported:
        raise ValueError(str(unsupported)) from None
    return certificate


def drop_invalid_certificate(
    connection_info: ConnectionInfo, now: float
) -> ConnectionInfo:
    """Return the transport facts without a certificate that is not valid now.

    Args:
        connection_info: Transport facts of the connection.
        now: NumericDate.
    """
    if not connection_info.certificate or is_certificate_valid(
        connection_info.certificate, now
    ):
        return connection_info
    return replace(connection_info, certificate=b"")


def is_certificate_valid(der: bytes, now: float) -> bool:
    """Return whether a certificate is inside its validity period (RFC 5280 4.1.2.5).

    One that cannot be parsed is not: its dates are unknown.
    """
    try:
        begins, ends = _read_validity_period(der)
    except ValueError:
        return False
    return begins <= now <= ends


@lru_cache(maxsize=_MAX_CACHED)
def _read_validity_period(der: bytes) -> tuple[float, float]:
    """Return the start and end of a certificate's validity, NumericDates."""
    certificate = parse_certificate(der)
    return (
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
    )
