"""The decision: a request against the table and the kills."""

from answerable.enforce.kill import Kills, killed_by
from answerable.enforce.table import Profile, Table, held
from answerable.model.decision import Decision, Effect, Reason, Request


def decide(table: Table, kills: Kills, request: Request) -> Decision:
    """Decide on one request. Reads memory alone; two dictionaries and a set.

    Args:
        table: The policy in force.
        kills: Subjects that may do nothing; they come before the policy and the mode.
        request: What a verified caller asks for.
    """
    profile = _profile(table, request)
    if kills:
        subject = killed_by(kills, request)
        if subject:
            return held(
                table.policy, Effect.DENY, Reason.KILLED, profile.mode, (subject,)
            )
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


def _profile(table: Table, request: Request) -> Profile:
    found = table.agents.get(request.agent)
    if found is not None:
        return found
    return table.undeclared if request.known else table.unknown
