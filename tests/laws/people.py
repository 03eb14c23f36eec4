"""Whoever may call: by tokens of two issuers, by certificate, by socket."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from answerable.federation.strict_json import encode_base64url
from answerable.server.connection_info import ConnectionInfo, UnixPeer
from tests.authority import self_signed
from tests.federation.sample_tokens import (
    EC,
    ED,
    NOW,
    OTHER_EC,
    claims,
    header,
    public,
    sign,
)

URL = "https://gateway.example"
STS = "https://sts.example"
CERTIFICATE = self_signed("one process", NOW - 3600, NOW + 3600)
PEER = UnixPeer(pid=4321, uid=1001, gid=1001, unit="invoices.service", start=99)
PARENT = UnixPeer(pid=4322, uid=1002, gid=1002, unit="", start=99)


@dataclass(frozen=True, slots=True, eq=False)
class Who:
    """Somebody who may call.

    Attributes:
        name: Of the agent.
        claims: Of its token, None where it shows none.
        key: It shows a proof.
        link: Its connection.
    """

    name: str
    claims: Mapping[str, object] | None = None
    key: bool = False
    link: ConnectionInfo = field(default_factory=lambda: ConnectionInfo(url=URL))


def _acts(*subs: str) -> dict[str, object]:
    outer, *rest = subs
    return {"sub": outer, "entity": outer} | ({"act": _acts(*rest)} if rest else {})


CHILD: Mapping[str, object] = {
    "iss": STS,
    "sub": "person:ana@example.com",
    "act": _acts("agent:declared/child", "agent:declared/root"),
    "answerable": {"dlg": "d1"},
}
BOUND = {"cnf": {"jkt": ED.thumbprint()}}
WHO = (
    Who("ana", {"sub": "ana"}),
    Who("ben", {"sub": "ben"}),
    Who("stranger", {"sub": "eve"}),
    Who("dora", {"sub": "dora"} | BOUND, key=True),
    Who("child", CHILD | BOUND, key=True),
    Who("child", CHILD),
    Who("sock", link=ConnectionInfo(peer=PEER)),
    Who(
        "cert",
        {"sub": "cert", "cnf": {"x5t#S256": ""}},
        link=ConnectionInfo(certificate=CERTIFICATE, tls=True, url=URL),
    ),
)


@cache
def token(who: Who, said: str) -> str:
    """A token of somebody, with claims beside those that count.

    Args:
        who: Whose.
        said: Those claims, as JSON.
    """
    facts = dict(who.claims or {})
    if who.name == "cert":
        digest = encode_base64url(hashlib.sha256(CERTIFICATE).digest())
        facts["cnf"] = {"x5t#S256": digest}
    ours = facts.get("iss") == STS
    usual = {"jti": f"j-{who.name}", "client_id": who.name}
    kept = claims(**(usual | json.loads(said) | facts))
    return sign(header(kid="own" if ours else "k1"), kept, OTHER_EC if ours else EC)


def proof(
    text: str, number: int, said: Mapping[str, object], verb: str, server: str
) -> str:
    """A proof that a token is its presenter's."""
    facts = {
        "htm": verb,
        "htu": f"{URL}/mcp/{server}",
        "iat": NOW,
        "jti": f"p{number}",
        "ath": encode_base64url(hashlib.sha256(text.encode()).digest()),
    }
    head = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": public(ED)}
    return sign(head, {**said, **facts}, ED, "EdDSA")
