"""Read the client certificate that a TLS terminator in front of the service reports.

RFC 9440: the field holds the DER certificate as a byte sequence of RFC 8941 3.3.5,
`:BASE64:`. It is trusted only if the kernel identifies the peer as the configured
terminator; from any other peer it is ignored.
"""

import base64
import re
import socket
from dataclasses import replace

from answerable.model.config import TlsTerminator
from answerable.server.client_certificates import parse_certificate
from answerable.server.connection_info import ConnectionInfo
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import HttpRequestHead
from answerable.sts.http.request import StsRequest

_SEQUENCE = re.compile(r":([A-Za-z0-9+/]{1,16384}={0,2}):")


def build_request(
    head: HttpRequestHead,
    body: bytes,
    connection_info: ConnectionInfo,
    client_socket: socket.socket | None,
    terminator: TlsTerminator | None,
) -> StsRequest:
    """Build a request; behind a TLS terminator, with the certificate it reports.

    Raises:
        Refused: The terminator's field holds no certificate.
    """
    peer = connection_info.peer
    if peer is None:
        return StsRequest(head, body, connection_info, None)
    if terminator is None or peer.uid != terminator.uid:
        return StsRequest(head, body, connection_info, client_socket)
    # The peer is the terminator, not a workload.
    certificate = _decode_certificate(head.fields.get(terminator.field, ""))
    return StsRequest(
        head, body, replace(connection_info, peer=None, certificate=certificate), None
    )


def _decode_certificate(value: str) -> bytes:
    """Decode a certificate from a structured field; empty for an empty field."""
    if not value:
        return b""
    sequence = _SEQUENCE.fullmatch(value)
    if sequence is None:
        raise RequestRefused(RefusalReason.FIELD_VALUE)
    try:
        certificate = base64.b64decode(sequence[1], validate=True)
        parse_certificate(certificate)
    except ValueError:  # binascii.Error is one
        raise RequestRefused(RefusalReason.FIELD_VALUE) from None
    return certificate
