"""Client certificates reported by a TLS terminator in front of the service.

RFC 9440: the field holds the DER certificate as a byte sequence of RFC 8941 3.3.5,
`:BASE64:`. It is trusted only if the kernel identifies the peer as the configured
terminator; from any other peer it is ignored.
"""

import base64
import re
import socket
from dataclasses import replace

from answerable.model.config import Terminator
from answerable.server.client_certificates import parse_certificate
from answerable.server.connection_info import Link
from answerable.server.wire.refusals import Refused, Why
from answerable.server.wire.request_head import Head
from answerable.sts.http.request import Asked

_SEQUENCE = re.compile(r":([A-Za-z0-9+/]{1,16384}={0,2}):")


def asked_of(
    head: Head,
    body: bytes,
    link: Link,
    connection: socket.socket | None,
    terminator: Terminator | None,
) -> Asked:
    """Build a request with the facts about its sender.

    Raises:
        Refused: The terminator's field holds no certificate.
    """
    peer = link.peer
    if peer is None:
        return Asked(head, body, link, None)
    if terminator is None or peer.uid != terminator.uid:
        return Asked(head, body, link, connection)
    # The peer is the terminator, not a workload.
    certificate = _certificate(head.fields.get(terminator.field, ""))
    return Asked(head, body, replace(link, peer=None, certificate=certificate), None)


def _certificate(value: str) -> bytes:
    if not value:
        return b""
    sequence = _SEQUENCE.fullmatch(value)
    if sequence is None:
        raise Refused(Why.FIELD_VALUE)
    try:
        certificate = base64.b64decode(sequence[1], validate=True)
        parse_certificate(certificate)
    except ValueError:  # binascii.Error is one
        raise Refused(Why.FIELD_VALUE) from None
    return certificate
