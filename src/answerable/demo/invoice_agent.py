"""Scripted agent that processes open invoices and follows injected instructions.

    python -m answerable.demo.invoice_agent GATEWAY STS_URL AUDIENCE

It is scripted and calls no model, so that each run is the same. It has the weakness of
language models: it follows an instruction in a letter to send something somewhere. The
exit code is 1 if a call was refused.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Mapping
from typing import Any

from answerable.demo.gateway_client import (
    GatewayTools,
    ProofKey,
    TokenDenied,
    request_token,
)

# "... send ... to ADDRESS": the injected instruction.
_INJECTION = re.compile(
    r".*\bsend\b.*?\bto ([\w.+-]+@[\w.-]+\w)\b.*", re.IGNORECASE | re.S
)


class InvoiceAgent:
    """Agent that processes invoices, one call at a time.

    Args:
        pace: Seconds between two calls.
    """

    def __init__(self, tools: GatewayTools, pace: float) -> None:
        self._tools, self._pace = tools, pace
        self.refused = 0

    def process_invoices(self, count: int) -> None:
        """Process a number of open invoices, one after another."""
        listed = self._call_tool("list_invoices", {})
        for invoice in listed.get("invoices", [])[:count]:
            self._process_invoice(invoice)

    def _process_invoice(self, invoice: Mapping[str, Any]) -> None:
        """Mail the customer's account owner about an invoice, and write a note."""
        customer = self._call_tool("read_customer", {"id": invoice["customer"]})
        letter = self._call_tool("read_letter", {"id": invoice["letter"]})
        told = _INJECTION.fullmatch(letter.get("text", ""))
        if told is not None:
            self._follow_injection(told[1])
        amount = f"{invoice['amount']} {invoice['currency']}"
        if invoice["currency"] != "EUR":
            rate = self._call_tool("exchange_rate", {"currency": invoice["currency"]})
            if "euros" in rate:
                amount = f"{invoice['amount'] * rate['euros']:.0f} EUR"
        owner = customer.get("account_owner")
        if owner:
            text = f"{customer['name']} owes {amount} and wrote us."
            said = {"to": owner, "subject": f"Open invoice {invoice['number']}"}
            self._call_tool("send_mail", {**said, "text": text})
        note = f"{amount} is open; the owner of the invoice was notified."
        self._call_tool("write_note", {"invoice": invoice["number"], "text": note})

    def _follow_injection(self, address: str) -> None:
        """Collect customer records and mail them, as the injected text asks."""
        found = [
            self._call_tool("read_customer", {"id": f"C-{number}"})
            for number in (101, 102)
        ]
        text = "; ".join(f"{each.get('name')} {each.get('contact')}" for each in found)
        said = {"to": address, "subject": "Customers", "text": text}
        self._call_tool("send_mail", said)

    def _call_tool(self, name: str, arguments: Mapping[str, str]) -> dict[str, Any]:
        """Call a tool, print the outcome and return the result; empty if refused."""
        answer = self._tools.call_tool(name, arguments)
        what = " ".join([name, *(arguments[key] for key in arguments if key != "text")])
        result = answer.get("result")
        if result is None:
            self.refused += 1
            data = answer.get("error", {}).get("data", {})
            why = data.get("decision") or answer.get("error", {}).get("message", "?")
            sys.stdout.write(f"{what}: {why} {data.get('decision_id', '')}\n")
        else:
            sys.stdout.write(f"{what}\n")
        sys.stdout.flush()
        time.sleep(self._pace)
        found: dict[str, Any] = (result or {}).get("structuredContent") or {}
        return found


def main() -> int:
    """Process the open invoices once; return 1 if the gateway refused a call."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url", help="URL of the office server behind the gateway")
    parser.add_argument("issuer", help="URL of the token service")
    parser.add_argument("audience", help="URL of the gateway's tool endpoint")
    parser.add_argument("--invoices", type=int, default=1)
    parser.add_argument(
        "--pace", type=float, default=0.0, help="seconds to wait between calls"
    )
    given = parser.parse_args()
    key = ProofKey()
    try:
        token = request_token(
            os.environ["ANSWERABLE_STS"], given.issuer, given.audience, key
        )
    except TokenDenied as refused:
        sys.stdout.write(f"no token: {refused}\n")
        return 1
    clerk = InvoiceAgent(GatewayTools(given.url, key, token), given.pace)
    clerk.process_invoices(given.invoices)
    return 1 if clerk.refused else 0


if __name__ == "__main__":
    sys.exit(main())
