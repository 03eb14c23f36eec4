"""What is tried at the door, and refused: each test prints how many tries it made.

Numbers are those of the design's list of security tests. All of it goes over the wire
to a real process; what the rooms refuse has its tables in tests/federate.
"""

import hmac
import json
import socket
import threading
import time

from joserfc.jwk import ECKey

from answerable.federation.strict_json import encode_base64url
from answerable.model.token_claims import TokenType
from answerable.model.token_request import PEER_TYPE_URI, TICKET_TYPE_URI
from tests.federation.sample_tokens import public, sign
from tests.sts.attack_helpers import payload, refused
from tests.sts.raw_http_client import RawHttpClient
from tests.sts.running_service import (
    ACCESS,
    CI_KEY,
    FILES,
    ID_TOKEN,
    JWT,
    LEAF,
    SUB,
    DpopClient,
    RunningService,
    ci_token,
    id_token,
    taken,
)


def test_1_no_other_algorithm_than_the_keys_own(
    world: RunningService, wire: RawHttpClient
) -> None:
    client = DpopClient(world)
    head = {"alg": "ES256", "kid": "ci-1"}
    pem = json.dumps(public(CI_KEY)).encode()
    tried = [
        sign({**head, "alg": alg}, payload(world), CI_KEY)
        for alg in ("none", "None", "NONE", "nOnE", "es256", "ES384", "HS256", "RS256")
    ]
    tried += [
        sign({**head, **extra}, payload(world), CI_KEY)
        for extra in (
            {"b64": False, "crit": ["b64"]},
            {"b64": False},
            {"crit": ["exp"]},
            {"crit": []},
            {"crit": None},
        )
    ]
    for alg in ("none", "NONE"):
        text = ".".join(
            encode_base64url(json.dumps(part).encode())
            for part in ({"alg": alg, "kid": "ci-1"}, payload(world))
        )
        tried += [f"{text}.", f"{text}.{encode_base64url(b'x' * 64)}"]
    signed = ".".join(
        encode_base64url(json.dumps(part).encode())
        for part in ({"alg": "HS256", "kid": "ci-1"}, payload(world))
    )
    mac = hmac.digest(pem, signed.encode(), "sha256")
    tried.append(f"{signed}.{encode_base64url(mac)}")
    for token in tried:
        refused(client.exchange(wire, token))
    print(f"{len(tried)} tokens")


def test_2_keys_that_a_token_brings_are_not_looked_at(
    world: RunningService, wire: RawHttpClient
) -> None:
    """Nobody is asked for them either: a listener hears no connection."""
    client, own = DpopClient(world), ECKey.generate_key("P-256")
    heard: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                try:
                    heard.append(server.accept())
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen)
        thread.start()
        at = f"http://127.0.0.1:{server.getsockname()[1]}/keys"
        tried = 0
        for extra in (
            {"jwk": public(own)},
            {"jku": at},
            {"x5u": at},
            {"x5c": ["AAAA"]},
            {"jwk": public(own), "jku": at, "x5u": at},
        ):
            for kid in ("ci-1", "other", at):
                head = {"alg": "ES256", "kid": kid, **extra}
                refused(client.exchange(wire, sign(head, payload(world), own)))
                tried += 1
        ended.set()
        thread.join()
    assert heard == []
    print(f"{tried} tokens, no connection")


def test_4_one_audience_and_no_other(
    world: RunningService, wire: RawHttpClient
) -> None:
    client = DpopClient(world)
    url = world.url
    wrong = [
        ...,
        "",
        f"{url}/",
        url.upper(),
        url[:-1],
        f"{url}/token",
        f" {url}",
        f"{url} ",
        [url, url],
        [url, "https://elsewhere.example"],
        [],
        {"aud": url},
        0,
        None,
        True,
    ]
    for aud in wrong:
        token = sign({"alg": "ES256", "kid": "ci-1"}, payload(world, aud=aud), CI_KEY)
        refused(client.exchange(wire, token))
    one = sign({"alg": "ES256", "kid": "ci-1"}, payload(world, aud=[url]), CI_KEY)
    assert client.exchange(wire, one).status == 200
    # Our own token is a subject here with its key, and nowhere else.
    own = client.get(wire, ci_token(world))
    for asked in (
        {"audience": "https://elsewhere.example"},
        {"audience": world.url},
        {"audience": f"{FILES}/"},
        {"audience": FILES.upper()},
    ):
        refused(client.exchange(wire, own, ACCESS, **asked), "invalid_target")
    print(f"{len(wrong) + 5} audiences")


def test_8_times_are_whole_seconds_and_hold(
    world: RunningService, wire: RawHttpClient
) -> None:
    client = DpopClient(world)
    now = int(time.time())
    wrong: list[dict[str, object]] = [
        {"exp": now - 31},
        {"exp": now + 0.5},
        {"exp": str(now + 60)},
        {"exp": -1},
        {"exp": 1e308},
        {"exp": True},
        {"exp": ...},
        {"exp": 2**70},
        {"exp": now + 100_000},
        {"iat": now + 60},
        {"iat": ...},
        {"iat": now - 0.5},
        {"iat": "1"},
        {"nbf": now + 60},
        {"nbf": "1"},
        {"nbf": None},
        {"iat": now + 10, "exp": now + 10},
    ]
    for changes in wrong:
        refused(client.exchange(wire, ci_token(world, **changes)))
    for changes in ({"exp": now + 20}, {"iat": now + 20}, {"nbf": now + 20}):
        assert client.exchange(wire, ci_token(world, **changes)).status == 200
    print(f"{len(wrong)} times")


def test_10_nobody_but_us_makes_a_chain(
    world: RunningService, wire: RawHttpClient
) -> None:
    """A foreign `act` is shown in no token of ours, and tickets stay with their own."""
    tried = 0
    client = DpopClient(world)
    for act in (
        {"sub": str(LEAF)},
        {"sub": str(SUB), "act": {"sub": str(LEAF)}},
        {"sub": str(SUB), "iss": world.url, "entity": str(SUB)},
    ):
        token = client.get(wire, ci_token(world, act=act))
        claims = taken(world, wire, token)
        assert claims.act.actors == ()
        assert claims.find_claim_at_path("answerable", "depth") == 1
        tried += 1
    for act in ("x", [], {}, {"sub": 1}, {"sub": "a", "act": {"sub": "a"}}):
        refused(client.exchange(wire, ci_token(world, act=act)))
        tried += 1
    # A ticket of one chain beside the token of another, either way round.
    first, second, child = DpopClient(world), DpopClient(world), DpopClient(world)
    mine = first.get(wire, ci_token(world))
    other = second.get(wire, ci_token(world))
    given = first.delegate(wire, mine, agent=SUB, jkt=child.jkt)
    ticket = str(given.json["ticket"])
    for subject, kind, actor, actor_kind in (
        (other, ACCESS, ticket, ACCESS),
        (ticket, TICKET_TYPE_URI, other, ACCESS),
        (ticket, TICKET_TYPE_URI, mine, ACCESS),
        (ticket, ACCESS, "", ""),
        (mine, TICKET_TYPE_URI, "", ""),
        (mine, ACCESS, other, ACCESS),
    ):
        for who in (first, second, child):
            asked = {"actor_token": actor, "actor_token_type": actor_kind}
            reply = who.exchange(wire, subject, kind, **asked)
            refused(reply, "invalid_grant", "invalid_request")
            tried += 1
    assert child.exchange(wire, ticket, TICKET_TYPE_URI).status == 200
    # A chain ends at four actors.
    chain = [DpopClient(world) for _ in range(5)]
    token = chain[0].get(wire, ci_token(world))
    for below, agent in ((chain[1], SUB), (chain[2], LEAF)):
        above = chain[chain.index(below) - 1]
        given = above.delegate(wire, token, agent=agent, jkt=below.jkt)
        token = below.get(wire, str(given.json["ticket"]), TICKET_TYPE_URI)
    for agent in (SUB, LEAF):  # a cycle
        given = chain[2].delegate(wire, token, agent=agent, jkt=chain[3].jkt)
        refused(given)
        tried += 1
    print(f"{tried} chains")


def test_13_a_token_is_taken_for_what_it_is(
    world: RunningService, wire: RawHttpClient
) -> None:
    client = DpopClient(world)
    own = client.get(wire, ci_token(world))
    known = (*(each.value for each in TokenType), TICKET_TYPE_URI, PEER_TYPE_URI)
    shown = {
        "workload": (lambda: ci_token(world), {JWT}),
        "person": (lambda: id_token(world), set()),
        "own": (lambda: own, {ACCESS, JWT}),
        "proof": (lambda: client.proof(), set()),
    }
    tried = 0
    for make, fine in shown.values():
        for kind in known:
            for typ in ("", *known):
                if kind in fine and not typ:
                    continue
                asked = {"actor_token": own, "actor_token_type": typ} if typ else {}
                reply = client.exchange(wire, make(), kind, **asked)
                if (kind, typ) in ((ID_TOKEN, ACCESS), (ID_TOKEN, JWT)):
                    continue  # a person, and the agent that acts for them
                assert reply.status in (400, 401), (kind, typ, reply)
                tried += 1
    for typ in ("at+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", "JWT+x"):
        head = {"alg": "ES256", "kid": "ci-1", "typ": typ}
        refused(client.exchange(wire, sign(head, payload(world), CI_KEY)))
        tried += 1
    for mark in ("nonce", "at_hash", "events", "htm", "htu"):
        refused(client.exchange(wire, ci_token(world, **{mark: "x"})))
        tried += 1
    print(f"{tried} pairs of token and type")
