"""Bind the session id of an upstream server to the caller that received it.

A server that speaks MCP 2025-11-25 or before accepts a session id from any client. The
id that a client gets is the server's own behind an HMAC tag over server and principal:
nothing is stored, every worker can check it, and for another caller the session does
not exist (MCP 2025-11-25 basic/transports "Session Management", security best practices
"Session Hijacking").
"""

import hmac
from collections.abc import Mapping

from answerable.federation.strict_json import encode_base64url
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.request_metadata import parse_session_id
from answerable.server.shared_secret import derive_key
from answerable.server.wire.refusals import RefusalReason, RequestRefused

_TAG_BYTES = 16  # bytes; 22 letters of base64url, which has no full stop


class SessionIdBinder:
    """Binds session ids to principals.

    Args:
        secret: Secret that the workers share.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = derive_key(secret, "session")

    def bind_to_caller(
        self, upstream_session_id: str, server: str, principal: str
    ) -> str:
        """Prefix a MAC (23 characters) that binds the id to server and caller."""
        tag = self._compute_tag(upstream_session_id, server, principal)
        return f"{tag}.{upstream_session_id}"

    def verify_for_caller(self, text: str, server: str, principal: str) -> str | None:
        """Verify the MAC; return the server's own id, or None for another caller's."""
        tag, _, session = text.partition(".")
        expected = self._compute_tag(session, server, principal)
        return session if hmac.compare_digest(tag.encode(), expected.encode()) else None

    def unwrap_session_id(
        self, fields: Mapping[str, str], call: McpCall, principal: str
    ) -> str:
        """Verify a request's session id; return the server's own id, empty without one.

        Raises:
            RequestRefused: It is not a session of this caller.
        """
        said = parse_session_id(fields, call.era)
        if not said:
            return ""
        session = self.verify_for_caller(said, call.server, principal)
        if session is None:
            raise RequestRefused(
                RefusalReason.UNKNOWN_SESSION, id=call.id, method=call.method
            )
        return session

    def _compute_tag(self, session: str, server: str, principal: str) -> str:
        """Compute the MAC of a session id for one server and caller."""
        # None of the three holds a line feed: names, printable text, visible letters.
        said = "\n".join((server, principal, session)).encode()
        return encode_base64url(hmac.digest(self._key, said, "sha256")[:_TAG_BYTES])
