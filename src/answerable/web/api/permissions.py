"""REST operations on permissions: reach, can, who-can, what-if, exposures."""

from answerable.model.documents.shared_shapes import (
    Document,
    PermissionCheckItem,
    ReachItem,
)
from answerable.model.documents.what_if import (
    AccessChangeItem,
    CutSetItem,
    ExposureItem,
)
from answerable.reach.platform import PolicyEdit
from answerable.services.reach.stated_request_context import parse_context_keys
from answerable.usecases.aws_permissions import find_minimal_cuts, list_exposures
from answerable.usecases.reach import permissions, what_if
from answerable.web.api.operations import (
    AFTER,
    LIMIT,
    ApiOperation,
    ApiParameter,
    DocumentPart,
    OperationParams,
    flag_parameter,
    is_flag_set,
    read_page_size,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_SUBJECT = ApiParameter(
    "subject",
    "Agent, identity or credential: an id, an ARN or an unambiguous name.",
    required=True,
)
_ACTION = ApiParameter("action", "SERVICE:ACTION; case-insensitive.", required=True)
_RESOURCE = ApiParameter(
    "resource", "An ARN, s3://BUCKET/KEY, `*`, or an ARN with wildcards.", required=True
)
_STATED = (
    flag_parameter("direct", "Exclude roles, escalation and credentials."),
    ApiParameter("context", "Condition keys of the request: KEY=VALUE, one per line."),
)
_Context = dict[str, tuple[str, ...]]


def _read_condition_keys(params: OperationParams) -> _Context | None:
    """Parse the condition keys of `context`, KEY=VALUE on each line; None for none."""
    lines = (line.strip() for line in params.get("context", "").splitlines())
    return parse_context_keys(line for line in lines if line) or None


def _get_reach(
    cache: StoreCache, _visitor: Visitor, params: OperationParams
) -> DocumentPart:
    """Return one page of the permissions of a subject."""
    view = cache.current_view()
    listed = permissions.list_subject_permissions_page(
        view.inventory,
        params["subject"],
        now=view.at,
        action=params.get("action", "*"),
        resource=params.get("resource", "*"),
        direct=is_flag_set(params, "direct"),
        context=_read_condition_keys(params),
        to=params.get("to", ""),
        cursor=params.get("after", ""),
        max_rows=read_page_size(params),
    )
    return DocumentPart(listed.document_with_counts, listed.after)


def _get_who_can(
    cache: StoreCache, _visitor: Visitor, params: OperationParams
) -> DocumentPart:
    """Return one page of the identities that can make a call."""
    view = cache.current_view()
    listed = permissions.list_who_can_page(
        view.inventory,
        params["action"],
        params["resource"],
        now=view.at,
        direct=is_flag_set(params, "direct"),
        context=_read_condition_keys(params),
        cursor=params.get("after", ""),
        max_rows=read_page_size(params),
    )
    return DocumentPart(listed.document, listed.after)


def _get_can(cache: StoreCache, _visitor: Visitor, params: OperationParams) -> Document:
    """Return whether a subject can make a call, with the proof."""
    view = cache.current_view()
    return permissions.check_permission(
        view.inventory,
        params["subject"],
        params["action"],
        params["resource"],
        now=view.at,
        direct=is_flag_set(params, "direct"),
        context=_read_condition_keys(params),
    )


def _read_lines(params: OperationParams, name: str) -> tuple[str, ...]:
    """Split a text parameter into its non-empty lines."""
    lines = (line.strip() for line in params.get(name, "").splitlines())
    return tuple(line for line in lines if line)


def _get_what_if(
    cache: StoreCache, _visitor: Visitor, params: OperationParams
) -> Document:
    """Return the permissions that change if statements or policies are removed."""
    view = cache.current_view()
    edit = PolicyEdit(
        statements=_read_lines(params, "without"),
        policies=_read_lines(params, "without-policy"),
    )
    return what_if.compare_policy_edit(
        view.inventory,
        params.get("subject", ""),
        edit,
        now=view.at,
        action=params.get("action", "*"),
        resource=params.get("resource", "*"),
        limit=read_page_size(params),
    )


def _get_statement_cuts(
    cache: StoreCache, _visitor: Visitor, params: OperationParams
) -> Document:
    """Return the smallest sets of policy statements whose removal ends an access."""
    view = cache.current_view()
    with cache.open_store() as store:
        return find_minimal_cuts.find_cuts(
            store,
            view.inventory,
            params["subject"],
            params["resource"],
            now=view.at,
            action=params.get("action", "*"),
            chains=view.chains,
        )


def _get_exposures(
    cache: StoreCache, _visitor: Visitor, params: OperationParams
) -> Document:
    """List administrators and identities that outsiders can assume."""
    view = cache.current_view()
    return list_exposures.list_exposures(
        view.inventory, now=view.at, limit=read_page_size(params)
    )


_NARROWED = (
    ApiParameter(
        "action", "Only permissions that can include an action of this pattern."
    ),
    ApiParameter("resource", "Only permissions that can apply to this pattern."),
)
OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        "/reach",
        "Permissions of a subject, in pages; an empty page may have a successor.",
        _get_reach,
        "reach",
        ReachItem,
        (
            _SUBJECT,
            ApiParameter("action", "Only actions that match this pattern."),
            ApiParameter(
                "resource", "Only permissions that can apply to this pattern."
            ),
            ApiParameter(
                "to", "Only what the subject can do as this identity, with the path."
            ),
            *_STATED,
            LIMIT,
            AFTER,
        ),
        command="reach SUBJECT",
    ),
    ApiOperation(
        "/can",
        "Whether a subject can perform an action, with the proof.",
        _get_can,
        "can",
        PermissionCheckItem,
        (_SUBJECT, _ACTION, _RESOURCE, *_STATED),
        command="can SUBJECT ACTION RESOURCE",
    ),
    ApiOperation(
        "/who-can",
        "Every identity that can perform an action, and external principals that may assume one.",
        _get_who_can,
        "who-can",
        ReachItem,
        (_ACTION, _RESOURCE, *_STATED, LIMIT, AFTER),
        command="who-can ACTION RESOURCE",
    ),
    ApiOperation(
        "/reach/all",
        "Administrators, public and externally assumable identities, most severe first.",
        _get_exposures,
        "reach-all",
        ExposureItem,
        (LIMIT,),
        command="reach --all",
    ),
    ApiOperation(
        "/what-if",
        "Effect of a policy edit; for all identities without a subject.",
        _get_what_if,
        "what-if",
        AccessChangeItem,
        (
            ApiParameter("subject", "Agent, identity or credential; omit for all."),
            ApiParameter(
                "without", "Statements to remove: POLICY#STATEMENT, one per line."
            ),
            ApiParameter("without-policy", "Policies to remove, one per line."),
            *_NARROWED,
            LIMIT,
        ),
        command="what-if SUBJECT --without STATEMENT",
    ),
    ApiOperation(
        "/what-if/cuts",
        "Smallest sets of statements whose removal ends an access, with the denied calls.",
        _get_statement_cuts,
        "what-if-cuts",
        CutSetItem,
        (
            _SUBJECT,
            _RESOURCE,
            ApiParameter("action", "An action or a pattern; omit for any."),
        ),
        permissions=frozenset({WebPermission.INVESTIGATE}),
        command="what-if SUBJECT --cuts RESOURCE",
    ),
)
