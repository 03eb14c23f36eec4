"""What each foreign client does, and how what it got is judged: one row of the page each.

A client is a process of its own. It is told where to get what, gets a token in the way
that its library's documentation shows, and prints it. The token is then verified as its
audience would verify it, by the keys that the service publishes.
"""

import contextlib
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from answerable.federation.jwk_set import parse_key_set
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    verify_token,
)
from answerable.model.token_claims import SignedClaims, TokenType, TrustedIssuer
from answerable.store.token_state.open_state import open_token_state
from tests.sts.foreign.clients.assignment import Assignment
from tests.sts.foreign.environment import (
    JOB_WITH_CERTIFICATE,
    MCP,
    PERSON,
    ForeignEnvironment,
)
from tests.sts.foreign.issuer import NODE_HOME, ROOT, node
from tests.sts.running_service import (
    ACCESS,
    FILES,
    ID_TOKEN,
    JWT,
    MAIL,
    DpopClient,
    RunningService,
    ci_token,
)
from tests.sts.running_service import ROOT as AGENT

SECONDS = 60
LOST = 40  # seconds ago
ID_JAG = TokenType.ID_JAG.value


@dataclass(frozen=True, slots=True)
class ClientJourney:
    """One client's way to a token.

    Attributes:
        client: Name of the package that this is about.
        registry: Where that comes from: `PyPI` or `npm`.
        runs: The client's program.
        does: What it does, in the page's words.
        binding: What the token is bound to.
        told: Makes its assignment.
        secure: It goes to the service over https.
        sub: Whom the token speaks of.
        act: Who acts for them, empty where nobody does.
        gives: What it gets.
        used: It put the token to use, too.
        nonce: The service requires DPoP nonces, since its replay cache may be incomplete.
    """

    client: str
    registry: str
    runs: str
    does: str
    binding: str
    told: Callable[[ForeignEnvironment], dict[str, str]]
    secure: bool = False
    sub: str = str(AGENT)
    act: str = ""
    gives: TokenType = TokenType.ACCESS_TOKEN
    used: bool = False
    nonce: bool = False

    @property
    def id(self) -> str:
        """Names it among all."""
        marks = {"person": bool(self.act), "nonce": self.nonce}
        named = [mark for mark, is_set in marks.items() if is_set]
        return "-".join([self.client, self.binding, *named])


@dataclass(frozen=True, slots=True)
class Result:
    """What became of it.

    Attributes:
        claims: Of the token.
        kind: `token_type`, as the client saw it.
        used: The token was good for something.
    """

    claims: SignedClaims
    kind: str
    used: bool


class WrongError(Exception):
    """A client got nothing, or not what it should have got."""


def world_of(journey: ClientJourney, stage: ForeignEnvironment) -> RunningService:
    """Give the service that a client goes to."""
    return stage.secure if journey.secure else stage.plain


def run_journey(journey: ClientJourney, stage: ForeignEnvironment) -> Result:
    """Send a client on its way.

    Raises:
        WrongError: See there.
    """
    world = world_of(journey, stage)
    if journey.nonce:
        restart_with_losses(world)
    told = _assignment(journey, world, stage)
    said = _run(journey, told)
    claims = _verified(world, str(said["token"]), told["audience"], journey.gives)
    result = Result(claims, str(said["kind"]), bool(said["used"]))
    _judge(journey, result)
    return result


def restart_with_losses(world: RunningService) -> None:
    """Start a service anew, as after a loss of power: it asks for nonces for a while.

    What it remembers may have been lost until some seconds ago; what was signed since
    then is good.
    """
    world.stop()
    lost = time.time() - LOST
    with contextlib.closing(open_token_state(world.state, lost)) as control:
        control.declare_possible_loss(lost)
    world.start()
    with world.wire() as wire:
        answer = DpopClient(world).exchange(wire, ci_token(world), audience=MAIL)
    if answer.json.get("error") != "use_dpop_nonce":
        raise WrongError(f"no nonce was asked for: {answer}")


def version_of(journey: ClientJourney) -> str:
    """Give the installed version of a client."""
    if journey.registry == "PyPI":
        return importlib.metadata.version(journey.client)
    package = NODE_HOME / "node_modules" / journey.client / "package.json"
    return str(json.loads(package.read_text())["version"])


def _assignment(
    journey: ClientJourney, world: RunningService, stage: ForeignEnvironment
) -> Assignment:
    usual: Assignment = {
        "issuer": world.url,
        "subject": "",
        "subject_type": JWT,
        "audience": MCP,
        "scope": "tools:read",
        "client_id": str(AGENT),
        "requested_type": "",
        "actor": "",
        "ca": str(stage.ca) if journey.secure else "",
        "certificate": "",
        "key": "",
    }
    told = usual | journey.told(stage)
    if not told["subject"]:
        told["subject"] = ci_token(world)
    return told  # type: ignore[return-value]


def _run(journey: ClientJourney, told: Assignment) -> dict[str, object]:
    if journey.runs.endswith(".py"):
        name = journey.runs.removesuffix(".py")
        argv = [sys.executable, "-m", f"tests.sts.foreign.clients.{name}"]
    else:
        argv = [node(), f"tests/sts/foreign/node/{journey.runs}"]
    done = subprocess.run(
        argv,
        cwd=ROOT,
        # Nothing here tells it of other authorities or proxies.
        env={"PATH": os.environ["PATH"], "NODE_HOME": str(NODE_HOME)},
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise WrongError(done.stderr)
    said: dict[str, object] = json.loads(done.stdout)
    return said


def _verified(
    world: RunningService, token: str, audience: str, kind: TokenType
) -> SignedClaims:
    with world.local() as wire:
        keys = parse_key_set(wire.ask("GET", "/jwks").body, ("ES256",))
    pin = TrustedIssuer("sts", world.url, ("ES256",), (kind,), 600, ours=True)
    known = IssuerIndex(IssuerWithKeys(pin, audience, keys))
    return verify_token(token, known, int(time.time()), kind)


def _judge(journey: ClientJourney, result: Result) -> None:
    claims = result.claims
    bound = {"DPoP": claims.cnf.jkt, "mTLS": claims.cnf.x5t_s256}
    found = {
        "sub": claims.sub,
        "act": claims.act.actors[0].sub if claims.act.actors else "",
        "client_id": claims.client_id,
        "bound": [each for each, digest in bound.items() if digest],
        "kind": result.kind.lower(),
        "used": result.used,
    }
    kind = "dpop" if journey.binding == "DPoP" else "bearer"
    expected = {
        "sub": journey.sub,
        "act": journey.act,
        "client_id": str(AGENT),
        "bound": [journey.binding] if journey.binding in bound else [],
        "kind": "n_a" if journey.gives is TokenType.ID_JAG else kind,
        "used": journey.used,
    }
    if found != expected:
        raise WrongError(f"expected {expected}, got {found}")


# What each is told beside the usual.


def _nothing_more(_: ForeignEnvironment) -> dict[str, str]:
    return {}


def _to_introspect(_: ForeignEnvironment) -> dict[str, str]:
    return {"audience": MAIL, "scope": "introspect"}


def _with_certificate(stage: ForeignEnvironment) -> dict[str, str]:
    return {
        "subject": ci_token(stage.secure, job=JOB_WITH_CERTIFICATE),
        "audience": FILES,
        "scope": "read",
        "certificate": str(stage.client.certificate),
        "key": str(stage.client.key),
    }


def _for_elsewhere(stage: ForeignEnvironment) -> dict[str, str]:
    return {"audience": stage.plain.url, "requested_type": ID_JAG, "scope": ""}


def _from_elsewhere(stage: ForeignEnvironment) -> dict[str, str]:
    first = next(each for each in JOURNEYS if each.gives is TokenType.ID_JAG)
    said = _run(first, _assignment(first, stage.secure, stage))
    return {"subject": str(said["token"])}


def _for_a_person(stage: ForeignEnvironment) -> dict[str, str]:
    with stage.plain.wire() as wire:
        token = DpopClient(stage.plain).get(
            wire, ci_token(stage.plain), proof="", audience=MCP
        )
    return {
        "subject": stage.id_token(),
        "subject_type": ID_TOKEN,
        "actor": token,
    }


def _foreign_subject(stage: ForeignEnvironment) -> dict[str, str]:
    token = stage.foreign.access_token(stage.plain.url)
    return {"subject": token, "subject_type": ACCESS}


def _own_token(stage: ForeignEnvironment) -> dict[str, str]:
    with stage.plain.wire() as wire:
        client = DpopClient(stage.plain)
        token = client.get(wire, ci_token(stage.plain), proof="", audience=MCP)
    return {"subject": token}


_EXCHANGE = "token exchange (RFC 8693)"
_INTROSPECTS = "then uses the token at introspection, with a proof for it"

JOURNEYS = (
    ClientJourney(
        *("google-auth", "PyPI", "google_auth.py"),
        f"external account: {_EXCHANGE} of a workload's token",
        "bearer",
        _nothing_more,
    ),
    ClientJourney(
        *("authlib", "PyPI", "authlib_session.py"),
        f"{_EXCHANGE} over TLS, with a client certificate",
        "mTLS",
        _with_certificate,
        secure=True,
    ),
    ClientJourney(
        *("authlib", "PyPI", "authlib_session.py"),
        "ID-JAG, first leg: token exchange for an ID-JAG that another token service "
        "takes",
        "none",
        _for_elsewhere,
        secure=True,
        gives=TokenType.ID_JAG,
    ),
    ClientJourney(
        *("mcp", "PyPI", "mcp_id_jag.py"),
        "ID-JAG, second leg: after a server's 401, finds the metadata, shows that ID-JAG "
        "(RFC 7523), and calls again",
        "bearer",
        _from_elsewhere,
    ),
    ClientJourney(
        *("requests-oauth2client", "PyPI", "oauth2client_dpop.py"),
        f"{_EXCHANGE}, {_INTROSPECTS}",
        "DPoP",
        _to_introspect,
        used=True,
    ),
    ClientJourney(
        *("agentsts-core", "PyPI", "agentsts_core.py"),
        f"finds the metadata, {_EXCHANGE}",
        "bearer",
        _nothing_more,
    ),
    ClientJourney(
        *("azure-identity", "PyPI", "azure_identity.py"),
        "client assertion (RFC 7523 2.2) over TLS, at the address that it writes itself",
        "bearer",
        _nothing_more,
        secure=True,
    ),
    ClientJourney(
        *("google-auth-library", "npm", "google-auth-library.mjs"),
        f"external account: {_EXCHANGE} of a workload's token",
        "bearer",
        _nothing_more,
    ),
    ClientJourney(
        *("openid-client", "npm", "openid-client.mjs"),
        f"finds the metadata, {_EXCHANGE}, {_INTROSPECTS}",
        "DPoP",
        _to_introspect,
        used=True,
    ),
    ClientJourney(
        *("jose", "npm", "jose.mjs"),
        "finds the metadata and the keys, and verifies a token of ours; for another "
        "audience it refuses",
        "bearer",
        _own_token,
        used=True,
    ),
    ClientJourney(
        *("oidc-provider", "npm", "authlib_session.py"),
        "issues a job's access token (RFC 9068); its keys are found by its metadata; "
        "authlib exchanges that token",
        "bearer",
        _foreign_subject,
    ),
    ClientJourney(
        *("oidc-provider", "npm", "agentsts_core.py"),
        "signs a person in; agentsts-core exchanges the id token, with the agent's own "
        "token as actor",
        "bearer",
        _for_a_person,
        sub=f"person:{PERSON}",
        act=str(AGENT),
    ),
    ClientJourney(
        *("requests-oauth2client", "PyPI", "oauth2client_dpop.py"),
        f"{_EXCHANGE} and introspection, with the DPoP nonces that a service requires "
        "while its replay cache may be incomplete",
        "DPoP",
        _to_introspect,
        used=True,
        nonce=True,
    ),
    ClientJourney(
        *("openid-client", "npm", "openid-client.mjs"),
        f"finds the metadata, {_EXCHANGE} and introspection, with the DPoP nonces that "
        "a service requires while its replay cache may be incomplete",
        "DPoP",
        _to_introspect,
        used=True,
        nonce=True,
    ),
)
