"""Operations on activity: lineage rows, events, decisions."""

from dataclasses import replace

from answerable.lineage import search_query
from answerable.lineage.search_query import FIELDS, Query
from answerable.model.decision import Effect, Reason
from answerable.model.documents.core import Document
from answerable.model.documents.decisions import DecisionItem
from answerable.model.documents.trace import ScoreItem, TraceItem, UnmediatedItem
from answerable.model.errors import UsageError
from answerable.presentation.time_input import moment
from answerable.services.authorization import decision_items, decision_records
from answerable.services.lineage import name_resolution, row_search, trace_rows
from answerable.services.lineage.resource_filter import number_of
from answerable.services.lineage.row_search import may_tell, rows_of
from answerable.services.lineage.trace_rows import Question, coverage_of, item_of
from answerable.store.decision_queries import Asked as Wanted
from answerable.store.investigation_queries import count
from answerable.usecases.authorization import list_decisions as flow
from answerable.usecases.lineage import find_unmediated
from answerable.usecases.lineage import show_event as events
from answerable.web.activity_scope import only, scene
from answerable.web.api.operations import (
    DEEDS,
    EVERY_DEED,
    LIMIT,
    PAGED,
    Operation,
    Parameter,
    Params,
    Part,
    limit_of,
    minute_of,
)
from answerable.web.routing import Forbidden
from answerable.web.store_cache import Desk
from answerable.web.visitor import Visit

_HOPS = ("person", "agent", "tool", "identity", "credential", "action", "resource")
_WHAT = {
    "person": "Only this person's.",
    "agent": "Only this agent's, or of agents that it ran.",
    "tool": "Only through this tool.",
    "identity": "As this identity, or on it.",
    "credential": "Only with this one.",
    "action": "Only these actions; `*` and `?`.",
    "resource": "Only on these; `*` and `?`.",
    "source": "Only from this log.",
    "run": "Only of this run.",
    "status": "How a hop is known: `missing`, `agent=declared`.",
    "since": "From then: `7d`, a date, RFC 3339.",
    "until": "Until then.",
}
_BY_HOP = tuple(
    Parameter(name, _WHAT[name]) for name in (*_HOPS, "since", "until") if name in _WHAT
)
_BY_FIELD = tuple(
    Parameter(name, _WHAT.get(name, ""), search_query.CHOICES.get(name, ()))
    if name == "outcome"
    else Parameter(name, _WHAT[name])
    for name in FIELDS
)
_ID = Parameter("id", "Its id.", required=True)


def _query(params: Params) -> Query:
    """Parse the search box and the fields that narrow it."""
    asked = search_query.parse(params.get("q", ""))
    fields = " ".join(
        f"{name}:{search_query.spelled(params[name])}"
        for name in FIELDS
        if name in params
    )
    for name, value in search_query.parse(fields).said:
        if asked.get(name) not in ("", value):
            raise UsageError(f"{name} is asked for twice, in `q` and beside it")
        asked = asked.asking(name, value)
    return asked


def _trace(desk: Desk, visit: Visit, params: Params) -> Part:
    around, standing, asked = scene(desk, visit), desk.standing(), _query(params)
    wanted = row_search.wanted(around, asked, now=minute_of(desk))
    with desk.store() as store:
        document, after = row_search.investigate(
            store,
            around,
            wanted,
            now=standing.at,
            after=params.get("after", ""),
            limit=limit_of(params),
            person=asked.get("person"),
        )
        if after or "after" in params:
            asked_by = {k: v for k, v in params.items() if k not in ("after", "limit")}
            key = (
                desk.version(),
                minute_of(desk),
                around.only,
                frozenset(asked_by.items()),
            )
            total = desk.totals.get(key, lambda: count(store, wanted))
            document = replace(document, total=total)
    return Part(document, after)


def _score(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit, params

    def scored() -> Document:
        standing = desk.standing()
        with desk.store() as store:
            return trace_rows.scored(
                store, standing.inventory, standing.chains, now=standing.at
            )

    return desk.kept("trace-score", lambda _: scored())


def _unmediated(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit
    standing, now = desk.standing(), minute_of(desk)
    fields = {name: params.get(name, "") for name in _HOPS}
    since, until = (
        moment(params[name], now, name) if name in params else 0
        for name in ("since", "until")
    )
    question = Question(**fields, since=since, until=until, limit=limit_of(params))
    with desk.store() as store:
        return find_unmediated.unmediated_in(
            store, standing.inventory, standing.chains, question, now=standing.at
        )


def _event(desk: Desk, visit: Visit, params: Params) -> Document:
    around = scene(desk, visit)
    number = number_of(params["id"])
    with desk.store() as store:
        rows = events.found(store, around, number) if number else []
    if not rows:
        raise Forbidden
    covered = coverage_of(around.inventory, around.chains, desk.standing().at)
    return Document("event", list(map(item_of, rows)), covered)


def _decision(desk: Desk, visit: Visit, params: Params) -> Document:
    around = scene(desk, visit)
    if around.only is not None and number_of(params["id"]) is None:
        raise Forbidden  # prefixes could be enumerated
    waiting = decision_records.spooled(
        desk.spools
    )  # before the store, so that none is missed
    with desk.store() as store:
        try:
            document = decision_items.decision(
                store, waiting, params["id"], now=minute_of(desk)
            )
            found = decision_records.find(store, waiting, params["id"])
        except UsageError:
            if around.only is not None:
                raise Forbidden from None
            raise
    for row in rows_of([each.event for each in found], around):
        if not may_tell(row.chain, around.only):
            raise Forbidden
    return document


def _decisions(desk: Desk, visit: Visit, params: Params) -> Part:
    wanted = Wanted(
        of=only(visit),
        agent=params.get("agent", ""),
        effect=params.get("effect", ""),
        reason=params.get("reason", ""),
        before=flow.read_place(params.get("after", "")),
    )
    limit, now = limit_of(params), minute_of(desk)
    with desk.store() as store:
        document, after = flow.decisions(
            store, desk.spools, wanted, limit=limit, now=now
        )
        if wanted.agent and wanted.of is None and not document.items:
            # A visitor who may see a part only must not learn of other agents.
            standing = desk.standing()
            agent = name_resolution.agent(
                standing.inventory, standing.chains, wanted.agent
            )
            if agent != wanted.agent:
                wanted = replace(wanted, agent=agent)
                document, after = flow.decisions(
                    store, desk.spools, wanted, limit=limit, now=now
                )
    return Part(document, after)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "/trace",
        "Lineage rows with every hop's status, the newest first.",
        _trace,
        "trace",
        TraceItem,
        (
            Parameter("q", "A query as in the search box: `agent:*bot since:7d`."),
            *_BY_FIELD,
            *PAGED,
        ),
        DEEDS,
        passing=True,
        command="trace",
    ),
    Operation(
        "/trace/score",
        "Which hops each source supplies, and which it cannot.",
        _score,
        "trace-score",
        ScoreItem,
        may=EVERY_DEED,
        command="trace --score",
    ),
    Operation(
        "/trace/unmediated",
        "Calls that bypassed the gateway, oldest first.",
        _unmediated,
        "trace-unmediated",
        UnmediatedItem,
        (*_BY_HOP, LIMIT),
        EVERY_DEED,
        passing=True,
        command="trace --unmediated",
    ),
    Operation(
        "/event",
        "One event with its chain; several where records of one id differ.",
        _event,
        "event",
        TraceItem,
        (_ID,),
        DEEDS,
    ),
    Operation(
        "/decision",
        "One decision with its reason, what determined it, and what would allow it.",
        _decision,
        "decision",
        DecisionItem,
        (_ID,),
        DEEDS,
        passing=True,
        command="decision ID",
    ),
    Operation(
        "/decisions",
        "Decisions, the newest first; those that are not shipped yet too.",
        _decisions,
        "decisions",
        DecisionItem,
        (
            Parameter("agent", "Only this agent's."),
            Parameter("effect", "Only these.", tuple(e.value for e in Effect)),
            Parameter("reason", "Only for this.", tuple(r.value for r in Reason)),
            *PAGED,
        ),
        DEEDS,
        passing=True,
    ),
)
