"""Inputs of a decision: a verified caller and one action."""

from answerable.model.caller import Caller
from answerable.model.decision import Request, Target
from answerable.server.mcp.call import NOTHING, Call


def request_of(
    caller: Caller,
    call: Call,
    identity: str,
    action: str,
    target: Target,
    name: str,
    arguments: memoryview = NOTHING,
) -> Request:
    """Build the request to the decision point.

    Args:
        caller: The verified caller.
        call: The call that the action is part of.
        identity: Principal that the server sees, empty for none.
        action: MCP method.
        target: Kind of object that it acts on.
        name: Name of that object.
        arguments: Arguments; empty where the action is not the call itself.
    """
    return Request(
        caller.agent, caller.known, call.server, action, target, name,
        caller.run, caller.principal, caller.person, identity, caller.chain, arguments,
    )  # fmt: skip
