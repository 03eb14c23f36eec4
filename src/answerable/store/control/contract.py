"""The contract of what the token service remembers.

It is kept by two implementations, which one test suite holds alike: SQLite in the state
folder, for one machine, and PostgreSQL, for several replicas.

**Atomic.** Each method is one transaction. `commit` does all of an exchange or nothing.

**Concurrent.** Any number of threads and processes, and with PostgreSQL machines, may
call at once. Of any number of `commit`s with one `Use` or one ticket, at most one is
`DONE`, and exactly one unless whoever had it was killed between its commit and its
answer: then that exchange happened, and nobody got its token. A delegation is never
opened, nor a token recorded, below what a `revoke_*` that returned has ended.

**Durable.** Whatever returned survives the end of the process, `kill -9` among them. A
loss of power is another matter. PostgreSQL (with `fsync` on, as it comes) keeps
everything. SQLite keeps everything that a `revoke_*`, `kill_key`, `publish_key` or
`new_epoch` returned from, and whatever came before it; of the last exchanges it may lose
some. Both lose what is put back from an older copy: see `restoring`.

**The epoch** is the rule for what may have been lost. It is the time of the first start
after a stop that may have lost records; SQLite finds such a stop itself (the machine was
started anew, and nobody had closed the file). What could have been shown before
the epoch (`Use.since`) is refused as `PERHAPS_SEEN`, and every ticket is gone. A client
gets on with a new token, or with a proof that carries a nonce given since the epoch.
Delegations and tokens that were lost are unknown, and what is unknown is dead.

**The generation** counts up at each start and stop and once a minute. A process keeps it
in a file beside the database as well, so a database that was put back from an older copy
is found to be behind. The identity names the database itself (file or cluster); a copy
in another place has another one.

**Stale.** Nothing: each answer is of a moment between call and return. With PostgreSQL
that holds for the primary alone; never give it the address of a standby.

**Bounded.** A row outlives its end by `MARGIN`, so that replicas whose clocks differ by
less agree, and then goes: each commit looks at a few of the oldest, `sweep` at more.
Whoever serves calls `sweep` some times a second, off the path of requests. What ended
before the last sweep is refused, whatever the clock says by now.

**No secrets.** Rows hold digests, thumbprints, ids, names and public keys.

Times are NumericDate, and `now` is the caller's clock.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

from answerable.model.claims import Proof, SignedClaims
from answerable.model.delegation import Delegation, Ticket
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.model.signing import SigningKey

SKEW = 30  # seconds that an issuer's clock may be ahead of ours
MARGIN = 60  # seconds that a row is kept beyond its end
MAX_LINKS = 16  # of one chain; rules allow far fewer


class ControlUnavailable(EnvironmentRefused):
    """The answer cannot be had now: refuse, and let the client come again.

    Whether the step was done is then unknown. Nothing may be given on the strength of
    it; the single-use keys may be used up.
    """


class IdTaken(AnswerableError):  # noqa: N818 - an outcome
    """A delegation or a token of that id is on record; ids come from a random source."""


class Use(msgspec.Struct, frozen=True, gc=False):
    """Something that is good once.

    Attributes:
        key: 32 octets that name it and nothing else: see `token_use`, `proof_use`.
        since: Time by our clock before which nobody can have shown it.
        expires: Time after which it is refused for its age by whoever verifies it; it
            is remembered until then.
    """

    key: bytes
    since: int
    expires: int


def token_use(claims: SignedClaims) -> Use:
    """Name a token that was shown to us.

    By (issuer, audience, `jti`); without `jti` by `uti`, the same claim in tokens of
    Entra ID; without either by issuer and payload, never by the whole text: an ECDSA
    signature has a second form that verifies, too.

    Source: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    """
    uti = claims.leaf("uti")
    if claims.jti:
        key = _digest("token", claims.iss, claims.aud, claims.jti)
    elif isinstance(uti, str) and uti:
        key = _digest("token-uti", claims.iss, claims.aud, uti)
    else:
        key = _digest("token-payload", claims.iss, claims.payload_sha256.hex())
    return Use(key, claims.iat - SKEW, claims.exp + SKEW)


def proof_use(proof: Proof, *, fresh: bool = False) -> Use:
    """Name a DPoP proof: (jkt, jti).

    Args:
        proof: It holds.
        fresh: It carried a nonce of ours that was given since the epoch.
    """
    since = proof.expires if fresh else proof.iat - SKEW
    return Use(_digest("proof", proof.jkt, proof.jti), since, proof.expires)


def _digest(*parts: str) -> bytes:
    # Each part with its length: no two lists of parts run together alike.
    whole = b""
    for part in parts:
        spelled = part.encode("utf-8", "surrogatepass")
        whole += len(spelled).to_bytes(4, "big") + spelled
    return hashlib.sha256(whole).digest()


def new_id(now: float) -> str:
    """Make an id for a delegation or a token: 32 hex digits, 80 bits of them random.

    It begins with the time in steps of 15 microseconds, so that a new row lies behind
    the last one. In whole seconds the rows of a busy one would lie all over its pages,
    and a commit would write twice as much.
    """
    return (int(now * 65536).to_bytes(6, "big") + os.urandom(10)).hex()


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token that we gave.

    Attributes:
        jti: Its id.
        delegation: Under which one.
        sha256: Digest of the token, 32 octets.
        expires: Its `exp`.
        revoked: When it was revoked, 0 where it was not.
    """

    jti: str
    delegation: str
    sha256: bytes
    expires: int
    revoked: int = 0


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """What one exchange asks to be remembered.

    Attributes:
        uses: What it was bought with; none of it may have been seen.
        ticket: Digest of the ticket it was bought with, hex, empty without one.
        under: Id of the delegation that has to be live up to its root: the parent of
            what is opened, or what is renewed. Empty for a new root.
        opens: The delegation that is opened, None for a renewal.
        token: What is given.
    """

    uses: tuple[Use, ...] = ()
    ticket: str = ""
    under: str = ""
    opens: Delegation | None = None
    token: IssuedToken | None = None


class Outcome(StrEnum):
    """What became of a commit."""

    DONE = "done"
    SEEN = "seen"
    PERHAPS_SEEN = "perhaps-seen"  # before the epoch, or before the last sweep
    TICKET = "ticket"  # unknown, taken, ended, or of another delegation
    DEAD = "dead"


class Dead(StrEnum):
    """Why nothing may be done under a delegation."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Committed:
    """The answer to a commit.

    Attributes:
        outcome: Unless it is `DONE`, nothing has changed.
        use: Which one was seen, or perhaps was.
        dead: Id of the delegation that is dead.
        why: Why it is.
    """

    outcome: Outcome
    use: Use | None = None
    dead: str = ""
    why: Dead | None = None


DONE = Committed(Outcome.DONE)


@dataclass(frozen=True, slots=True)
class Chain:
    """A delegation and what it is a part of.

    Attributes:
        links: From the one asked for to its root, as far as they are on record.
        dead: Id of the link nearest to the root that is dead, empty where all live.
        why: Why it is.
    """

    links: tuple[Delegation, ...]
    dead: str = ""
    why: Dead | None = None

    @property
    def live(self) -> bool:
        """Tell whether something may be done under it."""
        return not self.dead


@dataclass(frozen=True, slots=True)
class Lineage:
    """Identity of the database, and how far it has come.

    Attributes:
        generation: How often it was counted up.
        recorded: Identity at that time, empty for none.
        present: Identity now.
    """

    generation: int
    recorded: str
    present: str


@dataclass(frozen=True, slots=True)
class Died:
    """What a revocation ended that lived until then.

    Attributes:
        delegations: Ids, parents before children.
        tokens: `jti`s of tokens that had not expired.
    """

    delegations: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


def one_by_one(
    commit: Callable[[Exchange, float], Committed],
    exchanges: Sequence[Exchange],
    now: float,
) -> tuple[Committed | AnswerableError, ...]:
    """Commit each of several by itself."""
    return tuple(_tried(commit, each, now) for each in exchanges)


def _tried(
    commit: Callable[[Exchange, float], Committed], exchange: Exchange, now: float
) -> Committed | AnswerableError:
    try:
        return commit(exchange, now)
    except AnswerableError as error:
        return error


class Control(Protocol):
    """What the token service remembers. Every method may raise `ControlUnavailable`."""

    def epoch(self) -> int:
        """Give the epoch, 0 where nothing was ever lost."""

    def new_epoch(self, now: float) -> int:
        """Begin an epoch: records until now may be lost, e.g. after a restore."""

    def lineage(self) -> Lineage:
        """Tell which database this is, and how far it has come."""

    def advance(self, least: int) -> int:
        """Count the generation up beyond `least`, durably; record the identity."""

    def end_all(self, now: float) -> Died:
        """End every delegation that lives, their tokens and their tickets."""

    def see(self, use: Use, now: float) -> Outcome:
        """See one thing once: `DONE`, `SEEN` or `PERHAPS_SEEN`."""

    def commit(self, exchange: Exchange, now: float) -> Committed:
        """Do all of an exchange, or nothing.

        Raises:
            IdTaken: Of the delegation or of the token; nothing has changed.
        """

    def commit_all(
        self, exchanges: Sequence[Exchange], now: float
    ) -> tuple[Committed | AnswerableError, ...]:
        """Do each of several, as `commit` does, in their order; cheaper than apart.

        Returns:
            For each what became of it, or what `commit` would have raised. What is not
            `DONE` changes nothing for the others.
        """

    def delegation(self, id: str) -> Delegation | None:
        """Find a delegation, live or not; None where none is on record."""

    def chain(self, id: str, now: float) -> Chain:
        """Find a delegation with all it is a part of, and whether it is live."""

    def children(self, id: str) -> tuple[Delegation, ...]:
        """Find what was opened directly below a delegation."""

    def put_ticket(self, ticket: Ticket, now: float) -> Committed:
        """Keep a ticket; `DEAD` where its parent is.

        Raises:
            IdTaken: One with that digest is on record.
        """

    def ticket(self, sha256: str, now: float) -> Ticket | None:
        """Find a ticket that was not taken and has not ended. `commit` takes it."""

    def token(self, delegation: str, jti: str) -> IssuedToken | None:
        """Find a token that we gave under a delegation; None where none is on record."""

    def revoke_delegation(self, id: str, now: float) -> Died:
        """End a delegation, all below it, their tokens and their tickets."""

    def revoke_subject(self, subject: str, now: float) -> Died:
        """End every delegation that names somebody, and all below.

        Put the kill in force first: what is opened meanwhile is for the kill to refuse.

        Args:
            subject: `agent:...` who acts, `person:...` who is acted for or answers,
                `rule:ID`, or `run:ID` for a delegation.
            now: NumericDate.
        """

    def given_to(self, subject: str, now: float) -> tuple[str, ...]:
        """List the delegations that name somebody, and all below, dead or live.

        A token that was given under one may be valid wherever nobody asks us, so this
        is what another door has to refuse; however often it is asked, the same.

        Args:
            subject: As of `revoke_subject`.
            now: NumericDate; what ended more than `MARGIN` before it is left out.

        Returns:
            Ids, in their order.
        """

    def publish_key(self, key: SigningKey) -> None:
        """Let every replica publish a key; one that is there takes the new times.

        A key that was killed stays killed.
        """

    def keys(self) -> tuple[SigningKey, ...]:
        """List the keys of all replicas, ordered by (replica, signs_from, kid)."""

    def kill_key(self, kid: str, now: float) -> bool:
        """Take a key out of use; False where it is not there or was killed before."""

    def remove_key(self, kid: str) -> None:
        """Forget a key."""

    def sweep(self, now: float, most: int = 1000) -> int:
        """Remove rows that ended, and tidy up; takes milliseconds, so call it aside.

        Args:
            now: NumericDate.
            most: About how many rows of each kind are looked at.

        Returns:
            How many went.
        """

    def close(self) -> None:
        """End; a stop that is known to be clean begins no epoch."""
