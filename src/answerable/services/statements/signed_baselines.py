"""Read the signed behaviour baselines of a store, verified on every read."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from answerable.baseline.profile_verification import (
    ExpectedProfile,
    subject_id,
    verify_profile,
)
from answerable.evidence import signed_statements
from answerable.model.baseline import BaselineProfile, BaselineStage, BaselineSubject
from answerable.model.errors import VerificationError
from answerable.model.ids import AgentId
from answerable.model.owner_signing_key import VerifiedStatement
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import (
    AttestedOwner,
    open_owner_reader,
)
from answerable.services.statements.verified_statements import (
    RejectedStatement,
    build_rejected_statement,
    verify_statements,
)
from answerable.store.store import EvidenceStore

_RECHECK_NS = 5 * 10**9  # nanoseconds after which expiry is checked again

SIGNED_BASELINE = "signed-baseline"  # kind of the objects: statements


@dataclass(frozen=True, slots=True)
class ActiveBaseline:
    """Signed profile in force.

    Attributes:
        digest: Digest of the profile, hex.
        stage: Whether it blocks calls.
        signed_at: UTC nanoseconds.
        expires: End of the signature, UTC nanoseconds.
    """

    subject: BaselineSubject
    digest: str
    profile: BaselineProfile
    stage: BaselineStage
    person: str
    signed_at: int
    expires: int


@dataclass(frozen=True, slots=True)
class SignedBaselines:
    """Signed baselines of a store at one moment.

    Attributes:
        standing: Profiles in force, by subject.
        unheld: Invalid statements, in log order.
    """

    active: Mapping[BaselineSubject, ActiveBaseline]
    rejected: tuple[RejectedStatement, ...]


class SignedBaselineReader:
    """Cached reader of the signed baselines of one store.

    Args:
        store: Open store, used by this thread only.
    """

    def __init__(self, store: EvidenceStore) -> None:
        self._store = store
        self._attested = open_owner_reader(store)
        self._stamp = b""
        self._last: tuple[int, SignedBaselines] | None = None
        self._lines: Mapping[str, list[str]] = {}

    def read(self, now: int) -> SignedBaselines:
        """Read and verify the signed baselines.

        Args:
            now: UTC nanoseconds.

        Raises:
            VerificationError: The log or an object in it was changed.
            EnvironmentFailure: The store cannot be read.
        """
        stamp = self._store.log.checkpoint()
        if self._last is not None and stamp and stamp == self._stamp:
            at, held = self._last
            if 0 <= now - at < _RECHECK_NS:
                return held
        self._stamp, self._last = stamp, (now, self._verify_all(now))
        return self._last[1]

    def require_valid(self, verified: VerifiedStatement, now: int) -> None:
        """Refuse a signed baseline statement that would not be valid.

        Raises:
            VerificationError: It is not; the message has the reason.
        """
        self._verify_all(now)
        self._verify_baseline(
            verified, self._lines.get(verified.statement.subject, []), now
        )

    def _verify_all(self, now: int) -> SignedBaselines:
        """Verify every signed baseline, and select the active one of each subject."""
        said, void = verify_statements(
            self._store,
            SIGNED_BASELINE,
            signed_statements.verify_statement,
            build_rejected_statement,
        )
        falling = list(void)
        lines: dict[str, list[str]] = defaultdict(list)
        self._lines = lines
        heads: dict[str, VerifiedStatement] = {}
        for each in said:
            # A statement follows the profile that was in force when it was signed.
            line = lines[each.statement.subject]
            try:
                found = self._verify_baseline(each, line, each.statement.signed_at)
            except VerificationError as error:
                falling.append(RejectedStatement(each.digest, error.message))
                continue
            heads[each.statement.subject] = each
            if not line or line[-1] != found.digest:
                line.append(found.digest)
        standing: dict[BaselineSubject, ActiveBaseline] = {}
        for name, head in heads.items():
            try:
                found = self._verify_baseline(head, lines[name], now)
            except VerificationError as error:
                falling.append(RejectedStatement(head.digest, error.message))
            else:
                if found.stage is not BaselineStage.OFF:
                    standing[found.subject] = found
        return SignedBaselines(standing, tuple(falling))

    def _verify_baseline(
        self, verified: VerifiedStatement, previous_digests: list[str], now: int
    ) -> ActiveBaseline:
        """Verify one signed baseline against its profile and its agent's owner."""
        name = verified.statement.get_claim("profile")
        data = owner_keys.load_statement(self._store, name)
        subject = _parse_subject(verified.statement.subject)
        owner = self._attested.read(now).get(AgentId(subject.agent))
        signing = "" if owner is None else self._get_owner_of_key(owner, verified)
        profile = verify_profile(
            data,
            verified,
            ExpectedProfile(subject, signing, tuple(previous_digests), now),
        )
        return ActiveBaseline(
            subject=subject,
            digest=name,
            profile=profile,
            stage=BaselineStage(verified.statement.get_claim("stage")),
            person=verified.key.person,
            signed_at=verified.statement.signed_at,
            expires=int(verified.statement.get_claim("expires")),
        )

    def _get_owner_of_key(
        self, owner: AttestedOwner, verified: VerifiedStatement
    ) -> str:
        """Return the person id of the owner whose key signed; empty if none did."""
        is_same = self._attested.canonical_person(verified.key.person) == owner.person
        return verified.key.person if is_same else owner.person


def _parse_subject(text: str) -> BaselineSubject:
    """Parse the subject of a statement; a malformed one matches no agent."""
    agent, _, rest = text.removeprefix("baseline:").partition("|")
    identity, _, server = rest.rpartition("|")
    subject = BaselineSubject(identity, agent, server)
    return subject if subject_id(subject) == text else BaselineSubject("", "", "")


def read_signed_baselines(store: EvidenceStore, now: int) -> SignedBaselines:
    """Read and verify the signed baselines of a store."""
    return SignedBaselineReader(store).read(now)


def require_valid_statement(
    store: EvidenceStore, verified: VerifiedStatement, now: int
) -> None:
    """Refuse a signed baseline statement that would not be valid."""
    SignedBaselineReader(store).require_valid(verified, now)
