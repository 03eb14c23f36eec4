"""Signed statements in force, in the one form that every enforcement point takes.

The supervisor of a gateway sends them to its workers. A stdio wrapper, a decision point
and a hook read them from the store. A kind takes part by its line in `ENFORCED_KINDS`;
`SIGNED_KINDS` has all kinds.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.services.statements.credential_policies import CredentialPolicyReader
from answerable.services.statements.finding_reviews import FindingReviewReader
from answerable.services.statements.person_merges import PersonMergeReader
from answerable.services.statements.person_requests import PersonRequestReader
from answerable.services.statements.policy_exceptions import PolicyExceptionReader
from answerable.services.statements.signed_baselines import SignedBaselineReader
from answerable.services.statements.signed_statements import SignedStatements
from answerable.services.statements.tool_approvals import ToolApprovalReader
from answerable.store.store import EvidenceStore

ItemT = TypeVar("ItemT")

StatementKind = type[SignedStatements[Any]]
# JSON array of the statements in force of each kind, by the name of the kind.
EncodedStatements = dict[str, msgspec.Raw]

ENFORCED_KINDS: tuple[StatementKind, ...] = (
    PolicyExceptionReader,
    SignedBaselineReader,
    PersonRequestReader,
)
SIGNED_KINDS: tuple[StatementKind, ...] = (
    *ENFORCED_KINDS,
    AttestedOwnerReader,
    CredentialPolicyReader,
    FindingReviewReader,
    PersonMergeReader,
    ToolApprovalReader,
)


class StatementsInForce:
    """Immutable set of the statements in force, by kind.

    Statements of an unchanged kind are the same object after a change, so a consumer
    notices by identity that it has nothing to do.
    """

    def __init__(
        self, by_kind: Mapping[StatementKind, tuple[Any, ...]] | None = None
    ) -> None:
        self._by_kind = dict(by_kind or {})

    def get(self, kind: type[SignedStatements[ItemT]]) -> tuple[ItemT, ...]:
        """Return the statements of a kind; empty if none is in force."""
        return self._by_kind.get(kind, ())

    def replace(
        self, by_kind: Mapping[StatementKind, tuple[Any, ...]]
    ) -> "StatementsInForce":
        """Return a set in which the statements of some kinds are replaced."""
        changed = {k: items for k, items in by_kind.items() if items != self.get(k)}
        return StatementsInForce(self._by_kind | changed) if changed else self

    def encode(self, known: "StatementsInForce") -> EncodedStatements:
        """Encode the statements of each kind that differ from a known set."""
        return {
            kind.kind: msgspec.Raw(msgspec.json.encode(self.get(kind)))
            for kind in ENFORCED_KINDS
            if self.get(kind) is not known.get(kind)
        }

    def apply(self, encoded: EncodedStatements) -> "StatementsInForce":
        """Return a set in which the encoded kinds are replaced."""
        return self.replace(
            {
                kind: kind.decode(encoded[kind.kind])
                for kind in ENFORCED_KINDS
                if kind.kind in encoded
            }
        )


def read_statements(
    store: EvidenceStore, kinds: Iterable[StatementKind], now: int
) -> StatementsInForce:
    """Read and verify the statements of some kinds that are in force.

    Raises:
        VerificationError: The log or an object in it was changed.
        EnvironmentFailure: The store cannot be read.
    """
    return StatementsInForce(
        {each: each.open(store).read(now).active for each in kinds}
    )
