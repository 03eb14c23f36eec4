"""Authenticate senders by bearer token or client certificate."""

import hashlib
import time
from collections.abc import Sequence

from answerable.model.collection import LogSender
from answerable.server.client_certificates import is_certificate_valid
from answerable.server.connection_info import ConnectionInfo

_SCHEME = "bearer "


class SenderAuthenticator:
    """Table of senders by the SHA-256 of their credentials.

    Args:
        senders: Senders of the configuration.
    """

    def __init__(self, senders: Sequence[LogSender]) -> None:
        self._by_token = {d: each for each in senders for d in each.tokens}
        self._by_certificate = {d: each for each in senders for d in each.certificates}

    def authenticate(
        self, authorization: str, connection_info: ConnectionInfo
    ) -> LogSender | None:
        """Return the sender of a request, or None.

        A token is compared by its digest, so the time of a comparison says nothing
        about the token.

        Args:
            authorization: Value of the header field `Authorization`.
            connection_info: Transport facts of the connection.
        """
        if authorization[: len(_SCHEME)].lower() == _SCHEME:
            token = authorization[len(_SCHEME) :].strip().encode("latin-1")
            return self._by_token.get(hashlib.sha256(token).hexdigest())
        certificate = connection_info.certificate
        if not certificate or not is_certificate_valid(certificate, time.time()):
            return None
        return self._by_certificate.get(hashlib.sha256(certificate).hexdigest())
