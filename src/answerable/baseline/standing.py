"""Whether a profile stands: its owner signed it, it is whole, the newest, and in time.

A statement says which profile (by digest), after which one, out of which runs, by which
learner. That a key made it, and that the key counts, `evidence.statements` has verified.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.baseline.document import decode, digest, encode
from answerable.model.baseline import LEARNER, Profile, Stage, Subject
from answerable.model.errors import VerificationError
from answerable.model.owner_key import Statement, StatementType, Verified

CLAIMS = ("expires", "learner", "parent", "profile", "root", "stage")
LIFE = 90 * 86_400 * 10**9  # of a signature, at most
_SECOND = 10**9


class Fallen(StrEnum):
    """Why a profile does not stand."""

    UNSIGNED = "unsigned"
    NOT_OWNER = "signed-by-another"
    OTHER_TYPE = "of-another-type"
    OTHER_SUBJECT = "of-another-subject"
    TAMPERED = "tampered"
    UNREADABLE = "unreadable"
    OTHER_LEARNER = "of-another-learner"
    REPARENTED = "re-parented"
    REPLAYED = "replayed"
    EXPIRED = "signature-expired"
    STALE = "stale"


class ProfileRefused(VerificationError):  # noqa: N818 - says what became of it
    """A profile is not held to.

    Attributes:
        fallen: Why.
    """

    def __init__(self, fallen: Fallen, message: str) -> None:
        super().__init__(
            f"the baseline is not held to: {message}",
            "learn it again and have its owner sign it",
        )
        self.fallen = fallen


@dataclass(frozen=True, slots=True)
class Expected:
    """What a profile has to be.

    Attributes:
        subject: Whose.
        owner: Person that is attested as its owner.
        line: Digests of the profiles that stood so far, oldest first; the last one
            stands now.
        now: UTC nanoseconds.
    """

    subject: Subject
    owner: str
    line: tuple[str, ...]
    now: int


def subject_id(subject: Subject) -> str:
    """Name a subject as a statement does."""
    return f"baseline:{subject.agent}|{subject.identity}|{subject.server}"


def claims(
    profile: Profile, expires: int, stage: Stage = Stage.SHADOW
) -> dict[str, str]:
    """Give what is signed of a profile.

    Args:
        profile: The profile.
        expires: UTC nanoseconds from which the signature says nothing.
        stage: Whether it holds calls back.
    """
    return {
        "expires": str(expires),
        "learner": profile.learner,
        "parent": profile.parent,
        "profile": digest(encode(profile)),
        "root": profile.root,
        "stage": stage.value,
    }


def stands(data: bytes, verified: Verified | None, expected: Expected) -> Profile:
    """Give the profile of a document that its owner signed and that is the newest.

    Args:
        data: The document.
        verified: The statement over it, its signature and key verified; None where
            there is none that counts.
        expected: What it has to be.

    Raises:
        ProfileRefused: It is not held to; it says why.
    """
    if verified is None:
        raise _refused(Fallen.UNSIGNED, "no statement of its owner counts for it")
    said = verified.statement
    _of_owner(verified, expected)
    name = digest(data)
    if said.claim("profile") != name:
        raise _refused(
            Fallen.TAMPERED,
            f"it is not the one that was signed (got {name[:12]}, "
            f"expected {said.claim('profile')[:12]})",
        )
    try:
        profile = decode(data)
    except VerificationError as error:
        raise _refused(Fallen.UNREADABLE, error.message) from None
    _of_line(profile, said, name, expected)
    _in_time(profile, said, expected.now)
    return profile


def _of_owner(verified: Verified, expected: Expected) -> None:
    said = verified.statement
    names = tuple(name for name, _ in said.claims)
    is_baseline = said.type is StatementType.BASELINE and names == CLAIMS
    if not is_baseline or said.claim("stage") not in list(Stage):
        raise _refused(Fallen.OTHER_TYPE, "the statement is of another type")
    if verified.key.person != expected.owner:
        raise _refused(
            Fallen.NOT_OWNER,
            f"{verified.key.person} signed it (expected {expected.owner})",
        )
    if said.subject != subject_id(expected.subject):
        raise _refused(
            Fallen.OTHER_SUBJECT,
            f"it was signed for {said.subject} (expected {subject_id(expected.subject)})",
        )


def _of_line(profile: Profile, said: Statement, name: str, expected: Expected) -> None:
    if profile.subject != expected.subject:
        raise _refused(Fallen.OTHER_SUBJECT, "it is the behaviour of somebody else")
    if profile.learner != LEARNER or said.claim("learner") != LEARNER:
        raise _refused(Fallen.OTHER_LEARNER, f"another learner made it than {LEARNER}")
    if (said.claim("parent"), said.claim("root")) != (profile.parent, profile.root):
        raise _refused(Fallen.TAMPERED, "it says otherwise than what was signed of it")
    head = expected.line[-1] if expected.line else ""
    if name == head:
        return
    if name in expected.line:
        raise _refused(Fallen.REPLAYED, "a newer one has taken its place")
    if profile.parent != head:
        raise _refused(
            Fallen.REPARENTED,
            f"it follows {profile.parent[:12] or 'none'} "
            f"(expected {head[:12] or 'none'}, which stands now)",
        )


def _in_time(profile: Profile, said: Statement, now: int) -> None:
    text = said.claim("expires")
    expires = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    if not said.signed_at < expires <= said.signed_at + LIFE or now >= expires:
        raise _refused(
            Fallen.EXPIRED, "its signature has ended, or does not end in time"
        )
    if now // _SECOND >= profile.until:
        raise _refused(Fallen.STALE, "what it was learned from is too long ago")


def _refused(fallen: Fallen, message: str) -> ProfileRefused:
    return ProfileRefused(fallen, message)
