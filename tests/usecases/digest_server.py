"""MCP server with one tool: the digest of a variable, or of its last argument."""

import hashlib
import json
import os
import sys
from typing import Any

TOOL = {"name": "digest", "inputSchema": {"type": "object"}}


def answer(message: dict[str, Any]) -> dict[str, Any]:
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        version = {"protocolVersion": params["protocolVersion"]}
        info = {"serverInfo": {"name": "digest", "version": "1"}}
        return {"result": {**version, "capabilities": {"tools": {}}, **info}}
    if method == "tools/list":
        return {"result": {"tools": [TOOL]}}
    if method == "tools/call":
        name = params["arguments"].get("variable")
        value = os.environ.get(name, "") if name else sys.argv[-1]
        text = hashlib.sha256(value.encode()).hexdigest()
        return {"result": {"content": [{"type": "text", "text": text}]}}
    return {"error": {"code": -32601, "message": "Method not found"}}


for line in sys.stdin:
    read = json.loads(line)
    if "id" in read:
        said = {"jsonrpc": "2.0", "id": read["id"], **answer(read)}
        print(json.dumps(said), flush=True)
