"""Sign-ins under way: kept in the browser that began each, sealed with a key of ours.

No request that anybody may send takes room here, so no number of them ends another
person's sign-in. The cookie is AEAD ciphertext (AES-256-GCM, RFC 5116): a browser can
neither read nor change it. The process forgets the key when it ends.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from answerable.federate.login.asking import Sealed
from answerable.flows.web_sign_in import Begun

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LIVES = 10 * 60  # seconds
ANSWERED = 10_000  # cookies that were answered and are remembered as used
LONGEST_PATH = 1024  # characters of where a browser goes next; else the first page

_NONCE = 12  # bytes, RFC 5116 5.1
_PURPOSE = b"answerable sign-in under way"


class Pending(msgspec.Struct, frozen=True, array_like=True):
    """One sign-in.

    Attributes:
        state: Of what was asked.
        nonce: Likewise.
        verifier: Likewise.
        max_age: Seconds for which the person may have been signed in already.
        onward: Where its browser goes when it is done, a path of ours.
        until: Seconds since the epoch.
    """

    state: str
    nonce: str
    verifier: str
    max_age: int
    onward: str
    until: float

    def __repr__(self) -> str:
        """Show none of it."""
        return "Pending()"

    @property
    def sealed(self) -> Sealed:
        """Value that identifies this sign-in alone."""
        return Sealed(self.state, self.nonce, self.verifier)


@dataclass(slots=True)
class PendingSignIns:
    """Seals sign-ins and opens them, each once.

    Attributes:
        clock: Gives seconds since the epoch.
    """

    clock: Callable[[], float]
    _cipher: "AESGCM" = field(init=False, repr=False)
    _answered: OrderedDict[bytes, None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.clear()

    def begin(self, begun: Begun, onward: str) -> str:
        """Give the value of the cookie for a sign-in that begins."""
        sealed = begun.sealed
        path = onward if len(onward) <= LONGEST_PATH else "/"
        until = self.clock() + LIVES
        pending = Pending(
            sealed.state, sealed.nonce, sealed.verifier, begun.max_age, path, until
        )
        nonce = os.urandom(_NONCE)
        data = self._cipher.encrypt(nonce, msgspec.msgpack.encode(pending), _PURPOSE)
        return urlsafe_b64encode(nonce + data).decode().rstrip("=")

    def take(self, cookie: str) -> Pending | None:
        """Open a cookie, the first time that it is shown.

        Beyond `ANSWERED` others, a used one is forgotten: the provider takes its code
        no second time (RFC 6749 4.1.2).
        """
        from cryptography.exceptions import InvalidTag

        try:
            data = urlsafe_b64decode(cookie.encode("ascii") + b"==")
            nonce, data = data[:_NONCE], data[_NONCE:]
            opened = self._cipher.decrypt(nonce, data, _PURPOSE)
        except (ValueError, InvalidTag):
            return None
        if nonce in self._answered:
            return None
        self._answered[nonce] = None
        if len(self._answered) > ANSWERED:
            self._answered.popitem(last=False)
        pending = msgspec.msgpack.decode(opened, type=Pending)
        return pending if self.clock() < pending.until else None

    def clear(self) -> None:
        """Take no cookie of before: where people sign in has changed."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._answered = OrderedDict()
