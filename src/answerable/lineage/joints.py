"""What stitching is given, besides the model's nouns."""

from dataclasses import dataclass

from answerable.model.lineage import Chain, ChainKey

ALWAYS = (0, 2**63 - 1)
# More links than any chain of assumed roles has; a longer one is cut.
LONGEST = 32


@dataclass(frozen=True, slots=True)
class Joint:
    """The joints of some events of one source.

    Attributes:
        key: What they carry.
        source: Log source.
        believed: False when the source wrote about itself: then nothing that it says
            makes a hop observed.
    """

    key: ChainKey
    source: str
    believed: bool


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person whom a platform let in, seen beside what they could use then.

    Attributes:
        at: UTC nanoseconds.
        person: Whom.
        identity: An identity that is this person's own (an IAM user), empty otherwise.
        credential: A credential of the same session, empty where not said.
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
class JointChains:
    """The chains of one joint, in order of time, without gaps."""

    joint: Joint
    chains: tuple[Chain, ...]


def lasting(credential: str) -> bool:
    """Tell whether a credential outlives the session that made it.

    Who creates a long-lived key hands it over; who assumes a role acts through it. So
    a path leads through the second and not through the first.
    """
    return credential.startswith("cred:aws/AKIA")


def is_service(identity: str) -> bool:
    """Tell whether an identity is a service of the platform itself."""
    return "." in identity and ":" not in identity
