"""Keys that the token service signs with, as far as everybody may know them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The public half of a signing key of one replica, and its times.

    All times are NumericDate. `federate.keyring` says what follows from them.

    Attributes:
        kid: RFC 7638 thumbprint.
        replica: Name of the replica that holds the private half.
        x: Coordinate of the point on P-256, base64url (RFC 7518 6.2.1).
        y: Likewise.
        published: Since when it stands in the key set of every replica.
        signs_from: When it begins to sign, and the one before it ends.
        signs_until: When it ends at the latest, whatever becomes of its replica.
        killed: When it was taken out of use, 0 where it was not.
    """

    kid: str
    replica: str
    x: str
    y: str
    published: int
    signs_from: int
    signs_until: int
    killed: int = 0
