"""Read the subject and the expiry of client certificates; no key is in them.

The common name is the user name, the organizations are the groups:
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates
"""

import base64
import binascii

from cryptography import x509
from cryptography.x509.oid import NameOID

from answerable.model.time_units import LAST_TIME_NS, SECOND_NS

_LONGEST = 64 << 10  # characters


def read_request_subject(request: str) -> tuple[str, tuple[str, ...]]:
    """Return the user name and groups that a signing request asks for; empty if invalid.

    Args:
        request: `spec.request`: base64 of a PKCS#10 request in PEM.
    """
    try:
        subject = x509.load_pem_x509_csr(_decode_base64(request)).subject
    except (ValueError, TypeError):
        return "", ()
    return _read_name(subject)


def read_certificate_subject(certificate: str) -> tuple[str, tuple[str, ...]]:
    """Return the user name and groups of a certificate; empty if invalid.

    Args:
        certificate: Base64 of a certificate in PEM.
    """
    try:
        subject = x509.load_pem_x509_certificate(_decode_base64(certificate)).subject
    except (ValueError, TypeError):
        return "", ()
    return _read_name(subject)


def read_certificate_expiry(certificate: str) -> int:
    """Return when a certificate expires, UTC nanoseconds; 0 if invalid, empty or never."""
    if not certificate:
        return 0
    try:
        loaded = x509.load_pem_x509_certificate(_decode_base64(certificate))
        time = int(loaded.not_valid_after_utc.timestamp()) * SECOND_NS
        # 9999-12-31 is "no expiry": RFC 5280 section 4.1.2.5.
        return time if time <= LAST_TIME_NS else 0
    except (ValueError, TypeError, OverflowError):
        return 0


def _decode_base64(text: str) -> bytes:
    """Decode base64 text of bounded length, or raise ValueError.

    Raises:
        ValueError: It is too long, or no base64.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long")
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _read_name(name: x509.Name) -> tuple[str, tuple[str, ...]]:
    """Return the common name and the organizations of a subject."""
    common = [str(e.value) for e in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    organizations = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return common[0] if common else "", tuple(str(e.value) for e in organizations)
