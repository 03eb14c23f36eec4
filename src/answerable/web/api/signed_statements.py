"""Operations on approval requests, exceptions, baselines and owner keys, and signing."""

from collections.abc import Callable
from typing import Any, cast

from answerable.evidence import signed_statements
from answerable.model.baseline import Stage
from answerable.model.documents.approval_requests import AmendmentItem, AskItem
from answerable.model.documents.baseline import (
    BaselineChangeItem,
    BaselineCheckItem,
    BaselineItem,
    BaselineReplayItem,
)
from answerable.model.documents.core import Document
from answerable.model.documents.owners import OwnerKeyItem
from answerable.model.documents.person_requests import RequestItem
from answerable.model.documents.web import DoneItem, DraftItem
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.presentation.inventory_lists import no_coverage
from answerable.presentation.time_input import moment
from answerable.services.authorization import approval_requests as flow
from answerable.services.authorization.approval_requests import STATES
from answerable.services.baseline import profiles
from answerable.services.statements import owner_keys
from answerable.usecases.baseline import check_events
from answerable.usecases.baseline.list_profiles import listed
from answerable.usecases.evidence import filed_requests, remote_signing
from answerable.web.api.operations import (
    DEEDS,
    LOOK,
    PAGED,
    Operation,
    Parameter,
    Params,
    Part,
    minute_of,
    of_theirs,
    paged,
)
from answerable.web.break_glass import SPANS as BREAKING
from answerable.web.pages.baselines import replayed
from answerable.web.pages.revocations import kill, revive
from answerable.web.pages.signing import drafts_of, record
from answerable.web.routing import Asked, Forbidden, Moved
from answerable.web.signing_actions import NAMES, SPANS, act_of, find_ask
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Visit

_MONTH = 30 * 86_400 * 10**9
_AGENT = Parameter("agent", "Only this agent's.")
_SINCE = Parameter("since", "From then: `7d`, a date, RFC 3339; 30 days unless given.")
_NAME = Parameter("id", "Digest of a baseline.", required=True)


def _since(params: Params, now: int) -> int:
    return moment(params["since"], now, "since") if "since" in params else now - _MONTH


def _asks(desk: Desk, visit: Visit, params: Params) -> Part:
    now = minute_of(desk)
    with desk.store() as store:
        document = flow.asks(
            store,
            desk.spools,
            now=now,
            since=_since(params, now),
            state=params.get("state", ""),
            agent=params.get("agent", ""),
        )
    return paged(_seen(document, visit), ("last", "id"), params, newest=True)


def _seen(document: Document, visit: Visit) -> Document:
    """Drop items that the visitor may not see."""
    items = [each for each in document.items if visit.sees_deeds_of(str(each["agent"]))]
    return Document(document.kind, items, document.coverage)


def _ask(desk: Desk, visit: Visit, params: Params) -> Document:
    find_ask(desk, visit, params["id"])
    with desk.store() as store:
        return flow.show(store, desk.spools, params["id"], now=minute_of(desk))


def _amendments(desk: Desk, visit: Visit, params: Params) -> Part:
    with desk.store() as store:
        document = flow.amendments(store, now=minute_of(desk))
    document = _seen(document, visit)
    agent = params.get("agent", "")
    items = [each for each in document.items if agent in ("", each["agent"])]
    kept = Document(document.kind, items, document.coverage)
    return paged(kept, ("signed_at", "id"), params, newest=True)


def _requests(desk: Desk, visit: Visit, params: Params) -> Part:
    with desk.store() as store:
        document = filed_requests.listed(
            store, now=minute_of(desk), agent=params.get("agent", "")
        )
    return paged(_seen(document, visit), ("signed_at", "id"), params, newest=True)


def _baselines(desk: Desk, visit: Visit, params: Params) -> Part:
    with desk.store() as store:
        document = listed(store, now=minute_of(desk), agent=params.get("agent", ""))
    return paged(_seen(document, visit), ("agent", "digest"), params)


def _own(desk: Desk, visit: Visit, digest: str) -> BaselineItem:
    """Return a baseline, if the visitor may see it."""
    with desk.store() as store:
        every = cast("list[BaselineItem]", listed(store, now=desk.now).items)
    found = next((each for each in every if each["digest"] == digest), None)
    if found is None or not visit.sees_deeds_of(found["agent"]):
        raise Forbidden
    return found


def _baseline(desk: Desk, visit: Visit, params: Params) -> Document:
    found = _own(desk, visit, params["id"])
    with desk.store() as store:
        return profiles.show(store, found["digest"], now=minute_of(desk))


def _diff(desk: Desk, visit: Visit, params: Params) -> Document:
    found = _own(desk, visit, params["id"])
    old = params.get("from", "")
    if old:
        old = _own(desk, visit, old)["digest"]
    with desk.store() as store:
        return profiles.diff(store, old, found["digest"], now=minute_of(desk))


def _replay(desk: Desk, visit: Visit, params: Params) -> Document:
    found = _own(desk, visit, params["id"])
    item = replayed(desk, AgentId(found["agent"]), found["digest"])
    return Document("baseline-replay", [item], no_coverage())


def _check(desk: Desk, visit: Visit, params: Params) -> Document:
    identity, now = params["identity"], minute_of(desk)
    of_theirs(visit, identity)
    with desk.store() as store:
        return check_events.check(store, identity, since=_since(params, now), now=now)


def _owner_keys(desk: Desk, visit: Visit, params: Params) -> Document:
    del params
    with desk.store() as store:
        document = owner_keys.listed(store, now=minute_of(desk))
    if {May.INVESTIGATE, May.ADMINISTER} & visit.may:
        return document
    own = [each for each in document.items if each["person"] == visit.person]
    return Document(document.kind, own, document.coverage)


def _prepare(desk: Desk, visit: Visit, params: Params) -> Document:
    act = act_of(desk, visit, params)
    items: list[DraftItem] = [
        {
            "key": draft.key,
            "type": signed_statements.PAYLOAD_TYPE,
            "payload": draft.payload,
        }
        for draft in drafts_of(desk, visit, act)
    ]
    return Document("drafts", items, no_coverage())


def _submit(desk: Desk, visit: Visit, params: Params) -> Document:
    act = act_of(desk, visit, params)
    record(desk, visit, act, params["envelope"].encode())
    return _done(act.said)


def _done(said: str) -> Document:
    item: DoneItem = {"said": said}
    return Document("done", [item], no_coverage())


def _acted(act: Callable[[Desk, Visit, Asked], Any]) -> Any:
    def tell(desk: Desk, visit: Visit, params: Params) -> Document:
        answer = act(desk, visit, Asked(form=params))
        if not isinstance(answer, Moved):
            raise UsageError("nothing was done")
        return _done(answer.said)

    return tell


_ACT = (
    Parameter("act", "Kind of statement.", NAMES, required=True),
    Parameter("id", "Id of its subject."),
    Parameter("for", "For how long.", tuple({**BREAKING, **SPANS})),
    Parameter("arguments", "Whether other arguments will do.", ("these", "any")),
    Parameter("stage", "Of a baseline.", tuple(stage.value for stage in Stage)),
    Parameter("code", "Word of a break-glass: the number of an incident."),
)
_SUBJECT = Parameter("subject", "Id of an agent, a person or a key.", required=True)
_REASON = Parameter("reason", "Why, kept with the record of it.", longest=500)
_MINUTES = remote_signing.WITHIN // (60 * 10**9)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "/asks",
        "Denied calls that owners can allow, with their answers.",
        _asks,
        "asks",
        AskItem,
        (
            Parameter("state", "Only those in that state.", tuple(STATES)),
            _AGENT,
            _SINCE,
            *PAGED,
        ),
        DEEDS,
        passing=True,
        command="asks",
    ),
    Operation(
        "/ask",
        "One ask, by the whole id of any of its decisions.",
        _ask,
        "asks",
        AskItem,
        (Parameter("id", "32 hex digits.", required=True),),
        DEEDS,
        passing=True,
        command="asks show ID",
    ),
    Operation(
        "/amendments",
        "Amendments that were signed, standing or not, the newest first.",
        _amendments,
        "amendments",
        AmendmentItem,
        (_AGENT, *PAGED),
        DEEDS,
        passing=True,
        command="asks amendments",
    ),
    Operation(
        "/requests",
        "Requests of persons to agents, newest first.",
        _requests,
        "requests",
        RequestItem,
        (_AGENT, *PAGED),
        DEEDS,
        passing=True,
        command="requests",
    ),
    Operation(
        "/baselines",
        "Baselines and drafts.",
        _baselines,
        "baselines",
        BaselineItem,
        (_AGENT, *PAGED),
        DEEDS,
        passing=True,
    ),
    Operation(
        "/baseline",
        "One baseline whole.",
        _baseline,
        "baseline",
        BaselineItem,
        (_NAME,),
        DEEDS,
        passing=True,
        command="baseline show DIGEST",
    ),
    Operation(
        "/baseline/diff",
        "Differences of a baseline from the previous one.",
        _diff,
        "baseline-diff",
        BaselineChangeItem,
        (_NAME, Parameter("from", "Digest of the other; the one before unless given.")),
        DEEDS,
        passing=True,
        command="baseline diff DIGEST",
    ),
    Operation(
        "/baseline/replay",
        "Judgements of a baseline on the calls of the last 30 days.",
        _replay,
        "baseline-replay",
        BaselineReplayItem,
        (_NAME,),
        DEEDS,
        passing=True,
        command="baseline replay AGENT",
    ),
    Operation(
        "/baseline/check",
        "New behaviour of an identity.",
        _check,
        "baseline-check",
        BaselineCheckItem,
        (Parameter("identity", "Its id.", required=True), _SINCE),
        DEEDS,
        passing=True,
        command="baseline check IDENTITY",
    ),
    Operation(
        "/owner-keys",
        "Enrolled keys: one's own, or all to those who investigate or administer.",
        _owner_keys,
        "owner-keys",
        OwnerKeyItem,
        (),
        LOOK,
        passing=True,
        command="owner-keys list",
    ),
    Operation(
        "/sign",
        "The bytes to sign for an act of one's own: a draft for each of one's keys.",
        _prepare,
        "drafts",
        DraftItem,
        _ACT,
        frozenset({May.OWN}),
        passing=True,
        held=False,
    ),
    Operation(
        "/sign",
        f"Record what was signed within {_MINUTES} minutes of being put together.",
        _submit,
        "done",
        DoneItem,
        (
            *_ACT,
            Parameter(
                "envelope", "DSSE envelope, JSON.", required=True, longest=65_536
            ),
        ),
        frozenset({May.OWN}),
        method="POST",
    ),
    Operation(
        "/kill",
        "Stop all that a subject does: one's own agent, or anything to who administers.",
        _acted(kill),
        "done",
        DoneItem,
        (_SUBJECT, _REASON),
        frozenset({May.ADMINISTER, May.OWN}),
        method="POST",
    ),
    Operation(
        "/revive",
        "Lift a kill.",
        _acted(revive),
        "done",
        DoneItem,
        (_SUBJECT,),
        frozenset({May.ADMINISTER}),
        method="POST",
    ),
)
