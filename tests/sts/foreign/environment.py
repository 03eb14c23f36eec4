"""What foreign clients meet: two token services, and an issuer that is not ours.

    with staged(folder) as stage:
        stage.plain    # http on loopback
        stage.secure   # https, with an authority of its own; takes client certificates
        stage.foreign  # npm oidc-provider, https, with that authority

Each service takes the tokens of the test's platform (`ci`). The plain one finds the keys
of the foreign issuer, and those of the secure one, which gives it ID-JAGs, by discovery.
"""

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from answerable.model.config import IssuerConfig
from answerable.model.token_claims import TokenType, TrustedIssuer
from tests.authority import Authority, Issued
from tests.sts.foreign.browser_sign_in import by_browser
from tests.sts.foreign.issuer import ForeignIssuer, issuer
from tests.sts.foreign.user_agent import UserAgent
from tests.sts.running_service import (
    ANA,
    FILES,
    MAIL,
    ROOT,
    RunningService,
    free_port,
    own_store,
)

MCP = "https://mcp.example/mcp"  # takes bearer tokens: its clients know no others
PERSON = "ana@example.com"
JOB_WITH_CERTIFICATE = "44"

_RULES = f"""
  - id: ci-root
    issuer: ci
    match: {{job: "42"}}
    agent: {ROOT}
    grants:
      - {{audience: {MCP}, scopes: [tools:read, tools:deploy], ttl: 5m, bind: bearer}}
      - {{audience: {MAIL}, scopes: [send, introspect], ttl: 5m}}
      - {{audience: OTHER, gives: id-jag, ttl: 5m, bind: bearer}}
    on_behalf_of: [ON_BEHALF]
  - id: ci-certificate
    issuer: ci
    match: {{job: "{JOB_WITH_CERTIFICATE}"}}
    agent: {ROOT}
    grants: [{{audience: {FILES}, scopes: [read], ttl: 10m, bind: mtls}}]
"""
_ELSEWHERE = f"""
  - id: foreign-job
    issuer: provider
    match: {{client_id: ci-job}}
    agent: {ROOT}
    grants: [{{audience: {MCP}, scopes: [tools:read], ttl: 5m, bind: bearer}}]
  - id: across
    issuer: elsewhere
    match: {{sub: {ROOT}}}
    agent: {ROOT}
    grants: [{{audience: {MCP}, scopes: [tools:read], ttl: 5m, bind: bearer}}]
"""


@dataclass(frozen=True, slots=True)
class ForeignEnvironment:
    """Everything that runs.

    Attributes:
        plain: A token service over http.
        secure: One over https.
        foreign: The issuer.
        ca: File with who signs certificates here.
        client: A client's certificate.
    """

    plain: RunningService
    secure: RunningService
    foreign: ForeignIssuer
    ca: Path
    client: Issued

    def id_token(self) -> str:
        """Have a person sign in at the foreign issuer, for the plain service."""
        types = (TokenType.ID_TOKEN,)
        pin = TrustedIssuer("provider", self.foreign.url, ("ES256",), types, 3600)
        at = IssuerConfig(
            pin,
            self.plain.url,
            "discovery",
            bearer=True,
            person="email",
            private=True,
            ca=str(self.ca),
        )
        logged_in, _ = by_browser(at, PERSON, UserAgent(self.foreign.tls))
        return logged_in.id_token


@contextlib.contextmanager
def run_environment(folder: Path) -> Iterator[ForeignEnvironment]:
    """Run all of it until the block ends."""
    authority = Authority(folder)
    ca, server = authority.root.certificate, authority.issue("server")
    plain_port, secure_port = free_port(), free_port()
    options = {"certificate": str(server.certificate), "key": str(server.key)}
    options["client"] = f"http://127.0.0.1:{plain_port}"
    with contextlib.ExitStack() as stack:
        foreign = stack.enter_context(issuer(**options))
        foreign.tls = ssl.create_default_context(cafile=str(ca))
        secure = RunningService(
            folder / "secure",
            secure_port,
            _rules(options["client"], "idp"),
            tls=f"{{certificate: {server.certificate}, key: {server.key}, client_ca: {ca}}}",
        )
        plain = RunningService(
            folder / "plain",
            plain_port,
            _rules(secure.url, "provider") + _ELSEWHERE,
            issuers=_found("provider", foreign.url, options["client"], ca)
            + "    tokens: [access-token, id-token]\n    person: email\n"
            + _found("elsewhere", secure.url, options["client"], ca)
            + "    tokens: [id-jag]\n    jti: required\n",
        )
        for world in (secure, plain):
            stack.enter_context(_running(world))
        yield ForeignEnvironment(plain, secure, foreign, ca, authority.issue("client"))


def _rules(other: str, on_behalf: str) -> str:
    return _RULES.replace("OTHER", other).replace("ON_BEHALF", on_behalf)


def _found(name: str, iss: str, audience: str, ca: Path) -> str:
    """Pin an issuer on this machine whose keys are found by its own metadata."""
    return f"""\
  {name}:
    iss: {iss}
    audience: {audience}
    keys: discovery
    private: true
    ca: {ca}
    bearer: true
"""


@contextlib.contextmanager
def _running(world: RunningService) -> Iterator[None]:
    world.folder.mkdir()
    own_store(world.store, {ROOT: ANA})
    world.write()
    world.start()
    assert not world.told("policy.missing"), world.errors.read_text()
    try:
        yield
    finally:
        if world.process is not None:
            world.stop()
