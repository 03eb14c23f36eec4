"""Matching of a statement's Principal or NotPrincipal element against a principal.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal" and "AWS JSON policy
elements: NotPrincipal".
"""

from answerable.model.policy import ConditionClause, PolicyEffect
from answerable.reach.aws.compiled.principal_element import (
    ANY_PRINCIPAL,
    CANONICAL_USER,
    WILDCARD_PRINCIPAL,
    PrincipalElement,
)
from answerable.reach.aws.compiled.principals import CompiledPrincipal, is_root
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.formula import FALSE, TRUE, Formula, build_atom, disjoin, negate

NamingFormulas = list[tuple[str, Formula]]
SESSION_NAME = "sts:rolesessionname"


def match_principal(
    clause: CompiledStatement,
    principal: CompiledPrincipal,
    known: ContextKeys = NO_KEYS,
    *,
    trusts: bool = False,
) -> NamingFormulas:
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
        return _match_not_principal(clause, principal, session, trusts=trusts)
    found = _match_element(clause.naming, principal, session, trusts=trusts)
    limited = principal.boundary is not None or principal.session is not None
    if limited and can_bypass_boundary(clause):
        found.append(("escaping", build_bypass_condition(clause)))
    return found


def can_bypass_boundary(clause: CompiledStatement) -> bool:
    """Tell whether a grant to `*` may bypass the implicit deny of a boundary."""
    return clause.naming.everyone and clause.effect is PolicyEffect.ALLOW


def build_bypass_condition(clause: CompiledStatement) -> Formula:
    """Build the condition under which a grant to `*` bypasses the boundary.

    "Permissions boundaries and session policies do not limit permissions granted using
    the aws:PrincipalArn condition key with a wildcard(*) in the Principal element". Of
    a wildcard without that key, the page says nothing: it stays open.

    Source: AWS IAM User Guide, "How AWS enforcement code logic evaluates requests to
    allow or deny access", resource-based policies.
    """
    if any(_matches_principal_arn(line) for line in clause.conditions):
        return TRUE
    return build_atom(WILDCARD_PRINCIPAL, "Escapes", (ANY_PRINCIPAL,))


def _matches_principal_arn(line: ConditionClause) -> bool:
    """Tell whether a condition line matches principals by their ARN."""
    operator = line.operator.lower()
    by_text = operator.startswith(("arn", "string"))
    return line.key.lower() == "aws:principalarn" and by_text and "not" not in operator


def _match_element(
    naming: PrincipalElement,
    principal: CompiledPrincipal,
    stated: tuple[str, ...] | None,
    *,
    trusts: bool,
) -> NamingFormulas:
    found: NamingFormulas = []
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
                when = build_atom("sts:RoleSessionName", "StringEquals", (session,))
                found.append(("escaping", when))
    for user in naming.canonical:
        found.append(("account", build_atom(CANONICAL_USER, "Equals", (user,))))
    return found


def _match_not_principal(
    clause: CompiledStatement,
    principal: CompiledPrincipal,
    stated: tuple[str, ...] | None,
    *,
    trusts: bool,
) -> NamingFormulas:
    """Match a NotPrincipal element: every principal that is not listed.

    A deny with NotPrincipal excepts the listed principals, but none with a boundary; a
    listed account excepts its root user alone.
    """
    deny = clause.effect is PolicyEffect.DENY
    if deny and principal.boundary is not None:
        return [("direct", TRUE)]
    listed = _match_element(clause.naming, principal, stated, trusts=trusts)
    return negate_exceptions(listed, whole=not deny or is_root(principal.identity))


def negate_exceptions(listed: NamingFormulas, *, whole: bool) -> NamingFormulas:
    """Build the condition under which a caller is none of the excepted principals.

    Args:
        listed: Ways in which the exception names the caller.
        whole: Whether an excepted account excepts this caller.
    """
    sparing = [f for how, f in listed if whole or how != "account" or f != TRUE]
    left = negate(disjoin(*sparing)) if sparing else TRUE
    return [("direct", left)] if left != FALSE else []
