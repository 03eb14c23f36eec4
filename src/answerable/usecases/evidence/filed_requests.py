"""Requests that persons file for agents under their own keys (`requests`)."""

import hashlib
from dataclasses import dataclass

from answerable.baseline.request_values import MOST, SHORTEST, requested, spelled
from answerable.connectors.formats.secret_shapes import holds_credential
from answerable.evidence import user_requests as room
from answerable.evidence.signed_statements import StatementVoid
from answerable.evidence.user_requests import Filed
from answerable.model.documents.core import Document
from answerable.model.documents.person_requests import RequestItem
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import AgentId, PersonId
from answerable.model.owner_key import (
    SKEW,
    Statement,
    Verified,
    Void,
    unrecorded,
)
from answerable.model.person_request import ANY_RUN, LONGEST, Requested
from answerable.model.policy_exception import Signing
from answerable.presentation.command_hints import command
from answerable.presentation.inventory_lists import no_coverage, spelled_time
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import owners_of
from answerable.services.statements.owner_keys import Signatory
from answerable.services.statements.verified_statements import verify_statements
from answerable.store.decision_queries import persons_of_run
from answerable.store.object_store import LoggedObject
from answerable.store.store import Store

REQUEST = "request"  # kind of the objects


@dataclass(frozen=True, slots=True)
class Unheld:
    """Filed request that is invalid.

    Attributes:
        digest: SHA-256 of the stored envelope, hex.
        at: Time of the record, UTC nanoseconds.
        void: Reason, as a word.
        statement: Content, not verified, if it can be read.
    """

    digest: str
    why: str
    at: int
    void: Void
    statement: Statement | None


@dataclass(frozen=True, slots=True)
class Held:
    """Filed requests of a store at one moment.

    Attributes:
        standing: Requests that have not ended, in log order.
        unheld: Invalid requests, in log order.
    """

    standing: tuple[Requested, ...]
    unheld: tuple[Unheld, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """Request that a person files.

    Attributes:
        text: Words of the person; not stored.
        named: Additional named values.
        run: The run that it is for; empty for all runs for that person.
        life: Nanoseconds.
    """

    agent: AgentId
    text: str
    named: tuple[str, ...]
    run: str
    life: int


class RequestsOf:
    """Cached reader of the filed requests of one store.

    Args:
        store: Open store, used by this thread only.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._attested = owners_of(store)
        self._stamp = b""
        self._read_at = 0
        self._said: tuple[Verified, ...] = ()
        self._unheld: tuple[Unheld, ...] = ()

    def now(self, now: int) -> Held:
        """Verify and return the requests.

        Args:
            now: UTC nanoseconds.

        Raises:
            VerificationError: The log or an object in it was changed.
            EnvironmentRefused: The store cannot be read.
        """
        stamp = self._store.log.checkpoint()
        if not stamp or stamp != self._stamp or now < self._read_at:
            # A revoked key changes which statements are valid.
            self._said, self._unheld = verify_statements(
                self._store, REQUEST, room.verify, _unheld, since=now - LONGEST
            )
            self._stamp, self._read_at = stamp, now
        standing = [
            self._requested(each, now)
            for each in self._said
            if each.statement.signed_at - SKEW <= now < room.until(each.statement)
        ]
        return Held(tuple(standing), self._unheld)

    def _requested(self, each: Verified, now: int) -> Requested:
        said, agent = each.statement, AgentId(each.statement.subject)
        person = self._attested.same(each.key.person)
        owner = self._attested.now(now).get(agent)
        return Requested(
            id=each.digest,
            agent=agent,
            persons=tuple(sorted({each.key.person, person})),
            is_owners=owner is not None and owner.person == person,
            run=said.claim("run"),
            since=said.signed_at,
            until=room.until(said),
            values=room.values(said),
        )


def _unheld(logged: LoggedObject, void: StatementVoid) -> Unheld:
    return Unheld(logged.digest, void.message, logged.at, void.void, void.statement)


def named(wish: Wish) -> tuple[str, ...]:
    """List the values that a request names, without any that look like a credential.

    Raises:
        UsageError: It names nothing, or too much.
    """
    found = dict.fromkeys((*map(spelled, wish.named), *requested(wish.text)))
    values = tuple(each for each in found if not holds_credential(each))
    short = [each for each in values if len(each.encode()) < SHORTEST]
    if short or not values or len(values) > MOST:
        raise UsageError(
            f"the request names {len(values)} values, of which {len(short)} are shorter "
            f"than {SHORTEST} bytes (expected 1 to {MOST}, none of them)",
            "put a name in quotation marks, or give --value NAME",
        )
    return values


def file(store: Store, wish: Wish, signer: Signatory, *, now: int) -> Document:
    """Sign and record a request.

    Raises:
        UsageError: It names nothing, or too much.
        VerificationError: The key is not valid now, or the run is another person's.
            Nothing is recorded.
    """
    values = named(wish)
    key = owner_keys.keys(store).get(signer.id)
    if key is None:
        raise VerificationError(
            f"the key {signer.id} is not enrolled here",
            "an administrator enrolls its public half: answerable owner-keys enroll PUB "
            "--person PERSON",
        )
    _of_their_own(store, wish, key.person, now)
    at, data = signer.at(now), wish.text.encode("utf-8", "surrogatepass")
    filed = Filed(
        agent=wish.agent,
        run=wish.run or ANY_RUN,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        until=at + min(wish.life, LONGEST),
        values=values,
    )
    here = owner_keys.identity(store)
    said = room.statement(filed, Signing(key.person, here, at), signer.id)
    envelope = signer.envelope(said)
    found = room.verify(envelope, owner_keys.keys(store), unrecorded(now), here)
    store.put_object(REQUEST, envelope, now)
    return Document("requests", [_item(found, now)], no_coverage())


def _of_their_own(store: Store, wish: Wish, person: PersonId, now: int) -> None:
    """Refuse a request for a run that is recorded as another person's."""
    if not wish.run:
        return
    attested = owners_of(store)
    owner = attested.now(now).get(wish.agent)
    own = attested.same(person)
    for other in persons_of_run(store, wish.agent, wish.run):
        theirs = attested.same(other) if other else owner.person if owner else ""
        if theirs != own:
            raise VerificationError(
                f"the run {wish.run[:80]} is {theirs or 'nobody'}'s (expected one for "
                f"{person})",
                "nothing was recorded",
            )


def listed(store: Store, *, now: int, agent: str = "") -> Document:
    """List filed requests, newest first, then invalid ones."""
    said, void = verify_statements(store, REQUEST, room.verify, _unheld)
    items = [_item(each, now) for each in reversed(said)]
    items += map(_void_item, reversed(void))
    fit = [each for each in items if agent in ("", each["agent"])]
    if fit:
        return Document("requests", fit, no_coverage())
    following = command("requests", "file", agent or "AGENT", "--key", "KEY")
    searched = f"none of {len(items)} is for {agent}" if items else ""
    return Document("requests", fit, no_coverage(), next=following, searched=searched)


def _item(each: Verified, now: int) -> RequestItem:
    said = each.statement
    run = said.claim("run")
    return {
        "id": each.digest,
        "agent": said.subject,
        "person": each.key.person,
        "run": None if run == ANY_RUN else run,
        "state": "standing" if now < room.until(said) else "ended",
        "signed_at": spelled_time(said.signed_at),
        "until": spelled_time(room.until(said)),
        "size": int(said.claim("size")),
        "sha256": said.claim("sha256"),
        "values": list(room.values(said)),
    }


def _void_item(each: Unheld) -> RequestItem:
    """Build the item of an invalid request, with none of its claims but the agent."""
    said = each.statement
    return {
        "id": each.digest,
        "agent": said.subject if said is not None else "",
        "person": None,
        "run": None,
        "state": each.void.value,
        "signed_at": spelled_time(each.at),
        "until": None,
        "size": 0,
        "sha256": "",
        "values": [],
    }
