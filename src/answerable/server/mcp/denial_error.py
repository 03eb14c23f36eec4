"""Build the JSON-RPC error of a denied call: the effect, and the decision's id.

Reason, rule and policy exception are for owner and operator, who find them by the id: a
caller could use them to evade the policy.
"""

import msgspec

DENIED = -31403  # outside what JSON-RPC and MCP 2026-07-28 reserve
MESSAGE = "Denied by policy."


def build_denial(id: str | int | None, decision: str, decision_id: str) -> bytes:
    """Build the JSON-RPC error response of a denied call.

    Args:
        id: Id of the request, None for a notification.
        decision: `deny`, `ask` or `error`.
        decision_id: Id of the record, empty where it could not be written.
    """
    data = {"decision": decision, "decision_id": decision_id}
    error = {"code": DENIED, "message": MESSAGE, "data": data}
    answer = {"jsonrpc": "2.0"} | ({} if id is None else {"id": id})
    return msgspec.json.encode(answer | {"error": error})
