"""Operations on approval requests, exceptions, baselines and owner keys, and signing."""

from collections.abc import Callable
from typing import Any, cast

from answerable.evidence import signed_statements
from answerable.model.baseline import BaselineStage
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
from answerable.model.documents.core import Document
from answerable.model.documents.owners import OwnerKeyItem
from answerable.model.documents.person_requests import PersonRequestItem
from answerable.model.documents.web import ActionResultItem, StatementDraftItem
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.presentation.inventory_lists import empty_coverage
from answerable.presentation.time_input import parse_time
from answerable.services.authorization.approval_requests import STATES
from answerable.services.statements import owner_keys
from answerable.usecases.authorization import list_approval_requests
from answerable.usecases.baseline import check_events, manage_profiles
from answerable.usecases.baseline.list_profiles import list_baselines
from answerable.usecases.evidence import filed_requests, remote_signing
from answerable.web.api.operations import (
    ACTIVITY,
    LOOK,
    PAGING_PARAMETERS,
    ApiOperation,
    ApiParameter,
    DocumentPart,
    OperationParams,
    current_minute,
    paginate,
    require_visible,
)
from answerable.web.break_glass import BREAK_GLASS_SPANS as BREAKING
from answerable.web.pages.baselines import cached_replay
from answerable.web.pages.revocations import revive, revoke
from answerable.web.pages.signing import build_drafts, record_signature
from answerable.web.routing import Forbidden, Redirect, RouteRequest
from answerable.web.signing_actions import (
    ACTION_NAMES,
    EXCEPTION_SPANS,
    build_action,
    find_approval_request,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_MONTH = 30 * 86_400 * 10**9
_AGENT = ApiParameter("agent", "Only this agent's.")
_SINCE = ApiParameter(
    "since", "From then: `7d`, a date, RFC 3339; 30 days unless given."
)
_NAME = ApiParameter("id", "Digest of a baseline.", required=True)


def _read_since(params: OperationParams, now: int) -> int:
    return (
        parse_time(params["since"], now, "since") if "since" in params else now - _MONTH
    )


def _list_approval_requests(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> DocumentPart:
    now = current_minute(desk)
    with desk.open_store() as store:
        document = list_approval_requests.list_approval_requests(
            store,
            desk.spools,
            now=now,
            since=_read_since(params, now),
            state=params.get("state", ""),
            agent=params.get("agent", ""),
        )
    return paginate(
        _filter_visible(document, visit), ("last", "id"), params, newest=True
    )


def _filter_visible(document: Document, visit: Visitor) -> Document:
    """Drop items that the visitor may not see."""
    items = [
        each for each in document.items if visit.can_see_activity_of(str(each["agent"]))
    ]
    return Document(document.kind, items, document.coverage)


def _get_approval_request(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> Document:
    find_approval_request(desk, visit, params["id"])
    with desk.open_store() as store:
        return list_approval_requests.show_approval_request(
            store, desk.spools, params["id"], now=current_minute(desk)
        )


def _list_exceptions(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> DocumentPart:
    with desk.open_store() as store:
        document = list_approval_requests.list_policy_exceptions(
            store, now=current_minute(desk)
        )
    document = _filter_visible(document, visit)
    agent = params.get("agent", "")
    items = [each for each in document.items if agent in ("", each["agent"])]
    kept = Document(document.kind, items, document.coverage)
    return paginate(kept, ("signed_at", "id"), params, newest=True)


def _list_requests(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> DocumentPart:
    with desk.open_store() as store:
        document = filed_requests.list_requests(
            store, now=current_minute(desk), agent=params.get("agent", "")
        )
    return paginate(
        _filter_visible(document, visit), ("signed_at", "id"), params, newest=True
    )


def _list_baselines(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> DocumentPart:
    with desk.open_store() as store:
        document = list_baselines(
            store, now=current_minute(desk), agent=params.get("agent", "")
        )
    return paginate(_filter_visible(document, visit), ("agent", "digest"), params)


def _find_visible_baseline(
    desk: StoreCache, visit: Visitor, digest: str
) -> BaselineItem:
    """Return a baseline, if the visitor may see it."""
    with desk.open_store() as store:
        every = cast("list[BaselineItem]", list_baselines(store, now=desk.now).items)
    found = next((each for each in every if each["digest"] == digest), None)
    if found is None or not visit.can_see_activity_of(found["agent"]):
        raise Forbidden
    return found


def _get_baseline(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> Document:
    found = _find_visible_baseline(desk, visit, params["id"])
    with desk.open_store() as store:
        return manage_profiles.show_profile(
            store, found["digest"], now=current_minute(desk)
        )


def _get_baseline_diff(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> Document:
    found = _find_visible_baseline(desk, visit, params["id"])
    old = params.get("from", "")
    if old:
        old = _find_visible_baseline(desk, visit, old)["digest"]
    with desk.open_store() as store:
        return manage_profiles.compare_profiles(
            store, old, found["digest"], now=current_minute(desk)
        )


def _get_baseline_replay(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> Document:
    found = _find_visible_baseline(desk, visit, params["id"])
    item = cached_replay(desk, AgentId(found["agent"]), found["digest"])
    return Document("baseline-replay", [item], empty_coverage())


def _get_baseline_check(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> Document:
    identity, now = params["identity"], current_minute(desk)
    require_visible(visit, identity)
    with desk.open_store() as store:
        return check_events.check_identity_events(
            store, identity, since=_read_since(params, now), now=now
        )


def _list_owner_keys(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> Document:
    del params
    with desk.open_store() as store:
        document = owner_keys.list_owner_keys(store, now=current_minute(desk))
    if {WebPermission.INVESTIGATE, WebPermission.ADMINISTER} & visit.may:
        return document
    own = [each for each in document.items if each["person"] == visit.person]
    return Document(document.kind, own, document.coverage)


def _get_drafts(desk: StoreCache, visit: Visitor, params: OperationParams) -> Document:
    act = build_action(desk, visit, params)
    items: list[StatementDraftItem] = [
        {
            "key": draft.key,
            "type": signed_statements.PAYLOAD_TYPE,
            "payload": draft.payload,
        }
        for draft in build_drafts(desk, visit, act)
    ]
    return Document("drafts", items, empty_coverage())


def _submit_signature(
    desk: StoreCache, visit: Visitor, params: OperationParams
) -> Document:
    act = build_action(desk, visit, params)
    record_signature(desk, visit, act, params["envelope"].encode())
    return _done_document(act.said)


def _done_document(said: str) -> Document:
    item: ActionResultItem = {"said": said}
    return Document("done", [item], empty_coverage())


def _action_handler(act: Callable[[StoreCache, Visitor, RouteRequest], Any]) -> Any:
    def tell(desk: StoreCache, visit: Visitor, params: OperationParams) -> Document:
        answer = act(desk, visit, RouteRequest(form=params))
        if not isinstance(answer, Redirect):
            raise UsageError("nothing was done")
        return _done_document(answer.said)

    return tell


_ACT = (
    ApiParameter("act", "Kind of statement.", ACTION_NAMES, required=True),
    ApiParameter("id", "Id of its subject."),
    ApiParameter("for", "For how long.", tuple({**BREAKING, **EXCEPTION_SPANS})),
    ApiParameter("arguments", "Whether other arguments will do.", ("these", "any")),
    ApiParameter(
        "stage", "Of a baseline.", tuple(stage.value for stage in BaselineStage)
    ),
    ApiParameter("code", "Word of a break-glass: the number of an incident."),
)
_SUBJECT = ApiParameter("subject", "Id of an agent, a person or a key.", required=True)
_REASON = ApiParameter("reason", "Why, kept with the record of it.", longest=500)
_MINUTES = remote_signing.SIGNING_WINDOW // (60 * 10**9)

OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        "/asks",
        "Denied calls that owners can allow, with their answers.",
        _list_approval_requests,
        "asks",
        ApprovalRequestItem,
        (
            ApiParameter("state", "Only those in that state.", tuple(STATES)),
            _AGENT,
            _SINCE,
            *PAGING_PARAMETERS,
        ),
        ACTIVITY,
        passing=True,
        command="asks",
    ),
    ApiOperation(
        "/ask",
        "One ask, by the whole id of any of its decisions.",
        _get_approval_request,
        "asks",
        ApprovalRequestItem,
        (ApiParameter("id", "32 hex digits.", required=True),),
        ACTIVITY,
        passing=True,
        command="asks show ID",
    ),
    ApiOperation(
        "/amendments",
        "Amendments that were signed, standing or not, the newest first.",
        _list_exceptions,
        "amendments",
        PolicyExceptionItem,
        (_AGENT, *PAGING_PARAMETERS),
        ACTIVITY,
        passing=True,
        command="asks amendments",
    ),
    ApiOperation(
        "/requests",
        "Requests of persons to agents, newest first.",
        _list_requests,
        "requests",
        PersonRequestItem,
        (_AGENT, *PAGING_PARAMETERS),
        ACTIVITY,
        passing=True,
        command="requests",
    ),
    ApiOperation(
        "/baselines",
        "Baselines and drafts.",
        _list_baselines,
        "baselines",
        BaselineItem,
        (_AGENT, *PAGING_PARAMETERS),
        ACTIVITY,
        passing=True,
    ),
    ApiOperation(
        "/baseline",
        "One baseline whole.",
        _get_baseline,
        "baseline",
        BaselineItem,
        (_NAME,),
        ACTIVITY,
        passing=True,
        command="baseline show DIGEST",
    ),
    ApiOperation(
        "/baseline/diff",
        "Differences of a baseline from the previous one.",
        _get_baseline_diff,
        "baseline-diff",
        BaselineChangeItem,
        (
            _NAME,
            ApiParameter("from", "Digest of the other; the one before unless given."),
        ),
        ACTIVITY,
        passing=True,
        command="baseline diff DIGEST",
    ),
    ApiOperation(
        "/baseline/replay",
        "Judgements of a baseline on the calls of the last 30 days.",
        _get_baseline_replay,
        "baseline-replay",
        BaselineReplayItem,
        (_NAME,),
        ACTIVITY,
        passing=True,
        command="baseline replay AGENT",
    ),
    ApiOperation(
        "/baseline/check",
        "New behaviour of an identity.",
        _get_baseline_check,
        "baseline-check",
        BaselineCheckItem,
        (ApiParameter("identity", "Its id.", required=True), _SINCE),
        ACTIVITY,
        passing=True,
        command="baseline check IDENTITY",
    ),
    ApiOperation(
        "/owner-keys",
        "Enrolled keys: one's own, or all to those who investigate or administer.",
        _list_owner_keys,
        "owner-keys",
        OwnerKeyItem,
        (),
        LOOK,
        passing=True,
        command="owner-keys list",
    ),
    ApiOperation(
        "/sign",
        "The bytes to sign for an act of one's own: a draft for each of one's keys.",
        _get_drafts,
        "drafts",
        StatementDraftItem,
        _ACT,
        frozenset({WebPermission.OWN}),
        passing=True,
        held=False,
    ),
    ApiOperation(
        "/sign",
        f"Record what was signed within {_MINUTES} minutes of being put together.",
        _submit_signature,
        "done",
        ActionResultItem,
        (
            *_ACT,
            ApiParameter(
                "envelope", "DSSE envelope, JSON.", required=True, longest=65_536
            ),
        ),
        frozenset({WebPermission.OWN}),
        method="POST",
    ),
    ApiOperation(
        "/kill",
        "Stop all that a subject does: one's own agent, or anything to who administers.",
        _action_handler(revoke),
        "done",
        ActionResultItem,
        (_SUBJECT, _REASON),
        frozenset({WebPermission.ADMINISTER, WebPermission.OWN}),
        method="POST",
    ),
    ApiOperation(
        "/revive",
        "Lift a kill.",
        _action_handler(revive),
        "done",
        ActionResultItem,
        (_SUBJECT,),
        frozenset({WebPermission.ADMINISTER}),
        method="POST",
    ),
)
