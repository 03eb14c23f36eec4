"""Interim: one key that lives as long as the process."""

import hashlib
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from answerable.federate.key_set import KeySet, read_key_set
from answerable.federate.strict import base64url


class OneKey:
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        numbers = self._key.public_key().public_numbers()
        x, y = (base64url(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
        thumb = json.dumps(
            {"crv": "P-256", "kty": "EC", "x": x, "y": y}, separators=(",", ":")
        )
        self.kid = base64url(hashlib.sha256(thumb.encode()).digest())
        jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.kid}
        jwk |= {"use": "sig", "alg": "ES256"}
        self._jwks = json.dumps({"keys": [jwk]}).encode()
        self._set = read_key_set(self._jwks, ("ES256",))

    def sign(self, claims: Mapping[str, object], typ: str) -> str:
        header = {"alg": "ES256", "typ": typ, "kid": self.kid}
        head, body = (
            base64url(json.dumps(part, separators=(",", ":")).encode())
            for part in (header, claims)
        )
        data = f"{head}.{body}"
        r, s = decode_dss_signature(self._key.sign(data.encode(), ec.ECDSA(SHA256())))
        return f"{data}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def jwks(self) -> bytes:
        return self._jwks

    def key_set(self) -> KeySet:
        return self._set
