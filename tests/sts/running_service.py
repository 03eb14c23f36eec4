"""A whole token service: store, owners, issuers, configuration, and a real process."""

import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from answerable.evidence.signed_note import derive_verifier_key
from answerable.federation.jwk_set import parse_key_set
from answerable.federation.strict_json import encode_base64url
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    verify_token,
)
from answerable.model.ids import AgentId, build_person_id
from answerable.model.inventory import SightedFacts
from answerable.model.owner_signing_key import build_owner_key_id
from answerable.model.sighting import Sync
from answerable.model.token_claims import SignedClaims, TokenType, TrustedIssuer
from answerable.services.inventory import snapshots
from answerable.services.statements import key_enrolment
from answerable.services.statements.owner_keys import LocalSigner
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory import ownership
from tests.federation.sample_tokens import public, sign
from tests.inventory.fact_builders import DAY, agent, human
from tests.inventory.stored_scans import save
from tests.sts.raw_http_client import RawHttpClient, RawReply

SECONDS = 120  # only a busy machine takes as long
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT = TokenType.JWT.value
ACCESS = TokenType.ACCESS_TOKEN.value
ID_TOKEN = TokenType.ID_TOKEN.value
CI, IDP = "https://ci.example", "https://idp.example"
FILES, MAIL = "https://files.example", "https://mail.example"
ROOT, SUB, LEAF = (
    AgentId(f"agent:declared/{name}") for name in ("root", "sub", "leaf")
)
STOPPED = AgentId("agent:declared/stopped")
ANA, BEN = build_person_id("ana@corp.example"), build_person_id("ben@corp.example")

CI_KEY = ECKey.generate_key("P-256")
IDP_KEY = ECKey.generate_key("P-256")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def own_store(root: Path, owned: Mapping[AgentId, str]) -> None:
    """Make a store in which these agents have attested owners."""
    now = time.time_ns()
    seed = hashlib.sha256(b"ana").digest()
    key = LocalSigner(derive_verifier_key("key", seed).raw, seed)
    agents = (ROOT, SUB, LEAF, STOPPED)
    persons = tuple(human(p.removeprefix("person:"), "p") for p in (ANA, BEN))
    facts = SightedFacts(
        agents=tuple(agent(each.removeprefix("agent:")) for each in agents),
        persons=persons,
    )
    with EvidenceStore.open(root, now=now) as store:
        save(store, [Sync("people:p", "people", now, facts)], now)
        key_enrolment.enroll_owner_key(
            store,
            key.public,
            ANA,
            valid_from=now,
            valid_until=now + 365 * DAY,
            uid=os.getuid(),
            now=now,
        )
        inventory = snapshots.load_inventory(store)
        for subject in owned:
            ownership.attest_signed(store, inventory, subject, ANA, key, now=now)


def revoke_owner(root: Path) -> None:
    """Take the owner's key away."""
    now = time.time_ns()
    with EvidenceStore.open(root, now=now) as store:
        seed = hashlib.sha256(b"ana").digest()
        key = build_owner_key_id(derive_verifier_key("key", seed).raw)
        key_enrolment.revoke_owner_key(store, key, since=1, uid=os.getuid(), now=now)


USUAL_RULES = f"""
  - id: ci-root
    issuer: ci
    match: {{job: "42"}}
    agent: {ROOT}
    grants:
      - {{audience: {FILES}, scopes: [read, write], ttl: 10m}}
      - {{audience: {MAIL}, scopes: [send, introspect], ttl: 5m}}
      - {{audience: https://open.example, bind: bearer, ttl: 5m}}
      - {{audience: https://as.other.example, gives: id-jag, ttl: 5m}}
    delegate_to: [{SUB}, {LEAF}]
    on_behalf_of: [idp]
  - id: ci-stopped
    issuer: ci
    match: {{job: "43"}}
    agent: {STOPPED}
    grants: [{{audience: {FILES}, ttl: 10m}}]
  - id: peer-sub
    unix: {{uid: {os.getuid()}}}
    root: {"true" if os.getuid() == 0 else "false"}
    agent: {SUB}
    grants: [{{audience: {FILES}, scopes: [read], ttl: 10m}}]
"""


@dataclass
class RunningService:
    """Folders and configuration of one token service.

    Attributes:
        folder: Of everything.
        port: It listens at.
        rules: YAML.
        more: Further YAML below `sts`.
        issuers: Further YAML below `issuers`.
        tls: It speaks https: YAML of its listener's `tls`.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    rules: str = USUAL_RULES
    more: str = ""
    issuers: str = ""
    tls: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def unix(self) -> str:
        return f"unix:{self.folder / 'sts.sock'}"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def config(self) -> Path:
        return self.folder / "answerable.yaml"

    @property
    def errors(self) -> Path:
        return self.folder / "stderr"

    def write(self) -> None:
        """Write the configuration and key sets."""
        for name, key in (("ci", CI_KEY), ("idp", IDP_KEY)):
            jwk = public(key, kid=f"{name}-1", use="sig", alg="ES256")
            path = self.folder / f"{name}.json"
            path.write_text(json.dumps({"keys": [jwk]}))
        self.config.write_text(
            f"""
store: {self.store}
sts:
  url: {self.url}
  state: {self.state}
  listen:
    - address: 127.0.0.1:{self.port}
      {f"tls: {self.tls}" if self.tls else ""}
    - unix: {self.folder / "sts.sock"}
{self.more}
issuers:
  ci:
    iss: {CI}
    audience: {self.url}
    algs: [ES256]
    keys: {self.folder / "ci.json"}
    tokens: [jwt, id-jag]
    jti: required
    bearer: true
  idp:
    iss: {IDP}
    audience: {self.url}
    algs: [ES256]
    keys: {self.folder / "idp.json"}
    tokens: [id-token]
    person: email
    bearer: true
{self.issuers}
rules:{self.rules}
"""
        )

    def start(self) -> None:
        """Start the process, and wait until it listens."""
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "answerable", "serve"),
                    *("--only", "sts", "--config", str(self.config)),
                ],
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self.process.stdout is not None
        for _ in range(2):
            line = self.process.stdout.readline()
            if not line:
                self.process.wait()
                raise AssertionError(self.errors.read_text())

    def stop(self, how: int = signal.SIGTERM) -> int:
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(how)
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.stdout is not None
        process.stdout.close()
        return code

    def wire(self) -> RawHttpClient:
        return RawHttpClient.to(self.url)

    def local(self) -> RawHttpClient:
        return RawHttpClient.to(self.unix)

    def reload(self) -> None:
        """Have it read the file again, and wait until it said what it thinks of it."""
        before = self.told("config.taken") + self.told("config.refused")
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + SECONDS
        while self.told("config.taken") + self.told("config.refused") == before:
            assert time.monotonic() < deadline, self.errors.read_text()
            time.sleep(0.02)

    def told(self, event: str) -> int:
        return self.errors.read_text().count(f'"event":"{event}"')


@contextmanager
def serving(folder: Path, **changes: Any) -> Iterator[RunningService]:
    """Run one token service."""
    folder.mkdir(parents=True, exist_ok=True)
    world = RunningService(folder, **changes)
    own_store(world.store, {ROOT: ANA, SUB: ANA, LEAF: ANA, STOPPED: ANA})
    world.write()
    world.start()
    try:
        yield world
    finally:
        if world.process is not None:
            world.stop()


# Tokens and proofs of clients.


def ci_token(world: RunningService, **changes: object) -> str:
    """A workload's token of the pinned issuer; `...` takes a claim away."""
    now = int(time.time())
    facts: dict[str, object] = {
        "iss": CI,
        "sub": "repo:example",
        "aud": world.url,
        "iat": now - 5,
        "exp": now + 900,
        "jti": secrets.token_hex(8),
        "job": "42",
    }
    payload = {k: v for k, v in (facts | changes).items() if v is not ...}
    return sign({"alg": "ES256", "kid": "ci-1"}, payload, CI_KEY)


def id_token(
    world: RunningService, person: str = "ben@corp.example", **changes: object
) -> str:
    now = int(time.time())
    facts: dict[str, object] = {
        "iss": IDP,
        "sub": "ben",
        "aud": world.url,
        "iat": now - 5,
        "exp": now + 900,
        "jti": secrets.token_hex(8),
        "email": person,
        "email_verified": True,
    }
    return sign({"alg": "ES256", "kid": "idp-1"}, facts | changes, IDP_KEY)


class DpopClient:
    """A client with a key of its own."""

    def __init__(self, world: RunningService) -> None:
        self.world = world
        self.key = ECKey.generate_key("P-256")

    @property
    def jkt(self) -> str:
        return self.key.thumbprint()

    def proof(self, path: str = "/token", token: str = "", **changes: object) -> str:
        payload: dict[str, object] = {
            "jti": secrets.token_hex(8),
            "htm": "POST",
            "htu": self.world.url + path,
            "iat": int(time.time()),
        }
        if token:
            payload["ath"] = encode_base64url(hashlib.sha256(token.encode()).digest())
        head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": public(self.key)}
        payload = {k: v for k, v in (payload | changes).items() if v is not ...}
        return sign(head, payload, self.key)

    def exchange(
        self,
        wire: RawHttpClient,
        subject: str,
        kind: str = JWT,
        *,
        proof: str | None = None,
        **asked: str,
    ) -> RawReply:
        """Ask for a token; `proof` is a good one unless said."""
        form = {
            "grant_type": EXCHANGE,
            "subject_token": subject,
            "subject_token_type": kind,
            "audience": FILES,
        }
        members = {k: v for k, v in (form | asked).items() if v}
        shown = self.proof() if proof is None else proof
        return wire.form("/token", members, {"DPoP": shown} if shown else {})

    def get(
        self, wire: RawHttpClient, subject: str, kind: str = JWT, **asked: str
    ) -> str:
        """Get a token, or fail."""
        reply = self.exchange(wire, subject, kind, **asked)
        assert reply.status == 200, reply
        return str(reply.json["access_token"])

    def with_token(self, token: str, path: str) -> dict[str, str]:
        return {
            "Authorization": f"DPoP {token}",
            "DPoP": self.proof(path, token),
        }

    def delegate(self, wire: RawHttpClient, token: str, **asked: object) -> RawReply:
        return wire.ask(
            "POST",
            "/delegate",
            json.dumps(asked).encode(),
            self.with_token(token, "/delegate"),
        )


def taken(
    world: RunningService, wire: RawHttpClient, token: str, audience: str = FILES
) -> SignedClaims:
    """Verify a token as its audience would, with the keys that are published."""
    keys = parse_key_set(wire.ask("GET", "/jwks").body, ("ES256",))
    pin = TrustedIssuer(
        "sts", world.url, ("ES256",), (TokenType.ACCESS_TOKEN,), 600, ours=True
    )
    issuers = IssuerIndex(IssuerWithKeys(pin, audience, keys))
    return verify_token(token, issuers, int(time.time()))
