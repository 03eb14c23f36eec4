"""Answer permission queries: `reach`, `can` and `who-can`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from answerable.model.connector import ignore_progress
from answerable.model.documents.core import Document
from answerable.model.inventory import Inventory
from answerable.reach.expected_verdict import VerdictExpectation, parse_assumptions
from answerable.services.reach.query_context import (
    ConditionContext,
    build_query_context,
    serialize_queries,
)
from answerable.services.reach.stated_request_context import (
    parse_stated_context,
    resolve_role_session,
)

if TYPE_CHECKING:
    from answerable.services.reach.permission_list_cursor import PermissionPage
    from answerable.services.reach.permission_lists import Progress


@serialize_queries
def list_reach(
    inventory: Inventory,
    subject: str,
    *,
    now: int,
    resource: str = "*",
    action: str = "*",
    direct: bool = False,
    context: ConditionContext = None,
    session_policy: str = "",
    endpoint_policy: str = "",
    limit: int = 0,
    progress: "Progress" = ignore_progress,
) -> Document:
    """List the permissions of a subject, direct and through identities it can assume.

    Args:
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        now: UTC nanoseconds.
        resource: Only rows that could touch a resource matching this glob.
        action: Only rows that could be an action matching this glob.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        session_policy: File with the policy of the subject's own session.
        endpoint_policy: File with the policy of the VPC endpoint.
        limit: Most rows; 0 for all. Coverage has the number of identities.
        progress: Progress callback.

    Raises:
        UsageError: The subject is not known, or a file holds no policy.
    """
    from answerable.services.reach import permission_lists

    progress(0, 0, "policies")
    facts = inventory.facts
    subject, context = resolve_role_session(facts, subject, context or {})
    given = parse_stated_context(facts, context, session_policy, endpoint_policy, now)
    asked = build_query_context(inventory, None, given, now, direct=direct)
    return permission_lists.list_permissions(
        asked,
        subject,
        resource=resource,
        action=action,
        limit=limit,
        progress=progress,
    )


@serialize_queries
def check_permission(
    inventory: Inventory,
    subject: str,
    action: str,
    resource: str,
    *,
    now: int,
    context: ConditionContext = None,
    session_policy: str = "",
    endpoint_policy: str = "",
    direct: bool = False,
    expect: str = "",
    assume: Iterable[str] = (),
) -> Document:
    """Decide whether a subject can make one call, with the proof.

    Args:
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        action: `service:Action` in any case.
        resource: ARN, `s3://` URI, `*`, or an ARN with wildcards: then all of it.
        now: UTC nanoseconds.
        context: Condition keys of the request.
        session_policy: File with the policy of the subject's own session.
        endpoint_policy: File with the policy of the VPC endpoint.
        direct: Leave out roles, escalation and credentials.
        expect: Expected verdict; the document has failed if the verdict differs.
        assume: Names of assumptions that the expectation accepts.

    Raises:
        UsageError: Subject, action, resource or assumption is not known, or a file
            holds no policy.
    """
    from answerable.services.reach import permission_check

    expected = VerdictExpectation(expect, parse_assumptions(assume))
    facts = inventory.facts
    subject, context = resolve_role_session(facts, subject, context or {})
    given = parse_stated_context(facts, context, session_policy, endpoint_policy, now)
    service = action.partition(":")[0]
    asked = build_query_context(inventory, {service}, given, now, direct=direct)
    return permission_check.check_call(
        asked, subject, action, resource, expected=expected
    )


@serialize_queries
def list_who_can(
    inventory: Inventory,
    action: str,
    resource: str,
    *,
    now: int,
    direct: bool = False,
    context: ConditionContext = None,
    session_policy: str = "",
    endpoint_policy: str = "",
    limit: int = 0,
) -> Document:
    """List every identity that can make one call, and outsiders that can assume one.

    Args:
        action: `service:Action` in any case.
        resource: ARN, `s3://` URI, `*`, or an ARN with wildcards: then all of it.
        now: UTC nanoseconds.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        session_policy: File with a policy that limits the session of each subject.
        endpoint_policy: File with the policy of the VPC endpoint.
        limit: Maximum of callers, the most severe first; 0 for all. Callers with an
            unknown verdict are always listed.

    Raises:
        UsageError: Action or resource is not known, or a file holds no policy.
    """
    from answerable.services.reach import permission_lists

    given = parse_stated_context(
        inventory.facts, context, session_policy, endpoint_policy, now
    )
    service = action.partition(":")[0]
    asked = build_query_context(inventory, {service}, given, now, direct=direct)
    return permission_lists.list_permitted_identities(
        asked, action, resource, limit=limit
    )


@serialize_queries
def list_reach_page(
    inventory: Inventory,
    subject: str,
    *,
    now: int,
    resource: str = "*",
    action: str = "*",
    direct: bool = False,
    context: ConditionContext = None,
    cursor: str = "",
    max_rows: int = 200,
    max_identities: int = 25,
) -> "PermissionPage":
    """List one page of a subject's permissions, with a bounded number of identities.

    Args:
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        now: UTC nanoseconds.
        resource: Only rows that could touch a resource matching this glob.
        action: Only rows that could be an action matching this glob.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        cursor: Cursor, empty for the beginning.
        max_identities: Most identities to examine.

    Raises:
        UsageError: As for `list_reach`; or the cursor is malformed.
    """
    from answerable.services.reach import permission_lists

    facts = inventory.facts
    subject, context = resolve_role_session(facts, subject, context or {})
    given = parse_stated_context(facts, context, "", "", now)
    asked = build_query_context(inventory, None, given, now, direct=direct)
    return permission_lists.list_permissions_page(
        asked,
        subject,
        resource=resource,
        action=action,
        after=cursor,
        rows=max_rows,
        max_paths=max_identities,
    )


@serialize_queries
def list_who_can_page(
    inventory: Inventory,
    action: str,
    resource: str,
    *,
    now: int,
    direct: bool = False,
    context: ConditionContext = None,
    cursor: str = "",
    max_rows: int = 100,
) -> "PermissionPage":
    """List one page of the identities that can make a call.

    Args:
        action: `service:Action` in any case.
        resource: ARN, `s3://` URI, `*`, or an ARN with wildcards: then all of it.
        now: UTC nanoseconds.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        cursor: Cursor, empty for the beginning.

    Raises:
        UsageError: As for `list_who_can`; or the cursor is malformed.
    """
    from answerable.services.reach import permission_lists

    given = parse_stated_context(inventory.facts, context, "", "", now)
    service = action.partition(":")[0]
    asked = build_query_context(inventory, {service}, given, now, direct=direct)
    return permission_lists.list_permitted_identities_page(
        asked, action, resource, after=cursor, rows=max_rows
    )
