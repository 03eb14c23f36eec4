"""Matching of a statement's Principal or NotPrincipal element against a principal.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal" and "AWS JSON policy
elements: NotPrincipal".
"""

from answerable.model.policy import ConditionClause, Effect
from answerable.reach.aws.compiled.principal_element import (
    CANONICAL,
    EVERYONE,
    WILDCARD,
    Naming,
)
from answerable.reach.aws.compiled.principals import Principal, is_root
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known
from answerable.reach.formula import FALSE, TRUE, Formula, atom, either, negation

Names = list[tuple[str, Formula]]
SESSION_NAME = "sts:rolesessionname"


def names(
    clause: Clause,
    principal: Principal,
    known: Known = NOTHING,
    *,
    trusts: bool = False,
) -> Names:
    """Match the Principal element of a statement: `escaping`, `direct` or `account`.

    Each comes with the formula under which it holds. `escaping` is a user or a session
    itself: the boundary does not limit such a grant.

    Args:
        clause: The statement.
        principal: The identity.
        known: Known keys of the request; a stated session name decides.
        trusts: Whether the request starts a new session: the stated name is that of
            the new session, and that of the caller's own stays open unless it is equal.
    """
    session = known.get(SESSION_NAME)
    if clause.not_principals:
        return _all_but(clause, principal, session, trusts=trusts)
    found = _named(clause.naming, principal, session, trusts=trusts)
    limited = principal.boundary is not None or principal.session is not None
    if limited and may_escape(clause):
        found.append(("escaping", escape(clause)))
    return found


def may_escape(clause: Clause) -> bool:
    """Tell whether a grant to `*` may bypass the implicit deny of a boundary."""
    return clause.naming.everyone and clause.effect is Effect.ALLOW


def escape(clause: Clause) -> Formula:
    """Build the condition under which a grant to `*` bypasses the boundary.

    "Permissions boundaries and session policies do not limit permissions granted using
    the aws:PrincipalArn condition key with a wildcard(*) in the Principal element". Of
    a wildcard without that key, the page says nothing: it stays open.

    Source: AWS IAM User Guide, "How AWS enforcement code logic evaluates requests to
    allow or deny access", resource-based policies.
    """
    if any(_names_arn(line) for line in clause.conditions):
        return TRUE
    return atom(WILDCARD, "Escapes", (EVERYONE,))


def _names_arn(line: ConditionClause) -> bool:
    """Tell whether a condition line matches principals by their ARN."""
    operator = line.operator.lower()
    by_text = operator.startswith(("arn", "string"))
    return line.key.lower() == "aws:principalarn" and by_text and "not" not in operator


def _named(
    naming: Naming,
    principal: Principal,
    stated: tuple[str, ...] | None,
    *,
    trusts: bool,
) -> Names:
    found: Names = []
    identity = principal.identity
    if naming.everyone:
        found.append(("direct", TRUE))
    if identity.account in naming.accounts:
        found.append(("account", TRUE))
    if identity.id in naming.ids or (
        identity.unique_id and identity.unique_id in naming.ids
    ):
        # A user in a session that a policy limits is a federated user: to name the user
        # itself is not to name that session.
        itself = not principal.is_role and principal.session is None
        found.append(("escaping" if itself else "direct", TRUE))
    if naming.sessions and principal.is_role:
        for session in naming.sessions.get((identity.account, identity.name), ()):
            if stated == (session,):
                found.append(("escaping", TRUE))
            elif stated is None or trusts:
                when = atom("sts:RoleSessionName", "StringEquals", (session,))
                found.append(("escaping", when))
    for user in naming.canonical:
        found.append(("account", atom(CANONICAL, "Equals", (user,))))
    return found


def _all_but(
    clause: Clause,
    principal: Principal,
    stated: tuple[str, ...] | None,
    *,
    trusts: bool,
) -> Names:
    """Match a NotPrincipal element: every principal that is not listed.

    A deny with NotPrincipal excepts the listed principals, but none with a boundary; a
    listed account excepts its root user alone.
    """
    deny = clause.effect is Effect.DENY
    if deny and principal.boundary is not None:
        return [("direct", TRUE)]
    listed = _named(clause.naming, principal, stated, trusts=trusts)
    return left_over(listed, whole=not deny or is_root(principal.identity))


def left_over(listed: Names, *, whole: bool) -> Names:
    """Build the condition under which a caller is none of the excepted principals.

    Args:
        listed: Ways in which the exception names the caller.
        whole: Whether an excepted account excepts this caller.
    """
    sparing = [f for how, f in listed if whole or how != "account" or f != TRUE]
    left = negation(either(*sparing)) if sparing else TRUE
    return [("direct", left)] if left != FALSE else []
