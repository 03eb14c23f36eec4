"""What is tried at the door, and refused: each test prints how many tries it made.

Numbers are those of the design's list of security tests. All of it goes over the wire
to a real process; what the rooms refuse has its tables in tests/federate.
"""

import hashlib
import hmac
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey

from answerable.federate.strict import base64url
from answerable.model.claims import TokenType
from answerable.model.exchange import PEER, TICKET
from tests.federate.tokens import public, sign
from tests.sts.wires import Reply, Wire, spelled
from tests.sts.world import (
    ACCESS,
    CI,
    CI_KEY,
    FILES,
    ID_TOKEN,
    JWT,
    LEAF,
    MAIL,
    SUB,
    Client,
    World,
    ci_token,
    id_token,
    serving,
    taken,
)

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serving(tmp_path_factory.mktemp("sts")) as running:
        yield running


@pytest.fixture
def wire(world: World) -> Iterator[Wire]:
    with world.wire() as connected:
        yield connected


@pytest.fixture(autouse=True)
def _still_serves(world: World) -> Iterator[None]:
    yield
    with world.wire() as wire:
        assert Client(world).exchange(wire, ci_token(world)).status == 200


def payload(world: World, **changes: object) -> dict[str, object]:
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
    return {name: v for name, v in (facts | changes).items() if v is not ...}


def refused(reply: Reply, *errors: str) -> None:
    assert reply.status in (400, 401), reply
    assert list(reply.json) == ["error"]
    assert reply.json["error"] in (errors or ("invalid_grant",)), reply


def test_1_no_other_algorithm_than_the_keys_own(world: World, wire: Wire) -> None:
    client = Client(world)
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
            base64url(json.dumps(part).encode())
            for part in ({"alg": alg, "kid": "ci-1"}, payload(world))
        )
        tried += [f"{text}.", f"{text}.{base64url(b'x' * 64)}"]
    signed = ".".join(
        base64url(json.dumps(part).encode())
        for part in ({"alg": "HS256", "kid": "ci-1"}, payload(world))
    )
    mac = hmac.digest(pem, signed.encode(), "sha256")
    tried.append(f"{signed}.{base64url(mac)}")
    for token in tried:
        refused(client.exchange(wire, token))
    print(f"{len(tried)} tokens")


def test_2_keys_that_a_token_brings_are_not_looked_at(world: World, wire: Wire) -> None:
    """Nobody is asked for them either: a listener hears no connection."""
    client, own = Client(world), ECKey.generate_key("P-256")
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


def test_4_one_audience_and_no_other(world: World, wire: Wire) -> None:
    client = Client(world)
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


def test_8_times_are_whole_seconds_and_hold(world: World, wire: Wire) -> None:
    client = Client(world)
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


def test_9_what_is_too_large_or_read_twice_is_refused_at_once(
    world: World, wire: Wire
) -> None:
    """Each within five milliseconds: the shortest of a few tries, for noise."""
    token = ci_token(world)
    deep = base64url(b'{"iss":' + b"[" * 10_000 + b"]" * 10_000 + b"}")
    twice = base64url(b'{"iss":"a","iss":"b"}')
    head = base64url(b'{"alg":"ES256","kid":"ci-1"}')
    usual = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": JWT,
        "audience": FILES,
    }

    def form(subject: str) -> bytes:
        return urlencode({**usual, "subject_token": subject}).encode()

    good = form(token)
    bodies = {
        "16 KiB and one": form("a" * (16 * 1024 + 1)),
        "16 KiB and one, dots": form("a." * (8 * 1024) + "b"),
        "deep": form(f"{head}.{deep[: 16 * 1024 - 100]}.AAAA"),
        "deep, whole": form(f"{head}.{base64url(b'[' * 10_000)}.AAAA"),
        "duplicate members": form(f"{head}.{twice}.AAAA"),
        "not UTF-8 in JSON": form(f"{head}.{base64url(bytes([0xFF, 0xFE]))}.AAAA"),
        "not UTF-8": good.replace(b"audience=", b"audience=%FF%FE"),
        "parameter twice": good + b"&audience=x",
        "no value": good + b"&scope",
        "many parameters": good + b"".join(b"&p%d=1" % n for n in range(100)),
        "bad escape": good + b"&scope=%zz",
        "raw NUL": good + b"&scope=a%00b",
        "empty": b"",
        "JSON": b'{"grant_type":1}',
    }
    slowest = 0.0
    for body in bodies.values():
        took = []
        for _ in range(5):
            began = time.perf_counter()
            reply = wire.ask("POST", "/token", body, FORM)
            took.append(time.perf_counter() - began)
            assert reply.status == 400
            assert list(reply.json) == ["error"]
        slowest = max(slowest, min(took))
    assert slowest < 0.005
    kinds = ("application/json", "", "application/x-www-form-urlencoded-x")
    for kind in kinds:
        fields = {"Content-Type": kind} if kind else {}
        assert wire.ask("POST", "/token", good, fields).status == 400
    print(f"{len(bodies) + len(kinds)} bodies, the slowest {slowest * 1e3:.2f} ms")


def test_10_nobody_but_us_makes_a_chain(world: World, wire: Wire) -> None:
    """A foreign `act` is shown in no token of ours, and tickets stay with their own."""
    tried = 0
    client = Client(world)
    for act in (
        {"sub": str(LEAF)},
        {"sub": str(SUB), "act": {"sub": str(LEAF)}},
        {"sub": str(SUB), "iss": world.url, "entity": str(SUB)},
    ):
        token = client.get(wire, ci_token(world, act=act))
        claims = taken(world, wire, token)
        assert claims.act.actors == ()
        assert claims.leaf("answerable", "depth") == 1
        tried += 1
    for act in ("x", [], {}, {"sub": 1}, {"sub": "a", "act": {"sub": "a"}}):
        refused(client.exchange(wire, ci_token(world, act=act)))
        tried += 1
    # A ticket of one chain beside the token of another, either way round.
    first, second, child = Client(world), Client(world), Client(world)
    mine = first.get(wire, ci_token(world))
    other = second.get(wire, ci_token(world))
    given = first.delegate(wire, mine, agent=SUB, jkt=child.jkt)
    ticket = str(given.json["ticket"])
    for subject, kind, actor, actor_kind in (
        (other, ACCESS, ticket, ACCESS),
        (ticket, TICKET, other, ACCESS),
        (ticket, TICKET, mine, ACCESS),
        (ticket, ACCESS, "", ""),
        (mine, TICKET, "", ""),
        (mine, ACCESS, other, ACCESS),
    ):
        for who in (first, second, child):
            asked = {"actor_token": actor, "actor_token_type": actor_kind}
            reply = who.exchange(wire, subject, kind, **asked)
            refused(reply, "invalid_grant", "invalid_request")
            tried += 1
    assert child.exchange(wire, ticket, TICKET).status == 200
    # A chain ends at four actors.
    chain = [Client(world) for _ in range(5)]
    token = chain[0].get(wire, ci_token(world))
    for below, agent in ((chain[1], SUB), (chain[2], LEAF)):
        above = chain[chain.index(below) - 1]
        given = above.delegate(wire, token, agent=agent, jkt=below.jkt)
        token = below.get(wire, str(given.json["ticket"]), TICKET)
    for agent in (SUB, LEAF):  # a cycle
        given = chain[2].delegate(wire, token, agent=agent, jkt=chain[3].jkt)
        refused(given)
        tried += 1
    print(f"{tried} chains")


def test_12_a_proof_is_of_this_request_this_key_and_this_minute(
    world: World, wire: Wire
) -> None:
    client, other = Client(world), Client(world)
    now = int(time.time())
    private = {**client.key.as_dict(private=True)}
    head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": public(client.key)}

    def made(head: dict[str, object], key: ECKey = client.key) -> str:
        said = {
            "jti": secrets.token_hex(8),
            "htm": "POST",
            "htu": f"{world.url}/token",
            "iat": now,
        }
        return sign(head, said, key)

    good = client.proof()
    assert client.exchange(wire, ci_token(world), proof=good).status == 200
    wrong = [
        good,
        client.proof(htm="GET"),
        client.proof(htm="post"),
        client.proof(htu=world.url),
        client.proof(htu=f"{world.url}/introspect"),
        client.proof(htu="https://elsewhere.example/token"),
        client.proof(iat=now - 61),
        client.proof(iat=now + 60),
        client.proof(iat=str(now)),
        client.proof(jti=...),
        client.proof(jti=""),
        client.proof(htu=...),
        made({**head, "jwk": private}),
        made({**head, "typ": "jwt"}),
        made({**head, "alg": "none"}),
        made({**head, "jwk": public(other.key)}),
        made({**head, "jwk": {"kty": "oct", "k": "c2VjcmV0"}}),
        made({**head, "crit": ["x"]}),
        made({k: v for k, v in head.items() if k != "jwk"}),
        "garbage",
        ".",
    ]
    for proof in wrong:
        reply = client.exchange(wire, ci_token(world), proof=proof)
        refused(reply, "invalid_dpop_proof")
    # Without one, nothing that has to be bound is given unbound.
    refused(client.exchange(wire, ci_token(world), proof=""))
    own = client.get(wire, ci_token(world))
    refused(client.exchange(wire, own, ACCESS, proof=""))
    refused(client.exchange(wire, own, ACCESS, proof=other.proof()))
    asked = {"audience": "https://open.example"}
    refused(client.exchange(wire, own, ACCESS, proof="", **asked))
    print(f"{len(wrong) + 4} proofs")


def test_13_a_token_is_taken_for_what_it_is(world: World, wire: Wire) -> None:
    client = Client(world)
    own = client.get(wire, ci_token(world))
    known = (*(each.value for each in TokenType), TICKET, PEER)
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


def test_14_what_was_switched_off_gives_nothing(world: World, wire: Wire) -> None:
    client = Client(world)
    own = client.get(wire, ci_token(world))
    subjects = (
        "issuer:ci",
        "rule:ci-root",
        "agent:declared/root",
        "person:ana@corp.example",
    )
    with world.local() as operator:
        for subject in subjects:
            body = json.dumps({"subject": subject}).encode()
            assert operator.ask("POST", "/admin/kill", body).status == 200
            refused(client.exchange(wire, ci_token(world)))
            assert operator.ask("POST", "/admin/revive", body).status == 200
            deadline = time.monotonic() + 2
            while client.exchange(wire, ci_token(world)).status != 200:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        refused(client.exchange(wire, own, ACCESS))
    print(f"{len(subjects)} subjects")


def test_7_one_token_shown_many_times_at_once_is_good_once(world: World) -> None:
    client, times = Client(world), 40
    token = ci_token(world)
    wires = [world.wire() for _ in range(times)]
    for each in wires:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": token,
            "subject_token_type": JWT,
            "audience": FILES,
        }
        body = urlencode(form).encode()
        fields = {**FORM, "DPoP": client.proof()}
        each.send(spelled("POST", "/token", body, fields, each.host))
    statuses = [each.reply().status for each in wires]
    for each in wires:
        each.close()
    assert sorted(statuses) == [200] + [400] * (times - 1)
    print(f"{times} times at once, once given")


def test_19_no_token_and_no_key_is_anywhere(
    world: World, wire: Wire, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every text that could be shown as a credential, looked for in every byte kept."""
    client, child = Client(world), Client(world)
    secret: list[str] = []

    def kept(text: str) -> str:
        # Parts too: a signature or a payload alone would do harm.
        secret.extend(part for part in text.split(".") if len(part) > 20)
        return text

    token = kept(client.get(wire, kept(ci_token(world))))
    kept(client.get(wire, token, ACCESS, audience=MAIL, scope="send"))
    given = client.delegate(wire, token, agent=SUB, jkt=child.jkt)
    ticket = kept(str(given.json["ticket"]))
    kept(child.get(wire, ticket, TICKET))
    bad = kept(ci_token(world, job="7"))
    refused(client.exchange(wire, bad))
    refused(client.exchange(wire, kept(ci_token(world))[:-2] + "AA"))
    client.exchange(wire, kept(ci_token(world)), client_id=kept(ci_token(world)))
    client.exchange(wire, kept(ci_token(world)), audience=kept(ci_token(world)))
    client.exchange(wire, kept(ci_token(world)), scope=kept(ci_token(world)))
    wire.form("/revoke", {"token": token}, {"DPoP": client.proof("/revoke")})
    wire.form("/introspect", {"token": kept(ci_token(world))})
    told = [wire.ask("GET", path).body for path in ("/metrics", "/readyz", "/jwks")]
    with world.local() as operator:
        told.append(operator.ask("GET", "/admin/state").body)
    time.sleep(0.2)
    files = [path for path in world.folder.rglob("*") if path.is_file()]
    told += [path.read_bytes() for path in files]
    looked = {each for each in secret if each}
    # The two parts that say nothing: headers of ours and of the issuer's.
    headers = {each for each in looked if each.startswith("eyJhbGciOi")}
    for each in looked - headers:
        for content in told:
            assert each.encode() not in content
    private = client.key.as_dict(private=True)["d"]
    assert not any(str(private).encode() in content for content in told)
    kept_keys = [path for path in files if path.suffix == ".pem"]
    assert kept_keys
    assert all(b"ENCRYPTED" in path.read_bytes() for path in kept_keys)
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept_keys)
    digest = hashlib.sha256(token.encode()).hexdigest().encode()
    assert any(digest in content for content in told)
    size = sum(map(len, told))
    print(f"{len(looked)} secrets looked for in {len(files)} files, {size} bytes")
