"""Interface to the state of the token service: delegations, tokens, replay cache, keys.

One test suite checks both implementations: SQLite in the state folder, for one machine,
and PostgreSQL, for several replicas.

**Atomic.** Each method is one transaction. `commit` applies a whole exchange or
nothing.

**Concurrent.** Any number of threads and processes, and with PostgreSQL machines, may
call at once. Of several `commit`s with one `ReplayKey` or one ticket, at most one is `COMMITTED`.
It is exactly one unless its caller was killed between the commit and the answer: then
the exchange happened, and no client got its token. After a `revoke_*` has returned, no
delegation is opened and no token is recorded below the revoked one.

**Durable.** A returned call survives the end of the process, `kill -9` included. After
a loss of power, PostgreSQL (with the default `fsync` on) keeps everything. SQLite keeps
everything up to the last returned `revoke_*`, `revoke_signing_key`, `publish_signing_key` or `declare_possible_loss`;
it may lose some of the last exchanges. Restoring an older copy loses records in both:
see `restore_detection`.

**The epoch** covers records that may have been lost. It is the time of the first start
after a stop that may have lost records; SQLite detects such a stop itself (the machine
rebooted and no process had closed the file). A use that may have been presented before
the epoch (`ReplayKey.since`) is refused as `PERHAPS_SEEN`, and every ticket is deleted. A
client continues with a new token, or with a proof whose nonce was issued since the
epoch. Lost delegations and tokens are unknown, and unknown ones are inactive.

**The generation** increases at each start and stop and once a minute. A process also
keeps it in a file next to the database, so a restored older copy is detected as behind.
The identity names the database itself (file or cluster); a copy in another place has
another one.

**Freshness.** Each answer is current. Never use the address of a PostgreSQL standby.

**Bounded.** A row is kept for `EXPIRY_MARGIN` after its expiry, so that replicas with slightly
different clocks agree. Each commit checks a few of the oldest rows, `delete_expired` checks
more. Servers call `delete_expired` a few times a second, outside the request path. Uses that
expired before the last sweep are refused, even if the clock is set back.

**No secrets.** Rows hold digests, thumbprints, ids, names and public keys.

Times are NumericDate, and `now` is the caller's clock.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

from answerable.model.delegation import Delegation, DelegationTicket
from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.model.token_signing_key import SigningKey
from answerable.store.token_state.replay_keys import ReplayKey

EXPIRY_MARGIN = 60  # seconds that a row is kept after its expiry
MAX_CHAIN_LINKS = 16  # links of one chain; rules allow far fewer


class TokenStateUnavailable(EnvironmentFailure):
    """State that is unavailable now: refuse the request and let the client retry.

    It is unknown whether the step was applied. Issue nothing; the single-use keys may
    be consumed.
    """


class IdConflict(AnswerableError):  # noqa: N818 - an outcome
    """Conflict with a recorded delegation or token of that id; ids are random."""


def generate_id(now: float) -> str:
    """Generate a delegation or token id: 32 hex digits, 80 of 128 bits random.

    It begins with the time in steps of 15 microseconds, so that a new row is appended
    after the last one. With whole seconds, rows of a busy second would be spread over
    many pages, and a commit would write twice as much.
    """
    return (int(now * 65536).to_bytes(6, "big") + os.urandom(10)).hex()


@dataclass(frozen=True, slots=True)
class IssuedTokenRecord:
    """Issued token.

    Attributes:
        jti: Token id.
        delegation: Its delegation.
        sha256: Digest of the token, 32 octets.
        expires: Its `exp`.
        revoked: Time of its revocation, 0 for none.
    """

    jti: str
    delegation: str
    sha256: bytes
    expires: int
    revoked: int = 0


class ExchangeCommit(msgspec.Struct, frozen=True, gc=False):
    """State changes of one exchange, applied atomically.

    Attributes:
        uses: Single-use keys that it consumes; none may have been used before.
        ticket: Digest of the ticket that it consumes, hex, empty without one.
        under: Id of the delegation that must be active up to its root: the parent of a
            new delegation, or the renewed one. Empty for a new root.
        opens: New delegation, None for a renewal.
        token: Issued token.
    """

    uses: tuple[ReplayKey, ...] = ()
    ticket: str = ""
    under: str = ""
    opens: Delegation | None = None
    token: IssuedTokenRecord | None = None


class CommitOutcome(StrEnum):
    """Outcome of a commit."""

    DONE = "done"
    SEEN = "seen"
    PERHAPS_SEEN = "perhaps-seen"  # before the epoch, or before the last sweep
    TICKET = "ticket"  # unknown, taken, ended, or of another delegation
    DEAD = "dead"


class InactiveReason(StrEnum):
    """Reason why a delegation is inactive."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class CommitResult:
    """Result of a commit.

    Attributes:
        outcome: Any value other than `COMMITTED` means no change.
        use: Use that was seen, or may have been.
        dead: Id of the inactive delegation.
        why: Reason of its inactivity.
    """

    outcome: CommitOutcome
    use: ReplayKey | None = None
    dead: str = ""
    why: InactiveReason | None = None


COMMITTED = CommitResult(CommitOutcome.DONE)


@dataclass(frozen=True, slots=True)
class DelegationChain:
    """Chain of a delegation up to its root.

    Attributes:
        links: Recorded links from the queried delegation to its root.
        dead: Id of the inactive link nearest to the root, empty if all are active.
        why: Reason of its inactivity.
    """

    links: tuple[Delegation, ...]
    dead: str = ""
    why: InactiveReason | None = None

    @property
    def is_active(self) -> bool:
        """Return whether the delegation and all its parents are active."""
        return not self.dead


@dataclass(frozen=True, slots=True)
class DatabaseGeneration:
    """Identity and generation of the database.

    Attributes:
        generation: Current generation.
        recorded: Identity at the last increase, empty for none.
        present: Current identity of the database.
    """

    generation: int
    recorded: str
    present: str


@dataclass(frozen=True, slots=True)
class RevokedDelegations:
    """Delegations and tokens that a revocation ended.

    Attributes:
        delegations: Ids, parents before children.
        tokens: `jti`s of tokens that had not expired.
    """

    delegations: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


def commit_exchanges_one_by_one(
    commit: Callable[[ExchangeCommit, float], CommitResult],
    exchanges: Sequence[ExchangeCommit],
    now: float,
) -> tuple[CommitResult | AnswerableError, ...]:
    """Commit several exchanges one by one, each in its own transaction."""
    results: list[CommitResult | AnswerableError] = []
    for exchange in exchanges:
        try:
            results.append(commit(exchange, now))
        except AnswerableError as error:
            results.append(error)
    return tuple(results)


class TokenState(Protocol):
    """State of the token service. Every method may raise `TokenStateUnavailable`."""

    def read_complete_since(self) -> int:
        """Return the time since which no record was lost; 0 if none ever was."""

    def declare_possible_loss(self, now: float) -> int:
        """Declare that records before now may be lost, for example after a restore."""

    def read_generation(self) -> DatabaseGeneration:
        """Return the database's identity and generation, to detect a restore."""

    def advance_generation(self, minimum: int) -> int:
        """Raise the generation above `minimum` durably, and record the identity."""

    def revoke_all(self, now: float) -> RevokedDelegations:
        """Revoke every active delegation with its tokens and tickets."""

    def record_single_use_key(self, use: ReplayKey, now: float) -> CommitOutcome:
        """Record a single-use key: returns `COMMITTED`, `SEEN` or `PERHAPS_SEEN`."""

    def commit(self, exchange: ExchangeCommit, now: float) -> CommitResult:
        """Apply all state changes of one token exchange, or none.

        Raises:
            IdConflict: The id of the delegation or token exists; nothing has changed.
        """

    def commit_batch(
        self, exchanges: Sequence[ExchangeCommit], now: float
    ) -> tuple[CommitResult | AnswerableError, ...]:
        """Commit several exchanges in order; cheaper than separate calls of `commit`.

        Returns:
            For each exchange its result, or the error that `commit` would have raised.
            One that fails does not affect the others.
        """

    def find_delegation(self, id: str) -> Delegation | None:
        """Find a delegation, active or not; None for an unknown id."""

    def find_delegation_chain(self, id: str, now: float) -> DelegationChain:
        """Find a delegation with its chain, and whether it is active."""

    def list_child_delegations(self, id: str) -> tuple[Delegation, ...]:
        """List the direct children of a delegation."""

    def store_ticket(self, ticket: DelegationTicket, now: float) -> CommitResult:
        """Store a delegation ticket; returns `DEAD` if its parent is inactive.

        Raises:
            IdConflict: A ticket with that digest is stored already.
        """

    def find_ticket(self, sha256: str, now: float) -> DelegationTicket | None:
        """Find an unused, unexpired ticket. `commit` consumes it."""

    def find_token(self, delegation: str, jti: str) -> IssuedTokenRecord | None:
        """Find an issued token by its delegation and `jti`; None for an unknown one."""

    def revoke_delegation(self, id: str, now: float) -> RevokedDelegations:
        """Revoke a delegation, its children, and their tokens and tickets."""

    def revoke_subject(self, subject: str, now: float) -> RevokedDelegations:
        """Revoke every delegation that names a subject, and all their descendants.

        Apply the revocation to new requests first, since new delegations can be opened
        meanwhile.

        Args:
            subject: `agent:...` that acts, `person:...` that is acted for or is the
                owner, `rule:ID`, or `run:ID` for a delegation.
            now: NumericDate.
        """

    def list_delegations_of_subject(self, subject: str, now: float) -> tuple[str, ...]:
        """List the delegations that name a subject, and descendants, active or not.

        Servers that do not query us may still accept a token of one, so they must
        reject these ids. Repeated calls return the same ids.

        Args:
            subject: As for `revoke_subject`.
            now: NumericDate; delegations expired more than `EXPIRY_MARGIN` before it are
                omitted.

        Returns:
            Ids, in their order.
        """

    def publish_signing_key(self, key: SigningKey) -> None:
        """Publish a signing key to every replica; a known key gets the new times.

        A revoked key stays revoked.
        """

    def list_signing_keys(self) -> tuple[SigningKey, ...]:
        """List the signing keys of all replicas, by (replica, signs_from, kid)."""

    def revoke_signing_key(self, kid: str, now: float) -> bool:
        """Revoke a signing key; False if it is unknown or already revoked."""

    def delete_signing_key(self, kid: str) -> None:
        """Delete a signing key."""

    def delete_expired(self, now: float, max_rows: int = 1000) -> int:
        """Delete expired rows; takes milliseconds, so call it in the background.

        Args:
            now: NumericDate.
            max_rows: Approximate number of rows of each kind to check.

        Returns:
            Number of deleted rows.
        """

    def close(self) -> None:
        """Close the database; a clean stop begins no epoch."""
