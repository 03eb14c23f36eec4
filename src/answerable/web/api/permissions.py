"""Operations on permissions: reach, can, who-can, what-if."""

from answerable.model.documents.core import CanItem, Document, ReachItem
from answerable.model.documents.what_if import CutItem, ExposureItem, WhatIfItem
from answerable.services.reach.policy_edits import Edit
from answerable.services.reach.request_context import read_context
from answerable.usecases.reach import find_cuts, list_exposures, permissions, what_if
from answerable.web.api.operations import (
    AFTER,
    LIMIT,
    Operation,
    Parameter,
    Params,
    Part,
    flag,
    is_on,
    limit_of,
)
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Visit

_SUBJECT = Parameter(
    "subject",
    "Agent, identity or credential: an id, an ARN or an unambiguous name.",
    required=True,
)
_ACTION = Parameter("action", "SERVICE:ACTION, in any case.", required=True)
_RESOURCE = Parameter(
    "resource", "An ARN, s3://BUCKET/KEY, `*`, or an ARN with wildcards.", required=True
)
_STATED = (
    flag("direct", "Leave out roles, escalation and credentials."),
    Parameter("context", "Condition keys of the request: KEY=VALUE, a line each."),
)
_Context = dict[str, tuple[str, ...]]


def _context(params: Params) -> _Context | None:
    """Read condition keys; a repeated key collects its values."""
    lines = (line.strip() for line in params.get("context", "").splitlines())
    return read_context(line for line in lines if line) or None


def _reach(desk: Desk, visit: Visit, params: Params) -> Part:
    del visit
    standing = desk.standing()
    listed = permissions.reach_part(
        standing.inventory,
        params["subject"],
        now=standing.at,
        action=params.get("action", "*"),
        resource=params.get("resource", "*"),
        direct=is_on(params, "direct"),
        context=_context(params),
        after=params.get("after", ""),
        rows=limit_of(params),
    )
    return Part(listed.counted, listed.after)


def _who_can(desk: Desk, visit: Visit, params: Params) -> Part:
    del visit
    standing = desk.standing()
    listed = permissions.who_can_part(
        standing.inventory,
        params["action"],
        params["resource"],
        now=standing.at,
        direct=is_on(params, "direct"),
        context=_context(params),
        after=params.get("after", ""),
        rows=limit_of(params),
    )
    return Part(listed.document, listed.after)


def _can(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit
    standing = desk.standing()
    return permissions.can(
        standing.inventory,
        params["subject"],
        params["action"],
        params["resource"],
        now=standing.at,
        direct=is_on(params, "direct"),
        context=_context(params),
    )


def _lines(params: Params, name: str) -> tuple[str, ...]:
    lines = (line.strip() for line in params.get(name, "").splitlines())
    return tuple(line for line in lines if line)


def _what_if(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit
    standing = desk.standing()
    edit = Edit(
        statements=_lines(params, "without"),
        policies=_lines(params, "without-policy"),
    )
    return what_if.what_if(
        standing.inventory,
        params.get("subject", ""),
        edit,
        now=standing.at,
        action=params.get("action", "*"),
        resource=params.get("resource", "*"),
        limit=limit_of(params),
    )


def _cuts(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit
    standing = desk.standing()
    with desk.store() as store:
        return find_cuts.cuts(
            store,
            standing.inventory,
            params["subject"],
            params["resource"],
            now=standing.at,
            action=params.get("action", "*"),
            stood=standing.chains,
        )


def _reach_all(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit
    standing = desk.standing()
    return list_exposures.reach_all(
        standing.inventory, now=standing.at, limit=limit_of(params)
    )


_NARROWED = (
    Parameter("action", "Only what could be an action of this pattern."),
    Parameter("resource", "Only what could touch this pattern."),
)
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "/reach",
        "Permissions of a subject, page by page; a page without items may have a successor.",
        _reach,
        "reach",
        ReachItem,
        (
            _SUBJECT,
            Parameter("action", "Only actions that match this pattern."),
            Parameter("resource", "Only what could touch this pattern."),
            *_STATED,
            LIMIT,
            AFTER,
        ),
        command="reach SUBJECT",
    ),
    Operation(
        "/can",
        "Whether a subject can do one thing, with the proof.",
        _can,
        "can",
        CanItem,
        (_SUBJECT, _ACTION, _RESOURCE, *_STATED),
        command="can SUBJECT ACTION RESOURCE",
    ),
    Operation(
        "/who-can",
        "Every identity that can do one thing, and who outside may become one.",
        _who_can,
        "who-can",
        ReachItem,
        (_ACTION, _RESOURCE, *_STATED, LIMIT, AFTER),
        command="who-can ACTION RESOURCE",
    ),
    Operation(
        "/reach/all",
        "Administrators, public and externally assumable identities, gravest first.",
        _reach_all,
        "reach-all",
        ExposureItem,
        (LIMIT,),
        command="reach --all",
    ),
    Operation(
        "/what-if",
        "Effect of a policy edit; for all identities without a subject.",
        _what_if,
        "what-if",
        WhatIfItem,
        (
            Parameter("subject", "Agent, identity or credential; left out for all."),
            Parameter(
                "without", "Statements to remove: POLICY#STATEMENT, a line each."
            ),
            Parameter("without-policy", "Policies to remove, a line each."),
            *_NARROWED,
            LIMIT,
        ),
        command="what-if SUBJECT --without STATEMENT",
    ),
    Operation(
        "/what-if/cuts",
        "The smallest sets of statements that end a reach, and what each breaks.",
        _cuts,
        "what-if-cuts",
        CutItem,
        (
            _SUBJECT,
            _RESOURCE,
            Parameter("action", "An action or a pattern; left out for any."),
        ),
        may=frozenset({May.INVESTIGATE}),
        command="what-if SUBJECT --cuts RESOURCE",
    ),
)
