"""What one principal may do, listed: its statements, less what limits them.

Rows are the statements' own patterns, narrowed by filters, by every limiting layer and
by denies; then what resources' own policies may take from them, and what they add.
"""

from collections.abc import Iterator, Sequence

from answerable.model.policy import Layer
from answerable.reach.estate.estate import Estate
from answerable.reach.estate.principals import Principal
from answerable.reach.patterns.resources import Parts
from answerable.reach.patterns.terms import ACTIONS, RESOURCES, Term, covers
from answerable.reach.rows.granting import granted_rows
from answerable.reach.rows.rows import Filter, Row, Speaks
from answerable.reach.rows.spans import filtered
from answerable.reach.rows.standing import narrowed, standing_of
from answerable.reach.rows.takings import Takings
from answerable.reach.verdict.formula import TRUE
from answerable.reach.verdict.request import unread_name


def rows_of(estate: Estate, principal: Principal, wanted: Filter) -> Iterator[Row]:
    """Give what a principal may do by itself, row by row.

    What its own statements say comes first. What resources grant it takes longer to
    find, where thousands of them have policies.
    """
    known = estate.given.over(principal.known)
    standing = standing_of(estate, principal, known)
    limits = (*standing.escapable, *standing.limits)
    found: list[Row] = []
    for span in standing.allows:
        row = filtered(span, wanted)
        if row:
            found += narrowed(estate, row, limits, standing.denies, standing.gaps)
    takings = Takings(estate, principal, known)
    found = [left for row in found for left in takings.left(row)]
    found += _unread(principal, wanted)
    told = dict.fromkeys(found)
    yield from told
    sure = [row for row in found if row.formula == TRUE]
    is_told = _told_by(sure)
    for row in granted_rows(estate, principal, standing, wanted, is_told):
        if row not in told and not is_told(row.actions, row.resources):
            told[row] = None
            yield row


def _told_by(rows: Sequence[Row]) -> Speaks:
    """Make a test whether some row says all of actions on resources."""
    on_which: dict[Term[str], list[Term[Parts]]] = {}

    def is_told(actions: Term[str], resources: Term[Parts]) -> bool:
        found = on_which.get(actions)
        if found is None:
            found = on_which[actions] = [
                row.resources for row in rows if covers(ACTIONS, row.actions, actions)
            ]
        return any(covers(RESOURCES, one, resources) for one in found)

    return is_told


def _unread(principal: Principal, wanted: Filter) -> Iterator[Row]:
    for gap in principal.gaps_at(Layer.IDENTITY):
        by = (unread_name(gap),)
        yield Row(wanted.actions, wanted.resources, "", gap.may("Allows"), by, (gap,))
