"""Signed baselines in a store, verified on every read."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from answerable.baseline.profile_verification import Expected, stands, subject_id
from answerable.evidence import signed_statements
from answerable.model.baseline import Profile, Stage, Subject
from answerable.model.errors import VerificationError
from answerable.model.ids import AgentId
from answerable.model.owner_key import Verified
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import AttestedOwner, owners_of
from answerable.services.statements.verified_statements import (
    Unheld,
    unheld,
    verify_statements,
)
from answerable.store.store import Store

_AGAIN = 5 * 10**9  # nanoseconds after which expiry is checked again

SIGNED = "signed-baseline"  # kind of the objects: statements


@dataclass(frozen=True, slots=True)
class Standing:
    """Signed profile in force.

    Attributes:
        digest: Digest of the profile, hex.
        stage: Whether it blocks calls.
        signed_at: UTC nanoseconds.
        expires: End of the signature, UTC nanoseconds.
    """

    subject: Subject
    digest: str
    profile: Profile
    stage: Stage
    person: str
    signed_at: int
    expires: int


@dataclass(frozen=True, slots=True)
class Held:
    """Signed baselines of a store at one moment.

    Attributes:
        standing: Profiles in force, by subject.
        unheld: Invalid statements, in log order.
    """

    standing: Mapping[Subject, Standing]
    unheld: tuple[Unheld, ...]


class BaselinesOf:
    """Cached reader of the signed baselines of one store.

    Args:
        store: Open store, used by this thread only.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._attested = owners_of(store)
        self._stamp = b""
        self._last: tuple[int, Held] | None = None
        self._lines: Mapping[str, list[str]] = {}

    def now(self, now: int) -> Held:
        """Verify and return the baselines.

        Args:
            now: UTC nanoseconds.

        Raises:
            VerificationError: The log or an object in it was changed.
            EnvironmentRefused: The store cannot be read.
        """
        stamp = self._store.log.checkpoint()
        if self._last is not None and stamp and stamp == self._stamp:
            at, held = self._last
            if 0 <= now - at < _AGAIN:
                return held
        self._stamp, self._last = stamp, (now, self._judge(now))
        return self._last[1]

    def check(self, said: Verified, now: int) -> None:
        """Refuse a statement that would not be valid.

        Raises:
            VerificationError: It is not; the message has the reason.
        """
        self._judge(now)
        self._stands(said, self._lines.get(said.statement.subject, []), now)

    def _judge(self, now: int) -> Held:
        said, void = verify_statements(
            self._store, SIGNED, signed_statements.verify, unheld
        )
        falling = list(void)
        lines: dict[str, list[str]] = defaultdict(list)
        self._lines = lines
        heads: dict[str, Verified] = {}
        for each in said:
            # A statement follows the profile that was in force when it was signed.
            line = lines[each.statement.subject]
            try:
                found = self._stands(each, line, each.statement.signed_at)
            except VerificationError as error:
                falling.append(Unheld(each.digest, error.message))
                continue
            heads[each.statement.subject] = each
            if not line or line[-1] != found.digest:
                line.append(found.digest)
        standing: dict[Subject, Standing] = {}
        for name, head in heads.items():
            try:
                found = self._stands(head, lines[name], now)
            except VerificationError as error:
                falling.append(Unheld(head.digest, error.message))
            else:
                if found.stage is not Stage.OFF:
                    standing[found.subject] = found
        return Held(standing, tuple(falling))

    def _stands(self, said: Verified, line: list[str], now: int) -> Standing:
        name = said.statement.claim("profile")
        data = owner_keys.kept(self._store, name)
        subject = _subject(said.statement.subject)
        owner = self._attested.now(now).get(AgentId(subject.agent))
        signing = "" if owner is None else self._signing(owner, said)
        profile = stands(data, said, Expected(subject, signing, tuple(line), now))
        return Standing(
            subject=subject,
            digest=name,
            profile=profile,
            stage=Stage(said.statement.claim("stage")),
            person=said.key.person,
            signed_at=said.statement.signed_at,
            expires=int(said.statement.claim("expires")),
        )

    def _signing(self, owner: AttestedOwner, said: Verified) -> str:
        """Return the owner under the person id of their key, if the key is theirs."""
        is_same = self._attested.same(said.key.person) == owner.person
        return said.key.person if is_same else owner.person


def _subject(text: str) -> Subject:
    """Parse the subject of a statement; a malformed one matches no agent."""
    agent, _, rest = text.removeprefix("baseline:").partition("|")
    identity, _, server = rest.rpartition("|")
    subject = Subject(identity, agent, server)
    return subject if subject_id(subject) == text else Subject("", "", "")


def held(store: Store, now: int) -> Held:
    """Read the signed baselines of a store; see `BaselinesOf`."""
    return BaselinesOf(store).now(now)


def check(store: Store, said: Verified, now: int) -> None:
    """Refuse a statement that would not be valid; see `BaselinesOf.check`."""
    BaselinesOf(store).check(said, now)
