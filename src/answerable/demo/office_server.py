"""Serve the demo office's database as MCP tools over standard streams.

    OFFICE_KEY=... python -m answerable.demo.office_server FILE

It speaks 2026-07-28 and 2025-11-25, one JSON-RPC message a line.
"""

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from answerable.demo.office_database import open_database

VERSIONS = ("2026-07-28", "2025-11-25", "2025-06-18")
_INFO = {"name": "office", "version": "1.0.0"}
_RATES = {"CHF": 1.07, "EUR": 1.0, "USD": 0.92}

Json: TypeAlias = dict[str, Any]
Tool = Callable[[sqlite3.Connection, Mapping[str, str]], Json]


def list_invoices(database: sqlite3.Connection, arguments: Mapping[str, str]) -> Json:
    """List the six open invoices that were looked after longest ago."""
    rows = database.execute(
        "SELECT number, customer, amount, currency, letter FROM invoices"
        " ORDER BY noted, number LIMIT 6"
    )
    names = ("number", "customer", "amount", "currency", "letter")
    return {"invoices": [dict(zip(names, row, strict=True)) for row in rows]}


def read_customer(database: sqlite3.Connection, arguments: Mapping[str, str]) -> Json:
    """Read a customer, with whom to tell about them."""
    names = ("id", "name", "account_owner", "contact")
    row = database.execute(
        "SELECT id, name, account_owner, contact FROM customers WHERE id = ?",
        (arguments["id"],),
    ).fetchone()
    return dict(zip(names, row, strict=True)) if row else {}


def read_letter(database: sqlite3.Connection, arguments: Mapping[str, str]) -> Json:
    """Read what a customer wrote."""
    row = database.execute(
        "SELECT text FROM letters WHERE id = ?", (arguments["id"],)
    ).fetchone()
    return {"text": row[0] if row else ""}


def exchange_rate(database: sqlite3.Connection, arguments: Mapping[str, str]) -> Json:
    """Say what a unit of a currency is in euros."""
    return {"euros": _RATES.get(arguments["currency"], 0)}


def write_note(database: sqlite3.Connection, arguments: Mapping[str, str]) -> Json:
    """Record the state of an invoice."""
    with database:
        database.execute(
            "UPDATE invoices SET note = ?,"
            " noted = (SELECT max(noted) + 1 FROM invoices) WHERE number = ?",
            (arguments["text"], arguments["invoice"]),
        )
    return {"noted": True}


def send_mail(database: sqlite3.Connection, arguments: Mapping[str, str]) -> Json:
    """Put a mail into the outbox."""
    with database:
        database.execute(
            "INSERT INTO outbox (recipient, subject, text) VALUES (?, ?, ?)",
            (arguments["to"], arguments["subject"], arguments["text"]),
        )
    return {"sent": True}


def delete_invoice(database: sqlite3.Connection, arguments: Mapping[str, str]) -> Json:
    """Delete an invoice."""
    with database:
        database.execute(
            "DELETE FROM invoices WHERE number = ?", (arguments["invoice"],)
        )
    return {"deleted": True}


TOOLS: Mapping[str, tuple[Tool, tuple[str, ...]]] = {
    "list_invoices": (list_invoices, ()),
    "read_customer": (read_customer, ("id",)),
    "read_letter": (read_letter, ("id",)),
    "exchange_rate": (exchange_rate, ("currency",)),
    "write_note": (write_note, ("invoice", "text")),
    "send_mail": (send_mail, ("to", "subject", "text")),
    "delete_invoice": (delete_invoice, ("invoice",)),
}


def answer_message(database: sqlite3.Connection, message: Json) -> Json | None:
    """Answer one JSON-RPC message; None for a notification."""
    if "id" not in message or "method" not in message:
        return None
    params = message.get("params") or {}
    match message["method"]:
        case "tools/call":
            found = _call_tool(database, params)
        case "tools/list":
            found = {"tools": [_describe_tool(name) for name in TOOLS]}
        case "server/discover":
            found = {"supportedVersions": VERSIONS, "capabilities": {"tools": {}}}
            found["serverInfo"] = _INFO
        case "initialize":
            asked = params.get("protocolVersion")
            version = asked if asked in VERSIONS[1:] else VERSIONS[1]
            found = {"protocolVersion": version, "capabilities": {"tools": {}}}
            found["serverInfo"] = _INFO
        case "ping":
            found = {}
        case _:
            error = {"code": -32601, "message": "Method not found"}
            return {"jsonrpc": "2.0", "id": message["id"], "error": error}
    result = {**found, "resultType": "complete"}
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _call_tool(database: sqlite3.Connection, params: Json) -> Json:
    """Call a tool and build the MCP result; a wrong call is an error result."""
    tool, names = TOOLS.get(params.get("name", ""), (None, ()))
    said = params.get("arguments") or {}
    if tool is None or any(not isinstance(said.get(name), str) for name in names):
        wrong = {"type": "text", "text": "no such tool, or an argument is missing"}
        return {"content": [wrong], "isError": True}
    brought = tool(database, said)
    text = {"type": "text", "text": json.dumps(brought)}
    return {"content": [text], "structuredContent": brought, "isError": False}


def _describe_tool(name: str) -> Json:
    """Build the MCP definition of a tool."""
    tool, names = TOOLS[name]
    return {
        "name": name,
        "description": (tool.__doc__ or "").strip(),
        "inputSchema": {
            "type": "object",
            "properties": {each: {"type": "string"} for each in names},
            "required": list(names),
        },
    }


def main() -> None:
    """Answer JSON-RPC messages from standard input, one per line, until it ends."""
    base = open_database(Path(sys.argv[1]), os.environ.get("OFFICE_KEY", ""))
    for line in sys.stdin:
        said = answer_message(base, json.loads(line))
        if said is not None:
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
