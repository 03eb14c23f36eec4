"""Verify the signed statements of one kind in a store, and select those in force.

`SignedStatements` is the one mechanism for all kinds. A kind is a subclass: the kind of
its stored objects, the shape of its content, and the rule for validity and succession.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

import msgspec

from answerable.evidence.signed_statements import InvalidStatement, StatementShape
from answerable.model.owner_signing_key import (
    LogPosition,
    OwnerStatement,
    StatementContent,
    StatementInvalidity,
    VerifiedStatement,
)
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import StatementSigner
from answerable.store.object_store import LoggedObject
from answerable.store.store import EvidenceStore

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class RejectedStatement:
    """Statement that is not in force.

    Attributes:
        digest: SHA-256 of the stored envelope, hex.
        why: Reason, as a sentence.
        at: Time of the record, UTC nanoseconds.
        invalidity: Reason as a word; None if the signature is valid.
        statement: Content, not verified, if it can be read.
    """

    digest: str
    why: str
    at: int = 0
    invalidity: StatementInvalidity | None = None
    statement: OwnerStatement | None = None


@dataclass(frozen=True)
class StatementReading(Generic[ItemT]):
    """Statements of one kind at one moment.

    Attributes:
        active: Statements in force.
        rejected: Invalid statements, in log order.
    """

    active: tuple[ItemT, ...]
    rejected: tuple[RejectedStatement, ...]

    def list_rejections(self) -> Iterable[tuple[str, str]]:
        """List the digest and the reason of each statement that an operator may miss."""
        return [(each.digest, each.why) for each in self.rejected]


class SignedStatements(ABC, Generic[ItemT]):
    """Cached reader of the signed statements of one kind in one store.

    Signature, key and shape follow from the log, and are verified when it has grown.
    `select` is called at each reading, since validity changes with time as well.

    Args:
        store: Open store, used by one thread only.

    Attributes:
        kind: Kind of the stored objects.
        shape: Content that a valid statement has.
        item: Type of a statement in force, as enforcement points take it.
        depends_on: Kinds of other objects that decide which statements are valid.
        max_age: Nanoseconds after which a record cannot be in force; 0 for never.
        last_good: Seconds that statements stay in force while the store is unavailable.
        only_restricts: The statements allow nothing, so the last ones stay in force
            however long the store cannot be read.
    """

    kind: ClassVar[str]
    shape: ClassVar[StatementShape]
    item: ClassVar[type[Any]]
    depends_on: ClassVar[tuple[str, ...]] = (
        owner_keys.ENROLMENT,
        owner_keys.REVOCATION,
    )
    max_age: ClassVar[int] = 0
    last_good: ClassVar[float] = 60.0
    only_restricts: ClassVar[bool] = False

    def __init__(self, store: EvidenceStore) -> None:
        self._store = store
        self._stamp, self._read_at = b"", 0
        self._objects: tuple[tuple[int, str], ...] | None = None
        self._verified: tuple[VerifiedStatement, ...] = ()
        self._rejected: tuple[RejectedStatement, ...] = ()

    @classmethod
    def open(cls, store: EvidenceStore) -> Self:
        """Return the reader that is cached with an open store."""
        return store.get_or_create_cached(cls.__name__, cls)

    @classmethod
    def decode(cls, data: bytes | msgspec.Raw) -> tuple[ItemT, ...]:
        """Decode statements in force from a JSON array."""
        items: tuple[ItemT, ...]
        items = msgspec.json.decode(data, type=tuple[cls.item, ...])  # type: ignore[name-defined]  # a type at run time
        return items

    @classmethod
    def sign(
        cls,
        store: EvidenceStore,
        content: StatementContent,
        signer: StatementSigner,
        now: int,
        *,
        require: Callable[[VerifiedStatement], object] | None = None,
    ) -> VerifiedStatement:
        """Sign a statement, verify it as every later reading will, and record it.

        Args:
            now: UTC nanoseconds.
            require: Raises if the statement or its signer is not acceptable.

        Raises:
            VerificationError: The statement is not valid now. Nothing is recorded.
        """
        store_id, at = owner_keys.get_store_id(store), signer.signing_time(now)
        envelope = signer.sign(content.build_owner_statement(signer.id, store_id, at))
        found = owner_keys.verify_new_statement(store, envelope, now)
        cls.shape.require_valid_content(found)
        if require is not None:
            require(found)
        store.put_object(cls.kind, envelope, now)
        return found

    def read(self, now: int) -> StatementReading[ItemT]:
        """Verify the statements, and return those in force.

        Args:
            now: UTC nanoseconds.

        Raises:
            VerificationError: The log or an object in it was changed.
            EnvironmentFailure: The store cannot be read.
        """
        self.refresh(now)
        return self.select(now)

    @abstractmethod
    def select(self, now: int) -> StatementReading[ItemT]:
        """Select the valid statements that are in force at a time."""

    def refresh(self, now: int) -> None:
        """Verify the statements again if the log has changed."""
        stamp = self._store.log.checkpoint()
        went_back = bool(self.max_age) and now < self._read_at
        if not stamp or stamp != self._stamp or went_back:
            self._reload_if_changed(now, clock_went_back=went_back)
            self._stamp, self._read_at = stamp, now

    def verify(self, now: int) -> None:
        """Verify the statements, because the log has new ones or new keys."""
        since = now - self.max_age if self.max_age else 0
        self._verified, self._rejected = verify_statements(
            self._store, self.kind, self.shape, since=since
        )

    def _reload_if_changed(self, now: int, *, clock_went_back: bool) -> None:
        """Verify again if an object that matters is new."""
        objects = tuple(
            (logged.index, logged.digest)
            for kind in (self.kind, *self.depends_on)
            for logged in self._store.list_objects(kind)
        )
        if objects != self._objects or clock_went_back:
            self.verify(now)
            self._objects = objects


def verify_statements(
    store: EvidenceStore, kind: str, shape: StatementShape, *, since: int = 0
) -> tuple[tuple[VerifiedStatement, ...], tuple[RejectedStatement, ...]]:
    """Verify the statements of a kind, each once at its first position in the log.

    Args:
        kind: Kind of the stored objects.
        since: UTC nanoseconds; earlier records are skipped.

    Returns:
        Valid statements, and invalid ones; both in log order.

    Raises:
        VerificationError: A stored object was changed.
    """
    keys, store_id = owner_keys.read_owner_keys(store), owner_keys.get_store_id(store)
    verified: dict[str, VerifiedStatement] = {}
    rejected: dict[str, RejectedStatement] = {}
    for each in store.list_objects(kind):
        if each.at < since:
            continue
        data = owner_keys.load_signed_statement(store, each.digest)
        try:
            found = shape.verify(data, keys, LogPosition(each.index, each.at), store_id)
        except InvalidStatement as error:
            rejected.setdefault(each.digest, _build_rejected_statement(each, error))
        else:
            verified.setdefault(found.digest, found)
    return tuple(verified.values()), tuple(rejected.values())


def _build_rejected_statement(
    logged: LoggedObject, invalid: InvalidStatement
) -> RejectedStatement:
    """Build the record of an invalid statement with the reason."""
    return RejectedStatement(
        logged.digest, invalid.message, logged.at, invalid.void, invalid.statement
    )
