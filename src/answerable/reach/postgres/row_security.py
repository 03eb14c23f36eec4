"""Evaluate row security: the policies of a table that restrict a role.

Sources: https://www.postgresql.org/docs/current/ddl-rowsecurity.html,
https://www.postgresql.org/docs/current/sql-createpolicy.html
"""

from collections.abc import Collection

from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin,
    disjoin,
)
from answerable.reach.postgres.catalogue import PUBLIC, DatabaseObject, RowPolicy

ROW_SECURITY = "postgres:row-security"
# Expressions that a command checks: USING of existing rows, WITH CHECK of new ones.
_CHECKED_PARTS = {
    "SELECT": ("using",),
    "DELETE": ("using",),
    "INSERT": ("check",),
    "UPDATE": ("using", "check"),
}


def evaluate_row_security_policies(
    table: DatabaseObject, privilege: str, roles: Collection[str]
) -> Formula:
    """Return the condition under which rows are open to roles that are restricted.

    Args:
        roles: The role and those that it inherits from.
    """
    result = TRUE
    for part in _CHECKED_PARTS.get(privilege, ()):
        applying = [
            (policy, expression)
            for policy in table.policies
            if (expression := _get_policy_expression(policy, part))
            and policy.command in ("ALL", privilege)
            and any(role == PUBLIC or role in roles for role in policy.roles)
        ]
        permissive = [
            _build_policy_condition(*each) for each in applying if each[0].permissive
        ]
        restrictive = [
            _build_policy_condition(*each)
            for each in applying
            if not each[0].permissive
        ]
        result = conjoin(result, disjoin(*permissive) if permissive else FALSE)
        result = conjoin(result, *restrictive)
    return result


def _get_policy_expression(policy: RowPolicy, part: str) -> str:
    """Return the expression of a part; USING replaces an absent WITH CHECK."""
    return policy.using if part == "using" else policy.check or policy.using


def _build_policy_condition(policy: RowPolicy, expression: str) -> Formula:
    """Return the condition of one policy: open unless its expression is `true`."""
    if expression.strip("()").lower() == "true":
        return TRUE
    return build_atom(ROW_SECURITY, "Policy", (f"{policy.name}: {expression}",))
