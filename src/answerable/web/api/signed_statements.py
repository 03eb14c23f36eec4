"""REST operations that list approval requests, exceptions, baselines and owner keys."""

from typing import cast

from answerable.model.documents.approval_requests import (
    ApprovalRequestItem,
    PolicyExceptionItem,
)
from answerable.model.documents.baseline import (
    BaselineChangeItem,
    BaselineCheckItem,
    BaselineItem,
    BaselineReplayItem,
)
from answerable.model.documents.owners import OwnerKeyItem
from answerable.model.documents.person_requests import PersonRequestItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.ids import AgentId
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.presentation.time_input import parse_time
from answerable.services.authorization.approval_requests import STATES
from answerable.services.statements import key_enrolment
from answerable.usecases.authorization import list_approval_requests
from answerable.usecases.baseline import check_events, manage_profiles
from answerable.usecases.baseline.list_profiles import list_baselines
from answerable.usecases.evidence import filed_requests
from answerable.web.api.operations import (
    ACTIVITY,
    LOOK,
    PAGING_PARAMETERS,
    ApiOperation,
    ApiParameter,
    DocumentPart,
    OperationParams,
    get_current_minute,
    paginate_document,
    require_visible,
)
from answerable.web.pages.baselines import cached_replay
from answerable.web.routing import Forbidden
from answerable.web.signable_actions import find_approval_request
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_MONTH = 30 * 86_400 * 10**9
_AGENT = ApiParameter("agent", "Only this agent's.")
_SINCE = ApiParameter(
    "since", "Start time: `7d`, a date or an RFC 3339 time; 30 days ago by default."
)
_NAME = ApiParameter("id", "Digest of a baseline.", required=True)


def _read_since(params: OperationParams, now: int) -> int:
    """Return the time of `since`, UTC ns; 30 days ago by default."""
    return (
        parse_time(params["since"], now, "since") if "since" in params else now - _MONTH
    )


def _list_approval_requests(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> DocumentPart:
    """Return one page of the approval requests that the visitor may see."""
    now = get_current_minute(cache)
    with cache.open_store() as store:
        document = list_approval_requests.list_approval_requests(
            store,
            cache.spools,
            now=now,
            since=_read_since(params, now),
            state=params.get("state", ""),
            agent=params.get("agent", ""),
        )
    return paginate_document(
        _filter_visible(document, visitor), ("last", "id"), params, newest_first=True
    )


def _filter_visible(document: Document, visitor: Visitor) -> Document:
    """Drop items about agents whose activity the visitor may not see."""
    items = [
        each
        for each in document.items
        if visitor.can_see_activity_of(str(each["agent"]))
    ]
    return Document(document.kind, items, document.coverage)


def _get_approval_request(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the approval request that a denied decision opened."""
    find_approval_request(cache, visitor, params["id"])
    with cache.open_store() as store:
        return list_approval_requests.show_approval_request(
            store, cache.spools, params["id"], now=get_current_minute(cache)
        )


def _list_exceptions(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> DocumentPart:
    """Return one page of the signed policy exceptions, newest first."""
    with cache.open_store() as store:
        document = list_approval_requests.list_policy_exceptions(
            store, now=get_current_minute(cache)
        )
    document = _filter_visible(document, visitor)
    agent = params.get("agent", "")
    items = [each for each in document.items if agent in ("", each["agent"])]
    kept = Document(document.kind, items, document.coverage)
    return paginate_document(kept, ("signed_at", "id"), params, newest_first=True)


def _list_requests(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> DocumentPart:
    """Return one page of the requests that persons filed for agents."""
    with cache.open_store() as store:
        document = filed_requests.list_requests(
            store, now=get_current_minute(cache), agent=params.get("agent", "")
        )
    return paginate_document(
        _filter_visible(document, visitor),
        ("signed_at", "id"),
        params,
        newest_first=True,
    )


def _list_baselines(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> DocumentPart:
    """Return one page of the baselines and drafts."""
    with cache.open_store() as store:
        document = list_baselines(
            store, now=get_current_minute(cache), agent=params.get("agent", "")
        )
    return paginate_document(
        _filter_visible(document, visitor), ("agent", "digest"), params
    )


def _find_visible_baseline(
    cache: StoreCache, visitor: Visitor, digest: str
) -> BaselineItem:
    """Find a baseline by its digest; not found if the visitor may not see it."""
    with cache.open_store() as store:
        every = cast("list[BaselineItem]", list_baselines(store, now=cache.now).items)
    found = next((each for each in every if each["digest"] == digest), None)
    if found is None or not visitor.can_see_activity_of(found["agent"]):
        raise Forbidden
    return found


def _get_baseline(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return one baseline with all of its entries."""
    found = _find_visible_baseline(cache, visitor, params["id"])
    with cache.open_store() as store:
        return manage_profiles.show_profile(
            store, found["digest"], now=get_current_minute(cache)
        )


def _get_baseline_diff(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the differences between a baseline and an earlier one."""
    found = _find_visible_baseline(cache, visitor, params["id"])
    old = params.get("from", "")
    if old:
        old = _find_visible_baseline(cache, visitor, old)["digest"]
    with cache.open_store() as store:
        return manage_profiles.compare_profiles(
            store, old, found["digest"], now=get_current_minute(cache)
        )


def _get_baseline_replay(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the verdicts of a baseline on the calls of the last 30 days."""
    found = _find_visible_baseline(cache, visitor, params["id"])
    item = cached_replay(cache, AgentId(found["agent"]), found["digest"])
    return Document("baseline-replay", [item], build_empty_coverage())


def _get_baseline_check(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the behaviour of an identity that its earlier events do not show."""
    identity, now = params["identity"], get_current_minute(cache)
    require_visible(visitor, identity)
    with cache.open_store() as store:
        return check_events.check_identity_events(
            store, identity, since=_read_since(params, now), now=now
        )


def _list_owner_keys(
    cache: StoreCache, visitor: Visitor, _params: OperationParams
) -> Document:
    """List owner keys; only the own keys without INVESTIGATE or ADMINISTER."""
    with cache.open_store() as store:
        document = key_enrolment.list_owner_keys(store, now=get_current_minute(cache))
    if {WebPermission.INVESTIGATE, WebPermission.ADMINISTER} & visitor.may:
        return document
    own = [each for each in document.items if each["person"] == visitor.person]
    return Document(document.kind, own, document.coverage)


OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/asks",
        summary="Denied calls that owners can allow, with the owners' decisions.",
        handler=_list_approval_requests,
        kind="asks",
        item=ApprovalRequestItem,
        parameters=(
            ApiParameter(
                "state", "Only approval requests in this state.", tuple(STATES)
            ),
            _AGENT,
            _SINCE,
            *PAGING_PARAMETERS,
        ),
        permissions=ACTIVITY,
        varies_with_time=True,
        command="asks",
    ),
    ApiOperation(
        path="/ask",
        summary="One approval request, by the full id of any of its decisions.",
        handler=_get_approval_request,
        kind="asks",
        item=ApprovalRequestItem,
        parameters=(ApiParameter("id", "32 hex digits.", required=True),),
        permissions=ACTIVITY,
        varies_with_time=True,
        command="asks show ID",
    ),
    ApiOperation(
        path="/amendments",
        summary="Signed policy exceptions, valid or not, newest first.",
        handler=_list_exceptions,
        kind="amendments",
        item=PolicyExceptionItem,
        parameters=(_AGENT, *PAGING_PARAMETERS),
        permissions=ACTIVITY,
        varies_with_time=True,
        command="asks amendments",
    ),
    ApiOperation(
        path="/requests",
        summary="Requests that people filed for agents, newest first.",
        handler=_list_requests,
        kind="requests",
        item=PersonRequestItem,
        parameters=(_AGENT, *PAGING_PARAMETERS),
        permissions=ACTIVITY,
        varies_with_time=True,
        command="requests",
    ),
    ApiOperation(
        path="/baselines",
        summary="Baselines and drafts.",
        handler=_list_baselines,
        kind="baselines",
        item=BaselineItem,
        parameters=(_AGENT, *PAGING_PARAMETERS),
        permissions=ACTIVITY,
        varies_with_time=True,
    ),
    ApiOperation(
        path="/baseline",
        summary="One complete baseline.",
        handler=_get_baseline,
        kind="baseline",
        item=BaselineItem,
        parameters=(_NAME,),
        permissions=ACTIVITY,
        varies_with_time=True,
        command="baseline show DIGEST",
    ),
    ApiOperation(
        path="/baseline/diff",
        summary="Differences between a baseline and its predecessor.",
        handler=_get_baseline_diff,
        kind="baseline-diff",
        item=BaselineChangeItem,
        parameters=(
            _NAME,
            ApiParameter(
                "from",
                "Digest of the baseline to compare with; the predecessor by default.",
            ),
        ),
        permissions=ACTIVITY,
        varies_with_time=True,
        command="baseline diff DIGEST",
    ),
    ApiOperation(
        path="/baseline/replay",
        summary="Calls of the last 30 days, as the baseline would decide them.",
        handler=_get_baseline_replay,
        kind="baseline-replay",
        item=BaselineReplayItem,
        parameters=(_NAME,),
        permissions=ACTIVITY,
        varies_with_time=True,
        command="baseline replay AGENT",
    ),
    ApiOperation(
        path="/baseline/check",
        summary="Behavior of an identity that is not in its baseline.",
        handler=_get_baseline_check,
        kind="baseline-check",
        item=BaselineCheckItem,
        parameters=(ApiParameter("identity", "Its id.", required=True), _SINCE),
        permissions=ACTIVITY,
        varies_with_time=True,
        command="baseline check IDENTITY",
    ),
    ApiOperation(
        path="/owner-keys",
        summary="Enrolled keys: the caller's own, or all for investigators and administrators.",
        handler=_list_owner_keys,
        kind="owner-keys",
        item=OwnerKeyItem,
        parameters=(),
        permissions=LOOK,
        varies_with_time=True,
        command="owner-keys list",
    ),
)
