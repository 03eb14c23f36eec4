"""Keep the state of a pending OIDC sign-in in an encrypted browser cookie.

The server stores nothing per sign-in, so floods cannot evict another person's sign-in.
The cookie is AES-256-GCM ciphertext (RFC 5116) under a key of this process.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from answerable.federation.oidc_login.requests import LoginSecrets
from answerable.usecases.federation.web_sign_in import PendingSignIn

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PENDING_LIFETIME = 10 * 60  # seconds
MAX_REDEEMED = 10_000  # used cookies that are remembered
MAX_PATH = 1024  # characters of the next path; a longer one becomes `/`

_NONCE_SIZE = 12  # bytes, RFC 5116 5.1
_PURPOSE = b"answerable sign-in under way"


class PendingSignInCookie(msgspec.Struct, frozen=True, array_like=True):
    """One pending sign-in.

    Attributes:
        state: State of the authorization request.
        max_age: Accepted age of the provider's session, seconds.
        onward: Local path to continue at.
        until: Seconds since the epoch.
    """

    state: str
    nonce: str
    verifier: str
    max_age: int
    onward: str
    until: float

    def __repr__(self) -> str:
        """Show no secrets."""
        return "Pending()"

    @property
    def login_secrets(self) -> LoginSecrets:
        """Return state, nonce and PKCE verifier of this sign-in."""
        return LoginSecrets(self.state, self.nonce, self.verifier)


@dataclass(slots=True)
class PendingSignInCookieCodec:
    """Encoder and decoder of the cookies; each is redeemed once.

    Attributes:
        clock: Returns seconds since the epoch.
    """

    clock: Callable[[], float]
    _cipher: "AESGCM" = field(init=False, repr=False)
    _redeemed: OrderedDict[bytes, None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.rotate_key()

    def seal(self, sign_in: PendingSignIn, next_path: str) -> str:
        """Encrypt a new sign-in into a cookie value."""
        secrets = sign_in.secrets
        path = next_path if len(next_path) <= MAX_PATH else "/"
        until = self.clock() + PENDING_LIFETIME
        pending = PendingSignInCookie(
            secrets.state, secrets.nonce, secrets.verifier, sign_in.max_age, path, until
        )
        nonce = os.urandom(_NONCE_SIZE)
        data = self._cipher.encrypt(nonce, msgspec.msgpack.encode(pending), _PURPOSE)
        return urlsafe_b64encode(nonce + data).decode().rstrip("=")

    def redeem(self, cookie: str) -> PendingSignInCookie | None:
        """Decrypt a cookie, once; None if it is invalid, expired or used.

        Only the newest `MAX_REDEEMED` redeemed cookies are remembered; the provider
        rejects a reused code anyway (RFC 6749 4.1.2).
        """
        from cryptography.exceptions import InvalidTag

        try:
            data = urlsafe_b64decode(cookie.encode("ascii") + b"==")
            nonce, data = data[:_NONCE_SIZE], data[_NONCE_SIZE:]
            opened = self._cipher.decrypt(nonce, data, _PURPOSE)
        except (ValueError, InvalidTag):
            return None
        if nonce in self._redeemed:
            return None
        self._redeemed[nonce] = None
        if len(self._redeemed) > MAX_REDEEMED:
            self._redeemed.popitem(last=False)
        pending = msgspec.msgpack.decode(opened, type=PendingSignInCookie)
        return pending if self.clock() < pending.until else None

    def rotate_key(self) -> None:
        """Replace the key, which invalidates all pending cookies."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._redeemed = OrderedDict()
