"""What a caller is told when it was refused by a decision: the word, and where to ask.

Reason, rule and amendment stay with owner and operator, who read them by the id: told
to the caller, they would say how to get around.
"""

import msgspec

DENIED = -31403  # outside what JSON-RPC and MCP 2026-07-28 reserve
SAYS = "Denied by policy."


def denial(id: str | int | None, decision: str, decision_id: str) -> bytes:
    """Write the JSON-RPC error.

    Args:
        id: Id of the request, None for a notification.
        decision: `deny`, `ask` or `error`.
        decision_id: Id of the record, empty where it could not be written.
    """
    data = {"decision": decision, "decision_id": decision_id}
    error = {"code": DENIED, "message": SAYS, "data": data}
    answer = {"jsonrpc": "2.0"} | ({} if id is None else {"id": id})
    return msgspec.json.encode(answer | {"error": error})
