"""A foreign token that is shown again, at a running token service.

An attacker copies a token from a log, or an agent keeps one. Issuers write it with
`jti`, with `uti` (Entra ID), or with neither; the copy may have another signature.
"""

import json
import secrets
import time
from collections.abc import Iterator

import pytest

from answerable.cli.main import main
from answerable.federation.strict_json import decode_base64url, encode_base64url
from tests.sts.raw_http_client import RawHttpClient
from tests.sts.running_service import (
    FILES,
    MAIL,
    ROOT,
    SUB,
    DpopClient,
    RunningService,
    ci_token,
    serving,
)

CLOUD = "https://cloud.example"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
RULES = f"""
  - id: once
    issuer: cloud
    match: {{job: "42"}}
    agent: {ROOT}
    grants: [{{audience: {FILES}}}, {{audience: {MAIL}}}]
  - id: again
    issuer: cloud
    match: {{job: "44"}}
    agent: {SUB}
    grants: [{{audience: {FILES}}}]
    reuse: until-expiry
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("replay")
    issuer = f"""
  cloud:
    iss: {CLOUD}
    audience: URL
    algs: [ES256]
    keys: {folder / "ci.json"}
    tokens: [jwt]
    bearer: true
"""
    with serving(folder, rules=RULES) as world:
        world.issuers = issuer.replace("URL", world.url)
        world.write()
        world.reload()
        yield world


@pytest.fixture
def wire(world: RunningService) -> Iterator[RawHttpClient]:
    with world.wire() as wire:
        yield wire


def malleated(token: str) -> str:
    """Give a token its other ECDSA signature: (r, n - s) verifies as (r, s) does."""
    head, payload, signature = token.split(".")
    raw = decode_base64url(signature)
    s = ORDER - int.from_bytes(raw[32:], "big")
    return f"{head}.{payload}.{encode_base64url(raw[:32] + s.to_bytes(32, 'big'))}"


IDENTIFIED: dict[str, dict[str, object]] = {
    "jti": {},
    "uti": {"jti": ..., "uti": "Zm9v-uti"},
    "neither": {"jti": ...},
    "an empty uti": {"jti": ..., "uti": ""},
    "a uti that is no text": {"jti": ..., "uti": 7},
}


@pytest.mark.parametrize("kind", IDENTIFIED)
def test_a_copy_of_a_foreign_token_gives_nothing(
    world: RunningService, wire: RawHttpClient, kind: str, counted: list[str]
) -> None:
    claims = IDENTIFIED[kind] | {"iss": CLOUD, "sub": secrets.token_hex(8)}
    token = ci_token(world, **claims)
    assert DpopClient(world).exchange(wire, token).status == 200
    copies = [token, malleated(token), token, malleated(malleated(token))]
    for number, copy in enumerate(copies):
        audience = (FILES, MAIL)[number % 2]
        reply = DpopClient(world).exchange(wire, copy, audience=audience)
        assert (reply.status, reply.json["error"]) == (400, "invalid_grant")
        counted.append("copy")
    # Another token of the same workload is another token.
    fresh = ci_token(world, **claims, exp=int(time.time()) + 901)
    other = claims.get("uti") == "Zm9v-uti"
    assert DpopClient(world).exchange(wire, fresh).status == (400 if other else 200)


@pytest.mark.world
def test_across_a_restart_a_copy_gives_nothing(world: RunningService) -> None:
    token = ci_token(world, iss=CLOUD, jti=..., sub="restarted")
    with world.wire() as wire:
        assert DpopClient(world).exchange(wire, token).status == 200
    world.stop()
    world.start()
    with world.wire() as wire:
        assert DpopClient(world).exchange(wire, token).status == 400


def test_a_rule_may_let_a_token_be_shown_until_it_expires(
    world: RunningService, wire: RawHttpClient
) -> None:
    for jti in (..., secrets.token_hex(8)):
        token = ci_token(world, iss=CLOUD, job="44", jti=jti)
        for _ in range(3):
            assert DpopClient(world).exchange(wire, token).status == 200
    # A proof is good once all the same.
    client = DpopClient(world)
    proof = client.proof()
    assert client.exchange(wire, token, proof=proof).status == 200
    assert client.exchange(wire, token, proof=proof).status == 400


def test_the_list_of_rules_shows_it(
    world: RunningService, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--store", str(world.store), "sts", "rules", "--config", str(world.config)]
    main(["-o", "json", *words])
    items = json.loads(capsys.readouterr().out)["items"]
    assert {each["rule"]: each["reuse"] for each in items} == {
        "once": "once",
        "again": "until-expiry",
    }
    main(words)
    (line,) = [
        each for each in capsys.readouterr().out.splitlines() if "until-expiry" in each
    ]
    assert line == "again: a copied token yields more tokens (reuse: until-expiry)"


def test_a_proof_is_held_to_its_own_times(
    world: RunningService, wire: RawHttpClient, counted: list[str]
) -> None:
    now = int(time.time())
    client = DpopClient(world)
    wrong: list[dict[str, object]] = [
        *({"exp": at} for at in (now - 31, now - 3600, 0, -1)),
        *({"nbf": at} for at in (now + 45, now + 3600, 2**53)),
        *({"exp": at} for at in (str(now + 60), None, now + 60.5, True, [now + 60])),
        *({"nbf": at} for at in (str(now), None, now - 0.5, False)),
        {"exp": now + 60, "nbf": now + 45},
    ]
    for claims in wrong:
        token = ci_token(world, iss=CLOUD, job="44")
        reply = client.exchange(wire, token, proof=client.proof(**claims))
        assert (reply.status, reply.json["error"]) == (400, "invalid_dpop_proof")
        counted.append("refused")
    for good in ({"exp": now + 60}, {"nbf": now - 5}, {"exp": now + 9, "nbf": now}):
        token = ci_token(world, iss=CLOUD, job="44")
        proof = client.proof(**good)
        assert client.exchange(wire, token, proof=proof).status == 200
        counted.append("taken")
