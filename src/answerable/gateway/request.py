"""What the decision is asked: a verified caller, and one thing that it is about to do."""

from answerable.model.caller import Caller
from answerable.model.decision import Request, Target
from answerable.serving.mcp.call import NOTHING, Call


def request_of(
    caller: Caller,
    call: Call,
    identity: str,
    action: str,
    target: Target,
    name: str,
    arguments: memoryview = NOTHING,
) -> Request:
    """Make a request.

    Args:
        caller: Who asks.
        call: In the course of what.
        identity: Principal that the server sees, empty for none.
        action: MCP method.
        target: What it acts on.
        name: Which.
        arguments: With what; nothing where it is not the call itself that is asked for.
    """
    return Request(
        caller.agent, caller.known, call.server, action, target, name,
        caller.run, caller.principal, caller.person, identity, caller.chain, arguments,
    )  # fmt: skip
