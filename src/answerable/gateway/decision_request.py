"""Build the authorization request for a verified caller and one action."""

from typing import NamedTuple

from answerable.model.caller import VerifiedCaller
from answerable.model.decision import AuthorizationRequest, TargetKind
from answerable.server.mcp.call import NO_ARGUMENTS, McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import INPUT_METHODS


class RequestedAction(NamedTuple):
    """One action to decide on; the arguments are empty where it is not the call itself."""

    method: str
    target: TargetKind
    name: str
    arguments: memoryview = NO_ARGUMENTS


def build_decision_request(
    caller: VerifiedCaller,
    call: McpCall,
    identity: str,
    action: RequestedAction,
) -> AuthorizationRequest:
    """Build the authorization request for one action of a call.

    Args:
        caller: The verified caller.
        call: The call that the action is part of.
        identity: Principal that the server sees, empty for none.
        action: The action.
    """
    return AuthorizationRequest(
        agent=caller.agent,
        known=caller.known,
        server=call.server,
        action=action.method,
        target=action.target,
        name=action.name,
        run=caller.run,
        principal=caller.principal,
        person=caller.person,
        identity=identity,
        chain=caller.chain,
        arguments=action.arguments,
    )


def build_input_call(call: McpCall, method: str) -> McpCall:
    """Build the call for an input that the server of a call requests from the client."""
    return McpCall(
        call.era,
        MessageKind.REQUEST,
        method,
        call.id,
        call.server,
        INPUT_METHODS[method],
        session=call.session,
    )
