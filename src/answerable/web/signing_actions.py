"""Signing actions by name, each with its text, use case and command.

Permission is checked twice: for the visitor, so that other agents' data stays hidden,
and for the key, by the use case.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from answerable.model.baseline import Stage
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.model.person import OwnerState
from answerable.presentation.act_text import act_words
from answerable.presentation.command_hints import command
from answerable.services.authorization import approval_requests, decision_records
from answerable.services.authorization.approval_requests import Ask
from answerable.services.authorization.value_provenance import provenance
from answerable.services.baseline import profile_learning
from answerable.services.baseline import profiles as baselines
from answerable.services.statements import policy_exceptions as signed
from answerable.services.statements.attested_owners import AttestedOwners
from answerable.usecases.authorization import answer_approvals
from answerable.usecases.authorization.answer_approvals import Term
from answerable.usecases.inventory import ownership
from answerable.web.break_glass import break_glass, confirm
from answerable.web.pin_approval import approve
from answerable.web.routing import Forbidden
from answerable.web.signing_action import Act, Fields, word
from answerable.web.template_filters import url
from answerable.web.visitor import May, Visit

if TYPE_CHECKING:
    from answerable.web.store_cache import Desk

# Fields of whatever is signed; `id` is of what the act is about.
FIELDS = ("act", "id", "for", "arguments", "stage", "item", "code", "again")
_ENDS = "ends-enforcement"  # what `again` says on the second step
_HOUR = 3600 * 10**9
SPANS: Mapping[str, int] = {
    "1h": _HOUR,
    "8h": 8 * _HOUR,
    "1d": 24 * _HOUR,
    "7d": 7 * 24 * _HOUR,
    "30d": 30 * 24 * _HOUR,
    "90d": 90 * 24 * _HOUR,
    "always": 0,
}
_DECISION, _DIGEST = 32, 64  # hex digits of a whole id
_HEX = frozenset("0123456789abcdef")


def act_of(desk: "Desk", visit: Visit, fields: Fields) -> Act:
    """Build the requested action.

    Raises:
        Forbidden: The visitor may not sign it, or its subject does not exist.
        UsageError: A field has an unknown value.
    """
    make = _ACTS.get(fields.get("act", ""))
    if make is None:
        raise UsageError(
            f"nothing of that name is signed (got {fields.get('act', '')[:80]!r}, "
            f"expected {', '.join(_ACTS)})",
            "begin on the page of what you mean",
        )
    return make(desk, visit, fields)


def find_ask(desk: "Desk", visit: Visit, name: str) -> Ask:
    """Find an approval request by the full id of one of its decisions.

    Raises:
        Forbidden: It does not exist, or the visitor may not see it.
    """
    if not _is_hex(name, _DECISION):  # prefixes could be enumerated
        raise Forbidden
    with desk.store() as store:
        try:
            ask = approval_requests.find(
                store, decision_records.spooled(desk.spools), name
            )
        except UsageError:
            raise Forbidden from None
    if not visit.sees_deeds_of(ask.wanted.agent):
        raise Forbidden
    return ask


def _allow(desk: "Desk", visit: Visit, fields: Fields) -> Act:
    ask = _own_ask(desk, visit, fields)
    wanted, decision = ask.wanted, ask.named
    span = word(fields, "for", "1h", SPANS)
    any_arguments = word(fields, "arguments", "these", ("these", "any")) == "any"
    term = Term(SPANS[span], any_arguments)
    how = (
        "Any arguments are allowed."
        if any_arguments
        else "Only these arguments are allowed."
    )
    ends = "It does not expire." if span == "always" else f"It ends after {span}."
    options = ("--always",) if span == "always" else ("--for", span)
    more = ("--any-arguments",) if any_arguments else ()
    return Act(
        title=f"You let {wanted.agent} do this: {act_words(wanted)}",
        follows=(
            *_facts(desk, ask),
            how,
            ends,
            "A running gateway applies it within a second. It does not lift a policy that "
            "forbids the call, a kill, a quarantine or an error. You can revoke it.",
        ),
        subject=wanted.agent,
        tell=lambda store, who, now: answer_approvals.allow(
            store, decision_records.spooled(desk.spools), decision, who, term, now=now
        ),
        command=command("asks", "allow", decision, "--key", "KEY", *options, *more),
        back=url("/ask", id=decision),
        said=f"Signed: {wanted.agent} may {act_words(wanted)}.",
    )


def _facts(desk: "Desk", ask: Ask) -> tuple[str, ...]:
    """Describe the arguments, their writers, and existing answers."""
    with desk.store() as store:
        lines = provenance(store, decision_records.spooled(desk.spools), ask).lines
        known = approval_requests.item(ask, signed.held(store, desk.now), desk.now)
    answered = (f"Answered already: {known['state']} by {', '.join(known['by'])}.",)
    return (*lines, *(answered if known["by"] else ()))


def _refuse(desk: "Desk", visit: Visit, fields: Fields) -> Act:
    ask = _own_ask(desk, visit, fields)
    wanted, decision = ask.wanted, ask.named
    return Act(
        title=f"You do not let {wanted.agent} do this: {act_words(wanted)}",
        follows=(
            *_facts(desk, ask),
            "The ask is closed and the call stays denied. This does not revoke an "
            "amendment that is in force.",
        ),
        subject=wanted.agent,
        tell=lambda store, who, now: answer_approvals.refuse(
            store, decision_records.spooled(desk.spools), decision, who, now=now
        ),
        command=command("asks", "refuse", decision, "--key", "KEY"),
        back=url("/ask", id=decision),
        said=f"Signed: {wanted.agent} may not {act_words(wanted)}.",
    )


def _take_back(desk: "Desk", visit: Visit, fields: Fields) -> Act:
    name = fields.get("id", "")
    if not _is_hex(name, _DIGEST):
        raise Forbidden
    with desk.store() as store:
        said = signed.held(store, desk.now)
    found = next((each for each in said.judged if each.amendment.id == name), None)
    if found is None:
        raise Forbidden
    amendment, person = found.amendment, visit.person
    by = {said.who.same(each) for each in amendment.persons}
    signer = person is not None and said.who.same(person) in by
    if not (visit.answers_for(amendment.agent) or (signer and May.OWN in visit.may)):
        raise Forbidden
    what = act_words(amendment)
    return Act(
        title=f"You revoke what lets {amendment.agent} do this: {what}",
        follows=(
            "A running gateway applies it within a second. It is final: to allow the "
            "call again, sign again.",
        ),
        subject=amendment.agent,
        tell=lambda store, who, now: answer_approvals.revoke(store, name, who, now=now),
        command=command("asks", "revoke", name[:16], "--key", "KEY"),
        back=url("/asks", agent=amendment.agent),
        said=f"Revoked: {amendment.agent} may no longer {what}.",
    )


_STAGES: Mapping[Stage, tuple[str, str]] = {
    Stage.SHADOW: (
        "You sign this baseline for {agent}, in shadow",
        "No call is denied. Calls outside the baseline are recorded and shown here.",
    ),
    Stage.ENFORCE: (
        "You enforce this baseline for {agent}",
        "Calls outside the baseline are denied, or ask you. Each is shown here.",
    ),
    Stage.OFF: (
        "You end this baseline for {agent}",
        "It no longer denies or records calls. Rules still apply.",
    ),
}


def _hold(desk: "Desk", visit: Visit, fields: Fields) -> Act:
    name = fields.get("id", "")
    if not _is_hex(name, _DIGEST):
        raise Forbidden
    with desk.store() as store:
        try:
            profile = profile_learning.kept(store, name)[1]
        except UsageError:
            raise Forbidden from None
    agent = profile.subject.agent
    if not visit.answers_for(agent):
        raise Forbidden
    stage = Stage(word(fields, "stage", "shadow", [each.value for each in Stage]))
    span = word(fields, "for", "90d", ("7d", "30d", "90d"))
    title, follows = _STAGES[stage]
    with desk.store() as store:
        loosens = baselines.ends_enforcement(store, name, stage, desk.now)
    is_second = fields.get("again") == _ENDS
    again = {"act": "hold", "id": name, "stage": stage.value, "for": span}
    ends = (f"Enforcement ends: the baseline denies {agent} no more calls.",)
    return Act(
        title=title.format(agent=agent),
        second_step=url("/sign", **again, again=_ENDS)
        if loosens and not is_second
        else "",
        follows=(
            *(ends if loosens else ()),
            follows,
            f"It covers calls to {profile.subject.server} and expires after {span}. "
            "A running gateway applies it within a second.",
        ),
        subject=agent,
        tell=lambda store, who, now: baselines.sign(
            store,
            name,
            who,
            stage,
            life=SPANS[span],
            now=now,
            ends_enforcement=is_second,
        ),
        command=command(
            *("baseline", "sign", name[:16], "--stage", stage.value),
            *(("--ends-enforcement",) if loosens else ()),
            *("--for", span, "--key", "KEY"),
        ),
        back=url("/baseline", agent=agent),
        said=f"Signed: the baseline of {agent} is in the stage {stage.value}.",
    )


def _attest(desk: "Desk", visit: Visit, fields: Fields) -> Act:
    """Build an attestation of ownership: a renewal, or a first one.

    Taking over from another owner is only possible on the command line.
    """
    inventory, person = desk.standing().inventory, visit.person
    subject = fields.get("id", "")
    known = subject in inventory.agents or subject in inventory.owners
    if person is None or May.OWN not in visit.may or not known:
        raise Forbidden
    with desk.store() as store:
        owners = AttestedOwners(store)
        attested = owners.now(desk.now).get(AgentId(subject))
        own = owners.same(person)
    shown = inventory.owners.get(subject)
    if shown is not None and shown.state is OwnerState.ATTESTED:
        taken = shown.person != own
    else:
        taken = attested is not None and attested.person != own
    if taken:
        raise Forbidden
    return Act(
        title=f"You answer for {subject}",
        follows=(
            "You see its activity, can sign exceptions to its rules, and can stop it. "
            "Others see you as its owner. The attestation expires after 180 days.",
        ),
        subject=subject,
        tell=lambda store, who, now: ownership.attest_signed(
            store, desk.standing().inventory, subject, person, who, now=now
        ),
        command=command(
            *("attest", subject, "--owner", person.removeprefix("person:")),
            *("--key", "KEY"),
        ),
        back=url("/agent" if subject.startswith("agent:") else "/identity", id=subject),
        said=f"Signed: you answer for {subject}.",
    )


_ACTS: Mapping[str, "Callable[[Desk, Visit, Fields], Act]"] = {
    "allow": _allow,
    "refuse": _refuse,
    "take-back": _take_back,
    "hold": _hold,
    "attest": _attest,
    "approve": approve,
    "break-glass": break_glass,
    "confirm": confirm,
}
NAMES = tuple(_ACTS)


def _own_ask(desk: "Desk", visit: Visit, fields: Fields) -> Ask:
    ask = find_ask(desk, visit, fields.get("id", ""))
    if not visit.answers_for(ask.wanted.agent):
        raise Forbidden
    return ask


def _is_hex(text: str, size: int) -> bool:
    return len(text) == size and _HEX.issuperset(text)
