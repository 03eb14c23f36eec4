"""Build and verify signed person merges, and statements that end one."""

from answerable.evidence.signed_statements import StatementFault, StatementShape
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import (
    OwnerStatement,
    StatementContent,
    StatementInvalidity,
    StatementType,
    VerifiedStatement,
)
from answerable.model.person import PersonMerge
from answerable.model.provenance import WrittenBy

_PREFIX = "person:"


def build_merge_content(merge: PersonMerge, signer: PersonId) -> StatementContent:
    """Build the content of a merge, or of the end of one."""
    kind = StatementType.PERSON_MERGED if merge.merged else StatementType.PERSON_SPLIT
    return StatementContent(
        kind, merge.person, {"other": merge.other, "person": signer}
    )


def build_person_merge(verified: VerifiedStatement) -> PersonMerge:
    """Convert a verified statement to the merge that it states."""
    said = verified.statement
    return PersonMerge(
        PersonId(said.subject),
        PersonId(said.get_statement_claim("other")),
        by=verified.key.person,
        written_by=WrittenBy.PERSON,
        at=said.signed_at,
        merged=said.type is StatementType.PERSON_MERGED,
        digest=verified.digest,
    )


def _find_merge_fault(statement: OwnerStatement) -> StatementFault | None:
    """Return the fault of a merge that does not name two persons."""
    names = {statement.subject, statement.get_statement_claim("other")}
    valid = len(names) == 2 and all(
        name.startswith(_PREFIX) and len(name) > len(_PREFIX) for name in names
    )
    if valid:
        return None
    return StatementInvalidity.UNREADABLE, "the statement does not name two persons"


PERSON_MERGE_SHAPE = StatementShape(
    noun="person merge",
    claims={
        StatementType.PERSON_MERGED: ("other", "person"),
        StatementType.PERSON_SPLIT: ("other", "person"),
    },
    find_fault=_find_merge_fault,
)
