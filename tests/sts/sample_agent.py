"""An agent that `answerable run` starts: it has no key until it makes one.

    python -m tests.sts.sample_agent GATEWAY STS_URL TOOL [TICKET]

It asks the token service for a token, over the socket that it was told of, calls a tool
through the gateway, and starts a sub-agent, which gets a ticket and calls another tool.
With "-" for a ticket it is that sub-agent: it prints its key's thumbprint and reads its
ticket. Each prints what it was answered, one JSON a line.
"""

import hashlib
import json
import os
import secrets
import subprocess
import sys
import time

from joserfc.jwk import ECKey

from answerable.federation.strict_json import encode_base64url
from tests.federation.sample_tokens import public, sign
from tests.sts.raw_http_client import RawHttpClient, RawReply

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
AT_GATEWAY = "https://gateway.example"


class SampleAgent:
    """What it has: a key, in memory alone."""

    def __init__(self, gateway: str, url: str) -> None:
        self.gateway, self.url = gateway, url
        self.key = ECKey.generate_key("P-256")
        self.sts = "unix:" + os.environ["ANSWERABLE_STS"]

    def proof(self, url: str, token: str = "", nonce: str = "") -> str:
        """Show the key, for one request."""
        payload = {
            "jti": secrets.token_hex(8),
            "htm": "POST",
            "htu": url,
            "iat": int(time.time()),
        }
        if token:
            payload["ath"] = encode_base64url(hashlib.sha256(token.encode()).digest())
        if nonce:
            payload["nonce"] = nonce
        head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": public(self.key)}
        return sign(head, payload, self.key)

    def token(self, ticket: str = "") -> str:
        """Get a token for the gateway."""
        kind = "urn:answerable:token-type:" + ("ticket" if ticket else "peer")
        form = {
            "grant_type": EXCHANGE,
            "subject_token_type": kind,
            "audience": AT_GATEWAY,
            **({"subject_token": ticket} if ticket else {}),
        }
        with RawHttpClient.to(self.sts) as wire:
            shown = {"DPoP": self.proof(self.url + "/token")}
            reply = wire.form("/token", form, shown)
            if reply.status == 400 and "dpop-nonce" in reply.fields:
                nonce = reply.fields["dpop-nonce"]
                shown = {"DPoP": self.proof(self.url + "/token", nonce=nonce)}
                reply = wire.form("/token", form, shown)
        assert reply.status == 200, reply
        return str(reply.json["access_token"])

    def call(self, token: str, tool: str) -> RawReply:
        """Call a tool through the gateway."""
        path = "/mcp/tickets"
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "a", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": tool, "arguments": {}, "_meta": meta}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        fields = {
            "Authorization": f"DPoP {token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        body, url = json.dumps(message).encode(), self.gateway + path
        with RawHttpClient.to(self.gateway) as wire:
            proven = fields | {"DPoP": self.proof(url, token)}
            reply = wire.ask("POST", path, body, proven)
            if nonce := reply.fields.get("dpop-nonce", ""):
                proven = fields | {"DPoP": self.proof(url, token, nonce)}
                reply = wire.ask("POST", path, body, proven)
        return reply

    def delegate(self, token: str, jkt: str) -> str:
        """Hand a part of what it may to the sub-agent."""
        asked = {"agent": "agent:declared/sub", "jkt": jkt, "audiences": [AT_GATEWAY]}
        asked["audiences"] += ["https://tickets.example"]
        with RawHttpClient.to(self.sts) as wire:
            fields = {"Authorization": f"DPoP {token}"}
            url = self.url + "/delegate"
            shown = fields | {"DPoP": self.proof(url, token)}
            reply = wire.ask("POST", "/delegate", json.dumps(asked).encode(), shown)
            if nonce := reply.fields.get("dpop-nonce", ""):
                shown = fields | {"DPoP": self.proof(url, token, nonce)}
                reply = wire.ask("POST", "/delegate", json.dumps(asked).encode(), shown)
        assert reply.status == 201, reply
        return str(reply.json["ticket"])


def said(reply: RawReply) -> None:
    """Print an answer."""
    body = reply.json if reply.body else dict(reply.fields)
    print(json.dumps({"status": reply.status, "body": body}), flush=True)


def main() -> None:
    """Be the agent, or its sub-agent; go on calling as long as lines come in."""
    gateway, url, tool, *ticket = sys.argv[1:]
    agent = SampleAgent(gateway, url)
    if ticket:
        print(agent.key.thumbprint(), flush=True)
        token = agent.token(sys.stdin.readline().strip())
        said(agent.call(token, tool))
        return
    token = agent.token()
    said(agent.call(token, tool))
    words = [sys.executable, "-m", "tests.sts.sample_agent", gateway, url, "close", "-"]
    child = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(agent.delegate(token, child.stdout.readline().strip()) + "\n")
    child.stdin.flush()
    print(child.stdout.readline().strip(), flush=True)
    child.stdout.close()
    child.stdin.close()
    child.wait()
    for line in sys.stdin:
        said(agent.call(token, line.strip()))


if __name__ == "__main__":
    main()
