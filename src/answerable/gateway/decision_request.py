"""Inputs of a decision: a verified caller and one action."""

from answerable.model.caller import VerifiedCaller
from answerable.model.decision import AuthorizationRequest, TargetKind
from answerable.server.mcp.call import NO_ARGUMENTS, McpCall


def build_decision_request(
    caller: VerifiedCaller,
    call: McpCall,
    identity: str,
    action: str,
    target: TargetKind,
    name: str,
    arguments: memoryview = NO_ARGUMENTS,
) -> AuthorizationRequest:
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
    return AuthorizationRequest(
        caller.agent, caller.known, call.server, action, target, name,
        caller.run, caller.principal, caller.person, identity, caller.chain, arguments,
    )  # fmt: skip
