"""Call MCP tools through a gateway with DPoP proofs and exchanged tokens.

RFC 9449 (DPoP) and RFC 8693 (token exchange), with the standard library and
`cryptography`, as in any third-party program.
"""

import base64
import hashlib
import http.client
import json
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

_TIMEOUT = 30
_COORDINATE_BYTES = 32  # bytes of a P-256 coordinate
VERSION = "2026-07-28"
_META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "clerk", "version": "1.0.0"},
    "io.modelcontextprotocol/clientCapabilities": {},
}

Json: TypeAlias = dict[str, Any]


class TokenDenied(Exception):  # noqa: N818 - what became of it, no fault
    """Refusal of the token service."""


def _encode_base64url(data: bytes) -> str:
    """Encode bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode_jwt_segment(claims: Mapping[str, object]) -> str:
    """Encode claims as a base64url segment of a JWT."""
    return _encode_base64url(json.dumps(claims, separators=(",", ":")).encode())


class ProofKey:
    """P-256 key in memory."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        point = self._private.public_key().public_numbers()
        x, y = (
            _encode_base64url(n.to_bytes(_COORDINATE_BYTES, "big"))
            for n in (point.x, point.y)
        )
        jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        self._head = _encode_jwt_segment(
            {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
        )

    def sign_proof(self, url: str, token: str, nonce: str) -> str:
        """Sign a DPoP proof for one request (RFC 9449 4.2)."""
        said = {"htm": "POST", "htu": url, "jti": secrets.token_hex(8)}
        payload: dict[str, object] = {**said, "iat": int(time.time())}
        if token:
            payload["ath"] = _encode_base64url(hashlib.sha256(token.encode()).digest())
        if nonce:
            payload["nonce"] = nonce
        signed = f"{self._head}.{_encode_jwt_segment(payload)}"
        made = self._private.sign(signed.encode(), ec.ECDSA(SHA256()))
        numbers = (
            n.to_bytes(_COORDINATE_BYTES, "big") for n in decode_dss_signature(made)
        )
        return f"{signed}.{_encode_base64url(b''.join(numbers))}"


class _UnixHttpConnection(http.client.HTTPConnection):
    """HTTP connection over a Unix socket."""

    def __init__(self, place: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._place = place

    def connect(self) -> None:
        """Connect to the Unix socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(self._place)


@dataclass
class DpopConnection:
    """Connection to a server that requires a proof with each request.

    Attributes:
        token: Sent with each request, empty if there is none yet.
    """

    connection: http.client.HTTPConnection
    url: str
    key: ProofKey
    token: str = ""
    _nonce: str = field(default="", init=False)

    def post(self, body: bytes, fields: Mapping[str, str]) -> tuple[int, Json]:
        """Send a POST with a DPoP proof; repeat it once with the server's nonce."""
        for _ in range(2):
            shown = {"DPoP": self.key.sign_proof(self.url, self.token, self._nonce)}
            if self.token:
                shown["Authorization"] = f"DPoP {self.token}"
            path = urlsplit(self.url).path
            self.connection.request("POST", path, body, {**fields, **shown})
            answer = self.connection.getresponse()
            said, nonce = answer.read(), answer.getheader("DPoP-Nonce", "")
            if answer.status not in (400, 401) or not nonce or nonce == self._nonce:
                break
            self._nonce = nonce
        return answer.status, json.loads(said) if said else {}


def request_token(sts: str, url: str, audience: str, key: ProofKey) -> str:
    """Request a token over a Unix socket, where the kernel identifies this process.

    Args:
        sts: Path of the token service's socket.
        url: URL of the token service.
        audience: Audience of the token.
        key: Key that the token is bound to.

    Raises:
        TokenDenied: The service refused.
    """
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:answerable:token-type:peer",
        "audience": audience,
    }
    token_endpoint = DpopConnection(_UnixHttpConnection(sts), url + "/token", key)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, said = token_endpoint.post(urlencode(form).encode(), kind)
    if "access_token" not in said:
        raise TokenDenied(str(said.get("error", status)))
    return str(said["access_token"])


class GatewayTools:
    """Tools of one server behind a gateway.

    Args:
        url: URL of the server at the gateway.
        token: Token for the gateway, bound to that key.
    """

    def __init__(self, url: str, key: ProofKey, token: str) -> None:
        host = urlsplit(url).netloc
        connection = http.client.HTTPConnection(host, timeout=_TIMEOUT)
        self._connection = DpopConnection(connection, url, key, token)
        self._last = 0

    def call_tool(self, name: str, arguments: Mapping[str, str]) -> Json:
        """Call a tool and return the JSON-RPC answer."""
        self._last += 1
        params = {"name": name, "arguments": arguments, "_meta": _META}
        message = {"id": self._last, "method": "tools/call", "params": params}
        fields = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": "tools/call",
            "Mcp-Name": name,
        }
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        return self._connection.post(body, fields)[1]
