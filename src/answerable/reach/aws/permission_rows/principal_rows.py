"""Permission rows of one principal: its statements, less limits and denies.

Rows are the statements' patterns, narrowed by filters, by every limiting layer and by
denies. Resource policies may deny parts of them, and add rows.
"""

from collections.abc import Iterator, Sequence

from answerable.model.policy import Layer
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.evaluation.request import unread_name
from answerable.reach.aws.patterns.arns import Parts
from answerable.reach.aws.patterns.terms import ACTIONS, RESOURCES, Term, covers
from answerable.reach.aws.permission_rows.principal_spans import (
    Standing,
    narrowed,
    standing_of,
)
from answerable.reach.aws.permission_rows.resource_denials import Takings
from answerable.reach.aws.permission_rows.resource_grants import granted_rows
from answerable.reach.aws.permission_rows.row_types import Filter, Row, Speaks
from answerable.reach.aws.permission_rows.spans import filtered
from answerable.reach.formula import TRUE


def rows_of(estate: Estate, principal: Principal, wanted: Filter) -> Iterator[Row]:
    """Yield the rows of a principal, paths aside.

    Rows of its own statements come first: grants of resource policies take longer to
    find where thousands of resources have policies.
    """
    known = estate.given.over(principal.known)
    standing = standing_of(estate, principal, known)
    takings = Takings(estate, principal, known, estate.deniers)
    own = own_rows(estate, standing, wanted)
    found = [left for row in own for left in takings.left(row)]
    found += unread_rows(principal, wanted)
    told = dict.fromkeys(found)
    yield from told
    sure = [row for row in found if row.formula == TRUE]
    is_told = told_by(sure)
    for row in granted_rows(estate, principal, standing, wanted, is_told):
        if row not in told and not is_told(row.actions, row.resources):
            told[row] = None
            yield row


def own_rows(estate: Estate, standing: Standing, wanted: Filter) -> Iterator[Row]:
    """List the rows of a principal's own statements, less limits and denies."""
    limits = (*standing.escapable, *standing.limits)
    for span in standing.allows:
        row = filtered(span, wanted)
        if row:
            yield from narrowed(estate, row, limits, standing.denies, standing.gaps)


def told_by(rows: Sequence[Row]) -> Speaks:
    """Build a test whether some row covers all of actions on resources."""
    on_which: dict[Term[str], list[Term[Parts]]] = {}

    def is_told(actions: Term[str], resources: Term[Parts]) -> bool:
        found = on_which.get(actions)
        if found is None:
            found = on_which[actions] = [
                row.resources for row in rows if covers(ACTIONS, row.actions, actions)
            ]
        return any(covers(RESOURCES, one, resources) for one in found)

    return is_told


def unread_rows(principal: Principal, wanted: Filter) -> Iterator[Row]:
    """List open rows for identity policies that were not read."""
    for gap in principal.gaps_at(Layer.IDENTITY):
        by = (unread_name(gap),)
        yield Row(wanted.actions, wanted.resources, "", gap.may("Allows"), by, (gap,))
