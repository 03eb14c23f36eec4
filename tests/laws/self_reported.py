"""Everything that somebody could have written of themselves, in one table.

`TABLE` is what the law of intent varies, adds and removes: no word of it may open
anything. `JUDGED` is the rest of what the readers read, each with the reason for which
it takes part. A house test holds the two complete against the readers: a new field,
member, claim or header has to be put in either.
"""

from dataclasses import dataclass
from enum import Enum

from answerable.gateway.wire.fast_message_parser import (
    ExpectedCall,
    _ToolCall,
    _ToolCallParams,
)
from answerable.gateway.wire.mcp_request_head import McpRequestHead
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import AuthorizationRequest
from answerable.model.token_claims import DpopProof, SignedClaims
from answerable.server.connection_info import ConnectionInfo, UnixPeer
from answerable.server.mcp.call import McpCall, WatchedItem
from answerable.server.mcp.messages import JsonRpcMessage
from answerable.server.wire.request_head import HttpRequestHead


class Where(Enum):
    """Where something is said."""

    FIELD = "a field of the head"
    META = "a member of `_meta`"
    PARAM = "a member of `params`"
    TOP = "a member of the message"
    INITIALIZE = "a member of `params` of initialize"
    CLAIM = "a claim of another issuer's token"
    OURS = "a claim of our own token that no reader asks for"
    PROOF = "a claim of a DPoP proof"
    ITEM = "a member of an item of a server's list"
    RESULT = "a member of a server's result"
    SPELLING = "how JSON is spelled"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that is said.

    Attributes:
        what: In the words of the threat model, where it has some.
        where: Where it is said.
        names: Names that it is said under; a hyphen at the end stands for any.
        costs: A wrong one is refused; it opens nothing all the same.
    """

    what: str
    where: Where
    names: tuple[str, ...]
    costs: bool = False


TABLE = (
    # HTTP.
    Said("user agent", Where.FIELD, ("User-Agent",)),
    Said("baggage", Where.FIELD, ("Baggage",)),
    Said("trace", Where.FIELD, ("Traceparent", "Tracestate")),
    Said(
        "X-Forwarded-*, and who else says who came before",
        Where.FIELD,
        (
            *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
            *("X-Forwarded-User", "X-Forwarded-Client-Cert", "X-Real-Ip"),
            *("Forwarded", "Via", "True-Client-Ip"),
        ),
    ),
    Said(
        "certificates and identities in fields",
        Where.FIELD,
        (
            *("Client-Cert", "Client-Cert-Chain", "X-Client-Cert", "X-Ssl-Client-Dn"),
            *("X-Amzn-Oidc-Identity", "X-Goog-Authenticated-User-Email", "Remote-User"),
        ),
    ),
    Said(
        "any unknown field",
        Where.FIELD,
        (
            *("X-Agent", "X-Agent-Id", "X-Person", "X-Role", "X-Reason", "X-Intent"),
            *("X-Priority", "X-Admin", "X-Mode", "X-Policy", "X-Answerable-Decision"),
            *("From", "Referer", "Cookie", "Accept-Language", "Idempotency-Key"),
            *("Sec-Fetch-Site", "X-Http-Method-Override", "X-Request-Id"),
        ),
    ),
    Said("Last-Event-ID", Where.FIELD, ("Last-Event-Id",)),
    Said(
        "Mcp-* beyond what mirrors",
        Where.FIELD,
        ("Mcp-Param-", "Mcp-Agent", "Mcp-Client", "Mcp-Reason", "Mcp-Trust"),
    ),
    Said("Mcp-* that mirror", Where.FIELD, ("Mcp-Method", "Mcp-Name"), costs=True),
    Said("session id", Where.FIELD, ("Mcp-Session-Id",), costs=True),
    Said("Origin", Where.FIELD, ("Origin",), costs=True),
    Said("Accept", Where.FIELD, ("Accept",), costs=True),
    Said("Content-Type", Where.FIELD, ("Content-Type",), costs=True),
    Said("Content-Encoding", Where.FIELD, ("Content-Encoding",), costs=True),
    Said("Connection", Where.FIELD, ("Connection",), costs=True),
    # JSON-RPC and MCP.
    Said("id", Where.TOP, ("id",)),
    Said("any unknown member", Where.TOP, ("reason", "agent", "_meta", "auth")),
    Said("clientInfo", Where.META, ("io.modelcontextprotocol/clientInfo",)),
    Said(
        "capabilities",
        Where.META,
        ("io.modelcontextprotocol/clientCapabilities",),
        costs=True,
    ),
    Said("_meta: progressToken", Where.META, ("progressToken",)),
    Said(
        "_meta: baggage and trace", Where.META, ("baggage", "traceparent", "tracestate")
    ),
    Said("_meta: log level", Where.META, ("io.modelcontextprotocol/logLevel",)),
    Said(
        "_meta: any other",
        Where.META,
        (
            *("com.example/agent", "com.example/person", "com.example/approved"),
            *("answerable/decision", "answerable/agent", "identity", "role", "mode"),
        ),
    ),
    Said(
        "host-passed prompts",
        Where.META,
        ("com.example/prompt", "com.example/userMessage", "com.example/reasoning"),
    ),
    Said(
        "any unknown parameter",
        Where.PARAM,
        (
            *("title", "description", "reason", "intent", "agent", "person", "said"),
            *("prompt", "annotations", "onBehalfOf", "justification", "cursor"),
        ),
    ),
    Said("task augmentation", Where.PARAM, ("task",)),
    Said("what an input was answered with", Where.PARAM, ("inputResponses",)),
    Said("requestState of nobody", Where.PARAM, ("requestState",), costs=True),
    Said("argument of a completion", Where.PARAM, ("argument", "context")),
    Said("clientInfo of a session", Where.INITIALIZE, ("clientInfo",)),
    Said("capabilities of a session", Where.INITIALIZE, ("capabilities",)),
    Said("white space, order, escapes", Where.SPELLING, ("white", "order", "escapes")),
    # Tokens.
    Said("RoleSessionName", Where.CLAIM, ("role_session_name", "session_name")),
    Said(
        "session and request tags",
        Where.CLAIM,
        ("https://aws.amazon.com/tags", "principal_tags"),
    ),
    Said(
        "who another issuer says is acting, and for whom",
        Where.CLAIM,
        ("act", "may_act", "answerable", "on_behalf_of", "entity"),
    ),
    Said(
        "claims that no reader asks for",
        Where.CLAIM,
        (
            *("role", "roles", "groups", "scope", "purpose", "reason", "email", "name"),
            *("admin", "acr", "amr", "azp", "client_name", "person"),
        ),
    ),
    Said("client_id", Where.CLAIM, ("client_id",)),
    Said("times", Where.CLAIM, ("iat", "nbf"), costs=True),
    Said("claims of ID tokens", Where.CLAIM, ("nonce",), costs=True),
    Said(
        "the same of our own tokens",
        Where.OURS,
        ("role", "reason", "purpose", "groups", "said", "name", "scope", "client_id"),
    ),
    Said("DPoP jti", Where.PROOF, ("jti",)),
    Said("claims of a proof", Where.PROOF, ("agent", "reason", "sub", "iss")),
    # Servers.
    Said("tool descriptions", Where.ITEM, ("description", "title", "icons")),
    Said(
        "annotations",
        Where.ITEM,
        ("annotations", "_meta", "inputSchema", "outputSchema", "execution"),
    ),
    Said(
        "instructions", Where.RESULT, ("instructions", "serverInfo", "_meta", "ttlMs")
    ),
)

_CARRIES = "carries what stands in the other structs"
# What takes part, and why. A field of a struct that is `said` may hold what the table
# names, and the law shows that it goes no further.
JUDGED: dict[type, dict[str, str]] = {
    HttpRequestHead: {
        "method": "HTTP method: what is asked for",
        "target": "the server that is asked",
        "fields": "said: all but Authorization, DPoP and Host",
        "length": "framing",
        "expects": "framing",
        "closes": "framing",
    },
    McpRequestHead: {
        "head": _CARRIES,
        "length": "framing",
        "described": "metadata, for anybody",
        "onward": "said: to the server, never to the decision",
        "plain": _CARRIES,
    },
    ExpectedCall: {
        "era": "revision: how the rest is read",
        "server": "the server that is asked",
        "name": "has to be the body's",
        "session": "said: bound to its caller, or unknown",
    },
    _ToolCall: {
        "jsonrpc": "has to be 2.0",
        "id": "said",
        "method": "the act",
        "params": _CARRIES,
    },
    _ToolCallParams: {"name": "the act", "arguments": "the act", "meta": "said"},
    JsonRpcMessage: {
        "kind": "the act",
        "id": "said",
        "method": "the act",
        "params": "the act in some, said in others: see MEMBERS",
        "result": "what an input was answered with: said",
        "error": "likewise",
    },
    McpCall: {
        "era": "revision: which methods there are",
        "kind": "the act",
        "method": "the act",
        "id": "said",
        "server": "the act",
        "target": "the act",
        "name": "the act",
        "about": "the act: which request is cancelled; has to be its own",
        "watched": "the act",
        "arguments": "the act",
        "session": "said: bound to its caller, or unknown",
        "state": "said: bound to its caller, or held back",
        "answers": "said",
    },
    WatchedItem: {"target": "the act", "name": "the act"},
    ConnectionInfo: {
        "certificate": "TLS",
        "peer": "the kernel",
        "tls": "TLS",
        "url": "the configuration",
        "network": "the kernel",
    },
    UnixPeer: {
        "pid": "the kernel",
        "uid": "the kernel",
        "gid": "the kernel",
        "unit": "the kernel",
        "start": "the kernel",
    },
    SignedClaims: {
        "token_type": "what it was verified as",
        "issuer": "pinned",
        "iss": "pinned",
        "sub": "whom the issuer vouches for",
        "aud": "has to be ours",
        "exp": "when it ends",
        "iat": "said: a wrong one costs",
        "nbf": "said: a wrong one costs",
        "jti": "the issuer's: names a run that a kill may name",
        "client_id": "said",
        "scope": "said",
        "cnf": "the key that is shown",
        "act": "of our own tokens; said in all others",
        "kid": "which pinned key",
        "alg": "has to be the key's",
        "leaves": "of our own tokens: the delegation; said in all others",
        "unchecked": "said",
        "token_sha256": "evidence",
        "payload_sha256": "names the token that is used up",
    },
    DpopProof: {
        "jkt": "the key that is shown",
        "jti": "said: good once",
        "iat": "when it was made",
        "expires": "when it ends",
    },
    VerifiedCaller: {
        "agent": "of the claims, or the kernel",
        "known": "the inventory",
        "person": "of our own tokens",
        "run": "of our own tokens, or the issuer's jti, or the kernel",
        "shown": "how it is known",
        "principal": "of the claims, or the kernel",
        "token_sha256": "evidence",
        "expires": "of the claims",
        "chain": "of our own tokens",
    },
    AuthorizationRequest: {
        "agent": "of the caller",
        "known": "of the caller",
        "server": "the act",
        "action": "the act",
        "target": "the act",
        "name": "the act",
        "run": "of the caller",
        "principal": "of the caller",
        "person": "of the caller",
        "identity": "the configuration, and the caller's agent",
        "chain": "of the caller",
        "arguments": "the act",
    },
}

# Members of a message that a reader looks for, less those of the table.
MEMBERS = {
    "jsonrpc": "has to be 2.0",
    "method": "the act",
    "params": "holds the rest",
    "result": "what an input was answered with",
    "error": "likewise",
    "arguments": "the act",
    "name": "the act",
    "uri": "the act",
    "ref": "the act",
    "type": "of a ref",
    "notifications": "the act: what a stream is to bring",
    "resourceSubscriptions": "the act",
    "taskIds": "the act",
    "taskId": "the act: has to be its own",
    "requestId": "the act: has to be its own",
    "progressToken": "the act of notifications/progress; said in `_meta`",
    "protocolVersion": "revision",
    "io.modelcontextprotocol/protocolVersion": "revision; has to be the head's",
}

# Fields of a head that something looks at, less those of the table.
FIELDS = {
    "authorization": "what the caller shows",
    "dpop": "what the caller shows",
    "host": "has to be ours",
    "mcp-protocol-version": "revision",
    "content-length": "framing",
    "transfer-encoding": "framing",
    "expect": "framing",
    "www-authenticate": "a server on what it was shown: that is got anew",
}
