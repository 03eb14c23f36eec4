"""Read the signed approvals of tool definitions in a store."""

from answerable.evidence.signed_statements import StatementShape
from answerable.model.owner_signing_key import StatementType, VerifiedStatement
from answerable.services.statements.signed_statements import (
    SignedStatements,
    StatementReading,
)

TOOLS_APPROVAL = "tools-approval"  # kind of the objects


class ToolApprovalReader(SignedStatements[VerifiedStatement]):
    """Cached reader of the approvals of one store: the claims are pairs (id, digest)."""

    kind = TOOLS_APPROVAL
    shape = StatementShape("approval", {StatementType.TOOLS_APPROVAL: None})
    item = VerifiedStatement

    def select(self, now: int) -> StatementReading[VerifiedStatement]:
        """Return all valid tool approvals, as none expires."""
        del now
        return StatementReading(self._verified, self._rejected)
