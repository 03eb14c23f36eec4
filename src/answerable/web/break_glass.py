"""Break-glass on a page: two persons sign, each with a key in their own browser."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from answerable.model.approval_request import Wanted
from answerable.model.decision import Target
from answerable.model.documents.decisions import DecisionItem
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.model.policy_exception import Fallen
from answerable.presentation.act_text import act_words
from answerable.presentation.command_hints import command
from answerable.presentation.inventory_items import spelled_time
from answerable.services.authorization import decision_items, decision_records
from answerable.services.lineage.resource_filter import number_of
from answerable.services.statements.policy_exceptions import held
from answerable.usecases.authorization import answer_approvals
from answerable.usecases.authorization.answer_approvals import Term
from answerable.web.routing import Forbidden
from answerable.web.signing_action import Act, Fields, word
from answerable.web.template_filters import url
from answerable.web.visitor import May, Visit

if TYPE_CHECKING:
    from answerable.web.store_cache import Desk

_MINUTE = 60 * 10**9
SPANS: Mapping[str, int] = {
    "30m": 30 * _MINUTE,
    "1h": 60 * _MINUTE,
    "2h": 120 * _MINUTE,
    "4h": 240 * _MINUTE,
}


def break_glass(desk: "Desk", visit: Visit, fields: Fields) -> Act:
    """Build the first signature of a break-glass for one denied decision.

    Raises:
        Forbidden: The decision is unknown or not visible, or the visitor owns nothing.
        UsageError: Two persons cannot lift it, or a field has an unknown value.
    """
    name = fields.get("id", "")
    item = _decision(desk, visit, name)
    wanted = item["amendment"]
    if wanted is None or wanted["by"] != "two persons":
        raise UsageError(
            f"two persons cannot lift the decision {name[:16]}",
            f"see what would allow the call: /decision?id={name}",
        )
    span = word(fields, "for", "30m", SPANS)
    code = answer_approvals.code_of(fields.get("code", ""), "code")
    target = Target(wanted["target"])
    act = Wanted(AgentId(wanted["agent"]), wanted["server"], target, wanted["name"], "")
    words = act_words(act)
    named = ("--reason-code", code) if code else ()
    return Act(
        title=f"You let {act.agent} do this for {span}: {words}",
        follows=(
            "A policy forbids the call. It is denied until another person confirms, within "
            "an hour: send them the link in the list.",
            "Any arguments are allowed; the time starts with your signature. Kills, "
            "quarantine and errors are not lifted. Every visitor can see it.",
        ),
        subject=act.agent,
        tell=lambda store, who, now: answer_approvals.start(
            store, act, who, Term(SPANS[span], True, code), now=now
        ),
        command=command(
            *("break-glass", "start", "--agent", act.agent, "--server", act.server),
            *(f"--{act.target}", act.name, "--for", span, *named, "--key", "KEY"),
        ),
        back=url("/asks", agent=act.agent),
        said=f"Signed: {act.agent} may {words}, once another person confirms it.",
    )


def confirm(desk: "Desk", visit: Visit, fields: Fields) -> Act:
    """Build the second signature of a pending break-glass.

    The full id is a capability: the first person passes it on.

    Raises:
        Forbidden: No break-glass with this id is pending, or the visitor owns nothing.
    """
    name = fields.get("id", "")
    _answers_for_something(visit)
    with desk.store() as store:
        judged = held(store, desk.now).judged
    found = next((each for each in judged if each.amendment.id == name), None)
    if found is None or found.fallen is not Fallen.UNCONFIRMED:
        raise Forbidden
    begun = found.amendment
    words = act_words(begun)
    until = spelled_time(begun.until * 10**9)
    return Act(
        title=f"With {' and '.join(begun.persons)} you let {begun.agent} do this: {words}",
        follows=(
            f"A policy forbids the call. The exception expires at {until}. A running "
            "gateway applies it within a second, for any arguments.",
            "Kills, quarantine and errors are not lifted. Every visitor can see it. "
            "Each of you can revoke it.",
        ),
        subject=begun.agent,
        tell=lambda store, who, now: answer_approvals.confirm(
            store, name, who, now=now
        ),
        command=command("break-glass", "confirm", name, "--key", "KEY"),
        back=url("/asks", agent=begun.agent),
        said=f"Signed: {begun.agent} may {words} until {until}.",
    )


def _answers_for_something(visit: Visit) -> None:
    if visit.person is None or May.OWN not in visit.may or not visit.owns:
        raise Forbidden


def _decision(desk: "Desk", visit: Visit, name: str) -> DecisionItem:
    """Find a decision by its full id; prefixes could be enumerated."""
    _answers_for_something(visit)
    if number_of(name) is None:
        raise Forbidden
    waiting = decision_records.spooled(
        desk.spools
    )  # before the store, so that none is missed
    with desk.store() as store:
        try:
            document = decision_items.decision(store, waiting, name, now=desk.now)
        except UsageError:
            raise Forbidden from None
    item = cast("DecisionItem", document.items[0])
    if not visit.sees_deeds_of(item["agent"]):
        raise Forbidden
    return item
