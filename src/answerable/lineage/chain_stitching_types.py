"""Dataclasses of the chain derivation: chain keys, sign-ins and chain timelines."""

from dataclasses import dataclass, field

from answerable.model.lineage import ChainKey, LineageChain

ALL_TIME = (0, 2**63 - 1)
# Longest chain of assumed roles that is followed.
MAX_CHAIN_LENGTH = 32


@dataclass(frozen=True, slots=True)
class SourcedChainKey:
    """Chain key of events of one source, with its trust.

    Attributes:
        key: Keys that the events carry.
        source: Log source.
        believed: False for a self-reporting source: its records never make a hop
            observed.
    """

    key: ChainKey
    source: str
    believed: bool

    def __hash__(self) -> int:
        # A question looks up thousands; these fields tell nearly all keys apart.
        key = self.key
        return hash((key.identity, key.credential, key.session, self.source))


@dataclass(frozen=True, slots=True)
class SignIn:
    """Sign-in of a person at a platform.

    Attributes:
        at: UTC nanoseconds.
        person: Id of the person.
        identity: An identity of this person alone (an IAM user), else empty.
        credential: Credential of the same session, empty where not known.
        event: Hex event id of the record.
        source: Log source.
    """

    at: int
    person: str
    identity: str
    credential: str
    event: str
    source: str


@dataclass(frozen=True, slots=True)
class ChainTimeline:
    """Chains of one chain key over time, in order and without gaps.

    Attributes:
        number: Number of the chain key in the chain file; -1 if they were derived.
    """

    chain_key: SourcedChainKey
    chains: tuple[LineageChain, ...]
    number: int = field(default=-1, compare=False)


# Credential ids of keys that live until they are revoked. The ids of sessions and of
# tokens are `cred:aws/ASIA...`, `cred:token/SHA256`, `cred:k8s-jti/ID`,
# `cred:entra-uti/ID`, `cred:okta-session/ID`, `cred:delegated/SHA256`; that of a client
# certificate is `cred:x509-sha256/HEX`.
_LONG_LIVED_PREFIXES = (
    "cred:aws/AKIA",
    "cred:gcp-key/",
    "cred:entra-cred/",
    "cred:github-token/",
    "cred:anthropic-key/",
    "cred:openai-key/",
)


def is_long_lived(credential: str) -> bool:
    """Return whether a credential is a long-lived key, not of a session.

    The creator of a long-lived key may hand it over; the caller that assumes a role
    acts through it. So a path leads through the second and not through the first.
    """
    return credential.startswith(_LONG_LIVED_PREFIXES)


def is_platform_service(identity: str) -> bool:
    """Return whether an identity is a service principal of the platform."""
    return "." in identity and ":" not in identity and "@" not in identity
