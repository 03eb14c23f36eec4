"""Type of the token service's public signing keys."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Public half of a replica's signing key, with its schedule.

    All times are NumericDate. `federation.key_rotation` implements the schedule.

    Attributes:
        kid: RFC 7638 thumbprint.
        replica: Name of the replica that holds the private half.
        x: Coordinate of the point on P-256, base64url (RFC 7518 6.2.1).
        y: Its other coordinate.
        published: Start of publication in every replica's key set.
        signs_from: Start of signing, and end of its predecessor's.
        signs_until: Latest end of signing, even if its replica fails.
        killed: Time of its revocation, 0 for none.
    """

    kid: str
    replica: str
    x: str
    y: str
    published: int
    signs_from: int
    signs_until: int
    killed: int = 0
