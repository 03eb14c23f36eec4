"""Answer permission queries: `reach`, `can` and `who-can`."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from answerable.model.documents.shared_shapes import Document
from answerable.model.inventory import Inventory
from answerable.model.policy import PolicyLayer
from answerable.model.progress import ignore_progress_report
from answerable.reach.platform import ConditionContext, PageBounds, Question
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.reach.stated_request_context import read_stated_policy

if TYPE_CHECKING:
    from answerable.services.reach.permission_list_cursor import PermissionPage


@serialize_queries
def list_subject_permissions(
    inventory: Inventory,
    subject: str,
    *,
    now: int,
    resource: str = "*",
    action: str = "*",
    direct: bool = False,
    context: ConditionContext | None = None,
    session_policy: str = "",
    endpoint_policy: str = "",
    limit: int = 0,
    progress: Callable[[int, int, str], None] = ignore_progress_report,
) -> Document:
    """List the permissions of a subject, direct and through identities it can assume.

    Args:
        subject: Agent, identity or credential: id or unambiguous name.
        now: UTC nanoseconds.
        resource: Only rows that could touch a resource matching this glob.
        action: Only rows that could be an action matching this glob.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        session_policy: File with the policy of the subject's own session.
        endpoint_policy: File with the policy of the network endpoint.
        limit: Most rows; 0 for all. Coverage has the number of identities.
        progress: Progress callback.

    Raises:
        UsageError: The subject is not known, or a file holds no policy.
    """
    from answerable.services.reach import permission_documents

    progress(0, 0, "policies")
    question = _build_permission_question(
        now, subject, action, resource, context, direct=direct
    )
    question = _read_session_and_endpoint_policies(
        question, session_policy, endpoint_policy
    )
    page = PageBounds(rows=limit, progress=progress)
    return permission_documents.list_permissions(
        inventory, question, page
    ).document_with_counts


@serialize_queries
def check_permission(
    inventory: Inventory,
    subject: str,
    action: str,
    resource: str,
    *,
    now: int,
    context: ConditionContext | None = None,
    session_policy: str = "",
    endpoint_policy: str = "",
    direct: bool = False,
    expect: str = "",
    assume: Iterable[str] = (),
) -> Document:
    """Decide whether a subject can make one call, with the proof.

    Args:
        subject: Agent, identity or credential: id or unambiguous name.
        action: Action in the spelling of its platform.
        resource: Resource, `*`, or one with wildcards: then all of it.
        now: UTC nanoseconds.
        context: Condition keys of the request.
        session_policy: File with the policy of the subject's own session.
        endpoint_policy: File with the policy of the network endpoint.
        direct: Leave out roles, escalation and credentials.
        expect: Expected verdict; the document has failed if the verdict differs.
        assume: Names of assumptions that the expectation accepts.

    Raises:
        UsageError: Subject, action, resource or assumption is not known, or a file
            holds no policy.
    """
    from answerable.reach.expected_verdict import (
        VerdictExpectation,
        parse_accepted_assumptions,
    )
    from answerable.services.reach import permission_documents

    expected = VerdictExpectation(expect, parse_accepted_assumptions(assume))
    question = _build_permission_question(
        now, subject, action, resource, context, direct=direct
    )
    question = _read_session_and_endpoint_policies(
        question, session_policy, endpoint_policy
    )
    return permission_documents.check_permission(inventory, question, expected)


@serialize_queries
def list_who_can(
    inventory: Inventory,
    action: str,
    resource: str,
    *,
    now: int,
    direct: bool = False,
    context: ConditionContext | None = None,
    session_policy: str = "",
    endpoint_policy: str = "",
    limit: int = 0,
) -> Document:
    """List every identity that can make one call, and outsiders that can assume one.

    Args:
        action: Action in the spelling of its platform.
        resource: Resource, `*`, or one with wildcards: then all of it.
        now: UTC nanoseconds.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        session_policy: File with a policy that limits the session of each subject.
        endpoint_policy: File with the policy of the network endpoint.
        limit: Maximum of callers, the most severe first; 0 for all. Callers with an
            unknown verdict are always listed.

    Raises:
        UsageError: Action or resource is not known, or a file holds no policy.
    """
    from answerable.services.reach import permission_documents

    question = _build_permission_question(
        now, "", action, resource, context, direct=direct
    )
    question = _read_session_and_endpoint_policies(
        question, session_policy, endpoint_policy
    )
    return permission_documents.list_callers(
        inventory, question, PageBounds(rows=limit)
    ).document_with_counts


@serialize_queries
def list_subject_permissions_page(
    inventory: Inventory,
    subject: str,
    *,
    now: int,
    resource: str = "*",
    action: str = "*",
    direct: bool = False,
    context: ConditionContext | None = None,
    to: str = "",
    cursor: str = "",
    max_rows: int = 200,
    max_identities: int = 25,
) -> "PermissionPage":
    """List one page of a subject's permissions, with a bounded number of identities.

    Args:
        subject: Agent, identity or credential: id or unambiguous name.
        now: UTC nanoseconds.
        resource: Only rows that could touch a resource matching this glob.
        action: Only rows that could be an action matching this glob.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        to: Only what the subject can do as this identity; empty for all.
        cursor: Cursor, empty for the beginning.
        max_identities: Most identities to examine.

    Raises:
        UsageError: As for `list_subject_permissions`; or the cursor is malformed.
    """
    from answerable.services.reach import permission_documents

    question = _build_permission_question(
        now, subject, action, resource, context, direct=direct
    )
    page = PageBounds(rows=max_rows, cursor=cursor, identities=max_identities)
    if to:
        return permission_documents.list_permissions_as(inventory, question, to, page)
    return permission_documents.list_permissions(inventory, question, page)


@serialize_queries
def list_who_can_page(
    inventory: Inventory,
    action: str,
    resource: str,
    *,
    now: int,
    direct: bool = False,
    context: ConditionContext | None = None,
    cursor: str = "",
    max_rows: int = 100,
) -> "PermissionPage":
    """List one page of the identities that can make a call.

    Args:
        action: Action in the spelling of its platform.
        resource: Resource, `*`, or one with wildcards: then all of it.
        now: UTC nanoseconds.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        cursor: Cursor, empty for the beginning.

    Raises:
        UsageError: As for `list_who_can`; or the cursor is malformed.
    """
    from answerable.services.reach import permission_documents

    question = _build_permission_question(
        now, "", action, resource, context, direct=direct
    )
    page = PageBounds(rows=max_rows, cursor=cursor)
    return permission_documents.list_callers(inventory, question, page)


def _build_permission_question(
    now: int,
    subject: str,
    action: str,
    resource: str,
    context: ConditionContext | None,
    *,
    direct: bool,
) -> Question:
    """Build a permission question from the arguments of a use case."""
    return Question(
        now=now,
        subject=subject,
        action=action,
        resource=resource,
        context=context or {},
        direct=direct,
    )


def _read_session_and_endpoint_policies(
    question: Question, session_policy: str, endpoint_policy: str
) -> Question:
    """Read the session and endpoint policy files into a permission question.

    Raises:
        UsageError: A file is missing or holds no policy.
    """
    return replace(
        question,
        session_policy=read_stated_policy(
            session_policy, PolicyLayer.SESSION, question.now
        ),
        endpoint_policy=read_stated_policy(
            endpoint_policy, PolicyLayer.ENDPOINT, question.now
        ),
    )
