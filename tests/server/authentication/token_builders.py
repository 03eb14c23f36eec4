"""Callers to test with: a configuration, tokens that hold for it, and their proofs."""

import hashlib
import itertools
from pathlib import Path
from typing import Any

from answerable.federation.strict_json import encode_base64url
from answerable.model.config import (
    CallerRule,
    Config,
    DeclaredAgent,
    IssuerConfig,
    ListenAddress,
    ListenConfig,
    StdioCallerRule,
    TokenCallerRule,
    UnixCallerRule,
)
from answerable.model.decision import EnforcementMode
from answerable.model.ids import AgentId, build_agent_id
from answerable.model.worker_limits import WorkerLimits
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.connection_info import ConnectionInfo, UnixPeer
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.wire.request_head import HttpRequestHead
from tests.authority import self_signed
from tests.federation.sample_tokens import (
    AUD,
    EC,
    ED,
    NOW,
    Key,
    claims,
    document,
    header,
    issuer,
    public,
    sign,
)
from tests.gateway.request_builders import head

SECRET = bytes(range(32))
URL = "https://gw.example"
TARGET = "/mcp/weather"
TCP = ConnectionInfo(tls=True, url=URL)
PEER = UnixPeer(pid=4321, uid=1001, gid=1001, unit="invoices.service", start=99)
CERTIFICATE = self_signed("one process", NOW - 3600, NOW + 3600)
OTHER_CERTIFICATE = self_signed("another process", NOW - 3600, NOW + 3600)
LATER = NOW + 1000  # when nonces are no longer asked for

DECLARED = build_agent_id("declared", "invoices")
CALLERS: tuple[CallerRule, ...] = (
    TokenCallerRule("corp", "svc-invoices"),
    UnixCallerRule(1001, None, "invoices.service"),
    StdioCallerRule("weather"),
)


def agent(name: str, *callers: CallerRule) -> DeclaredAgent:
    id = build_agent_id("declared", name)
    return DeclaredAgent(
        id, name, "ana@example.com", EnforcementMode.ENFORCE, callers, ()
    )


def config(*issuers: IssuerConfig, agents: tuple[DeclaredAgent, ...] = ()) -> Config:
    return Config(
        place="answerable.yaml",
        digest="",
        store="",
        state="",
        listen=ListenConfig(ListenAddress("127.0.0.1", 0), (), 1),
        issuers=issuers,
        servers=(),
        default_mode=EnforcementMode.ENFORCE,
        agents=agents or (agent("invoices", *CALLERS),),
        limits=WorkerLimits(),
        otlp="",
    )


def pinned(keys: str | Path, *, bearer: bool = False, **pin: Any) -> IssuerConfig:
    return IssuerConfig(issuer(**pin), AUD, str(keys), bearer, private=True)


def key_file(folder: Path, *keys: object) -> Path:
    path = folder / "jwks.json"
    path.write_bytes(document(*(keys or (public(EC, kid="k1"),))))
    return path


def callers(
    folder: Path,
    *,
    since: float = NOW - 1000,
    bearer: bool = False,
    inventory: frozenset[AgentId] = frozenset(),
    agents: tuple[DeclaredAgent, ...] = (),
    **pin: Any,
) -> CallerAuthenticator:
    """Callers of one issuer, whose process has been there for a while."""
    told = config(pinned(key_file(folder), bearer=bearer, **pin), agents=agents)
    keys = IssuerKeyCache(told.issuers)
    return CallerAuthenticator(
        told, keys, lambda: since, secret=SECRET, inventory=inventory
    )


def thumbprint(key: Key) -> str:
    return key.thumbprint()


def bound(key: Key = ED, **changes: object) -> str:
    """A token bound to a DPoP key."""
    return token(cnf={"jkt": thumbprint(key)}, **changes)


def certified(certificate: bytes = CERTIFICATE, **changes: object) -> str:
    """A token bound to a client certificate."""
    digest = encode_base64url(hashlib.sha256(certificate).digest())
    return token(cnf={"x5t#S256": digest}, **changes)


def token(**changes: object) -> str:
    return sign(header(), claims(**{"sub": "svc-invoices"} | changes))


_COUNT = itertools.count()


def proof(text: str, key: Key = ED, **changes: object) -> str:
    """A fresh proof for a token."""
    facts: dict[str, object] = {
        "htm": "POST",
        "htu": URL + TARGET,
        "iat": NOW,
        "jti": f"proof-{next(_COUNT)}",
        "ath": encode_base64url(hashlib.sha256(text.encode()).digest()),
    }
    alg = "EdDSA" if key is ED else "ES256"
    said = {"typ": "dpop+jwt", "alg": alg, "jwk": public(key)}
    kept = {name: v for name, v in (facts | changes).items() if v is not ...}
    return sign(said, kept, key, alg)


def showing(
    text: str, scheme: str = "Bearer", *, dpop: str | None = None, **others: str
) -> HttpRequestHead:
    """The head of a request with a token."""
    spelled = {name.replace("_", "-"): value for name, value in others.items()}
    return head({"Authorization": f"{scheme} {text}", "DPoP": dpop} | spelled)


def proven(text: str, key: Key = ED, **changes: object) -> HttpRequestHead:
    return showing(text, "DPoP", dpop=proof(text, key, **changes))
