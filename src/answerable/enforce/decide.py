"""The decision: a request against what is in force, outermost layer first."""

from dataclasses import dataclass, field

from answerable.enforce.amending import NO_AMENDMENTS, Amendments, amended
from answerable.enforce.kill import NO_KILLS, Kills, killed_by
from answerable.enforce.quarantine import NO_QUARANTINE, Quarantine, quarantined_by
from answerable.enforce.table import Profile, Table, held
from answerable.model.decision import (
    Decision,
    Durability,
    Effect,
    Layer,
    Mode,
    Reason,
    Request,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds beside the policy, and changes without it.

    Attributes:
        kills: Subjects that may do nothing; they come before the policy and the mode.
        quarantine: What is not as it was approved, by server.
        amendments: What owners have signed, in time.
    """

    kills: Kills = NO_KILLS
    quarantine: Quarantine = field(default_factory=lambda: NO_QUARANTINE)
    amendments: Amendments = field(default_factory=lambda: NO_AMENDMENTS)


NOTHING_STANDS = Standing()


def decide(table: Table, standing: Standing, request: Request) -> Decision:
    """Decide on one request. Reads memory alone; two dictionaries and a set.

    Args:
        table: The policy in force.
        standing: What holds beside it.
        request: What a verified caller asks for.
    """
    profile = _profile(table, request)
    if standing.kills:
        subject = killed_by(standing.kills, request)
        if subject:
            return held(
                table.policy, Effect.DENY, Reason.KILLED, profile.mode, (subject,),
                Layer.KILL,
            )  # fmt: skip
    if standing.quarantine:
        subject = quarantined_by(standing.quarantine, request)
        if subject:
            return _in_quarantine(table, profile.mode, subject)
    decision = _of_policy(table, profile, request)
    if standing.amendments and decision.effect is not Effect.ALLOW:
        return _amended(table, standing, request, decision)
    return decision


def _of_policy(table: Table, profile: Profile, request: Request) -> Decision:
    classes = table.servers.get(request.server)
    if classes is None:
        return table.no_server
    grants = profile.grants.get(request.server)
    if grants is None:
        answer = profile.refused
    else:
        spelled = grants.exact.get((request.target, request.name))
        if spelled is not None:
            return spelled
        answer = grants.answer(request.target, request.name)
    return answer.of(classes.durability(request.target, request.action, request.name))


def _in_quarantine(table: Table, mode: Mode, subject: str) -> Decision:
    # It is not known what it would do, so its record comes first where it goes on.
    passes = mode is not Mode.ENFORCE
    durability = Durability.DURABLE if passes else Durability.BUFFERED
    return Decision(
        Effect.DENY, passes, mode, Reason.QUARANTINED, (subject,), table.policy,
        durability, Layer.QUARANTINE,
    )  # fmt: skip


def _amended(
    table: Table, standing: Standing, request: Request, decision: Decision
) -> Decision:
    lifted = amended(standing.amendments, request, decision)
    if lifted is decision:
        return decision
    classes = table.servers[request.server]
    name = request.name
    return lifted.lasting(classes.durability(request.target, request.action, name))


def _profile(table: Table, request: Request) -> Profile:
    found = table.agents.get(request.agent)
    if found is not None:
        return found
    return table.undeclared if request.known else table.unknown
