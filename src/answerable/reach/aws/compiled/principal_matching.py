"""Match a statement's Principal or NotPrincipal element against a principal.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal" and "AWS JSON policy
elements: NotPrincipal".
"""

from collections.abc import Iterable

from answerable.model.policy import ConditionClause, PolicyEffect
from answerable.reach.aws.compiled.principal_element import (
    ANY_PRINCIPAL,
    CANONICAL_USER,
    WILDCARD_PRINCIPAL,
    PrincipalElement,
)
from answerable.reach.aws.compiled.principals import CompiledPrincipal, is_root_user
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    disjoin,
    negate,
)

NamingFormulas = list[tuple[str, Formula]]
SESSION_NAME = "sts:rolesessionname"


def match_principal(
    statement: CompiledStatement,
    principal: CompiledPrincipal,
    known_keys: ContextKeys = NO_KEYS,
    *,
    starts_session: bool = False,
) -> NamingFormulas:
    """Return the ways in which a statement names a principal, with conditions.

    Each comes with the formula under which it holds. `escaping` is a user or a session
    itself: the boundary does not limit such a grant.

    Args:
        statement: The statement.
        principal: The identity.
        known_keys: Known keys of the request; a stated session name decides.
        starts_session: Whether the request starts a new session: the stated name is that of
            the new session, and that of the caller's own stays open unless it is equal.
    """
    session = known_keys.get_key_values(SESSION_NAME)
    if statement.not_principals:
        return _match_not_principal_element(
            statement, principal, session, starts_session=starts_session
        )
    found = _match_principal_element(
        statement.naming, principal, session, starts_session=starts_session
    )
    limited = principal.boundary is not None or principal.session is not None
    if limited and can_grant_bypass_boundary(statement):
        found.append(("escaping", build_boundary_bypass_condition(statement)))
    return found


def can_grant_bypass_boundary(statement: CompiledStatement) -> bool:
    """Return whether a grant to `*` may bypass the implicit deny of a boundary."""
    return statement.naming.everyone and statement.effect is PolicyEffect.ALLOW


def build_boundary_bypass_condition(statement: CompiledStatement) -> Formula:
    """Build the condition under which a grant to `*` bypasses the boundary.

    "Permissions boundaries and session policies do not limit permissions granted using
    the aws:PrincipalArn condition key with a wildcard(*) in the Principal element". Of
    a wildcard without that key, the page says nothing: it stays open.

    Source: AWS IAM User Guide, "How AWS enforcement code logic evaluates requests to
    allow or deny access", resource-based policies.
    """
    if any(_is_principal_arn_condition(line) for line in statement.conditions):
        return TRUE
    return build_atom(WILDCARD_PRINCIPAL, "Escapes", (ANY_PRINCIPAL,))


def _is_principal_arn_condition(condition: ConditionClause) -> bool:
    """Return whether a condition line matches principals by their ARN."""
    operator = condition.operator.lower()
    by_text = operator.startswith(("arn", "string"))
    return (
        condition.key.lower() == "aws:principalarn"
        and by_text
        and "not" not in operator
    )


def _match_principal_element(
    element: PrincipalElement,
    principal: CompiledPrincipal,
    session_names: tuple[str, ...] | None,
    *,
    starts_session: bool,
) -> NamingFormulas:
    """Return the ways in which a Principal element names a principal."""
    found: NamingFormulas = []
    identity = principal.identity
    if element.everyone:
        found.append(("direct", TRUE))
    if identity.account in element.accounts:
        found.append(("account", TRUE))
    if identity.id in element.ids or (
        identity.unique_id and identity.unique_id in element.ids
    ):
        # A user in a session that a policy limits is a federated user: to name the user
        # itself is not to name that session.
        itself = not principal.is_role and principal.session is None
        found.append(("escaping" if itself else "direct", TRUE))
    if element.sessions and principal.is_role:
        found += match_role_sessions(
            element.sessions.get((identity.account, identity.name), ()),
            session_names,
            starts_session=starts_session,
        )
    for user in element.canonical:
        found.append(("account", build_atom(CANONICAL_USER, "Equals", (user,))))
    return found


def match_role_sessions(
    sessions: Iterable[str],
    session_names: tuple[str, ...] | None,
    *,
    starts_session: bool,
) -> NamingFormulas:
    """Return the ways in which named sessions of a role name that role as caller.

    Args:
        sessions: The names that the Principal element lists.
        session_names: The stated session name; None if the question states none.
        starts_session: As in `match_principal`.
    """
    found: NamingFormulas = []
    for session in sessions:
        if session_names == (session,):
            found.append(("escaping", TRUE))
        elif session_names is None or starts_session:
            when = build_atom("sts:RoleSessionName", "StringEquals", (session,))
            found.append(("escaping", when))
    return found


def _match_not_principal_element(
    statement: CompiledStatement,
    principal: CompiledPrincipal,
    session_names: tuple[str, ...] | None,
    *,
    starts_session: bool,
) -> NamingFormulas:
    """Match a NotPrincipal element: every principal that is not listed.

    A deny with NotPrincipal excepts the listed principals, but none with a boundary; a
    listed account excepts its root user alone.
    """
    deny = statement.effect is PolicyEffect.DENY
    if deny and principal.boundary is not None:
        return [("direct", TRUE)]
    listed = _match_principal_element(
        statement.naming, principal, session_names, starts_session=starts_session
    )
    return negate_excepted_principals(
        listed, includes_account=not deny or is_root_user(principal.identity)
    )


def negate_excepted_principals(
    exceptions: NamingFormulas, *, includes_account: bool
) -> NamingFormulas:
    """Build the condition under which a caller is none of the excepted principals.

    Args:
        exceptions: Ways in which the exception names the caller.
        includes_account: Whether an excepted account excepts this caller.
    """
    sparing = [
        f for how, f in exceptions if includes_account or how != "account" or f != TRUE
    ]
    left = negate(disjoin(*sparing)) if sparing else TRUE
    return [("direct", left)] if left != FALSE else []
