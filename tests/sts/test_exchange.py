"""The exchange end to end: a real process, over loopback and its unix socket."""

import json

import pytest

from answerable.federation.token_errors import TokenRejected
from answerable.federation.token_request import ASSERTION_TYPE
from answerable.model.token_claims import TokenType
from answerable.model.token_request import PEER_TYPE_URI, TICKET_TYPE_URI
from tests.sts.raw_http_client import RawHttpClient, RawReply
from tests.sts.running_service import (
    ACCESS,
    BEARER,
    BEN,
    EXCHANGE,
    FILES,
    ID_TOKEN,
    LEAF,
    MAIL,
    ROOT,
    SUB,
    DpopClient,
    RunningService,
    ci_token,
    id_token,
    taken,
)

ID_JAG = TokenType.ID_JAG.value


def test_a_pinned_issuers_token_becomes_one_of_ours_bound_to_the_key_shown(
    world: RunningService, wire: RawHttpClient
) -> None:
    client = DpopClient(world)
    reply = client.exchange(wire, ci_token(world))
    assert reply.status == 200
    assert reply.fields["cache-control"] == "no-store"
    said = reply.json
    assert (said["token_type"], said["scope"]) == ("DPoP", "read write")
    assert said["expires_in"] == 600
    claims = taken(world, wire, str(said["access_token"]))
    assert (claims.sub, claims.aud, claims.cnf.jkt) == (ROOT, FILES, client.jkt)
    assert claims.find_claim_at_path("answerable", "owner") == "person:ana@corp.example"


def test_the_metadata_is_what_clients_look_for(
    world: RunningService, wire: RawHttpClient
) -> None:
    for path in (
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ):
        said = wire.ask("GET", path).json
        assert said["issuer"] == world.url
        for name in (
            "token_endpoint",
            "introspection_endpoint",
            "revocation_endpoint",
            "jwks_uri",
            "authorization_endpoint",
        ):
            assert str(said[name]).startswith(f"{world.url}/")
        assert EXCHANGE in said["grant_types_supported"]
        assert BEARER in said["grant_types_supported"]
        assert "ES256" in said["dpop_signing_alg_values_supported"]
    key = wire.ask("GET", "/jwks").json["keys"][0]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert wire.ask("GET", "/readyz").json["ready"] is True


def test_a_client_shows_an_assertion_where_azures_sdks_would(
    world: RunningService, wire: RawHttpClient
) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": ci_token(world),
        "client_id": str(ROOT),
        "client_secret": "nobody reads it",
        "scope": f"{FILES}/.default",
    }
    client, path = DpopClient(world), "/tenant/oauth2/v2.0/token"

    def ask(**changes: str) -> RawReply:
        return wire.form(path, form | changes, {"DPoP": client.proof()})

    # Nothing is used up by a request that names somebody else, or too much.
    for changes, error in (
        ({"client_id": str(SUB)}, "invalid_client"),
        ({"scope": f"{FILES}/.default read"}, "invalid_scope"),
        ({"scope": "https://else.example/.default"}, "invalid_target"),
        ({"client_assertion_type": BEARER}, "invalid_request"),
        ({"client_assertion": id_token(world)}, "invalid_grant"),
    ):
        assert ask(**changes).json == {"error": error}, changes
    given = ask()
    assert given.json["scope"] == "read write"
    token = str(given.json["access_token"])
    claims = taken(world, wire, token)
    assert (claims.client_id, claims.cnf.jkt) == (ROOT, client.jkt)
    # It is good once, and a token of ours is none.
    assert ask().json == {"error": "invalid_grant"}
    assert ask(client_assertion=token).json == {"error": "invalid_client"}
    assert wire.ask("GET", path).status == 405


def test_an_assertion_is_exchanged_as_well(
    world: RunningService, wire: RawHttpClient
) -> None:
    """RFC 7523: the workload's token as the assertion of a grant."""
    client = DpopClient(world)
    form = {"grant_type": BEARER, "assertion": ci_token(world), "resource": FILES}
    reply = wire.form("/token", form, {"DPoP": client.proof()})
    assert reply.status == 200
    assert taken(world, wire, str(reply.json["access_token"])).sub == ROOT


def test_our_own_token_gets_one_for_another_audience(
    world: RunningService, wire: RawHttpClient
) -> None:
    client = DpopClient(world)
    first = client.get(wire, ci_token(world))
    second = client.get(wire, first, ACCESS, audience=MAIL, scope="send")
    claims = taken(world, wire, second, MAIL)
    assert claims.scope == ("send",)
    dlg = taken(world, wire, first).find_claim_at_path("answerable", "dlg")
    assert claims.find_claim_at_path("answerable", "dlg") == dlg
    # And nobody gets it with another key.
    thief = DpopClient(world)
    reply = thief.exchange(wire, first, ACCESS, audience=MAIL)
    assert (reply.status, reply.json) == (400, {"error": "invalid_grant"})


def test_an_agent_acts_for_a_person_who_signed_in(
    world: RunningService, wire: RawHttpClient
) -> None:
    client = DpopClient(world)
    own = client.get(wire, ci_token(world))
    token = client.get(
        wire,
        id_token(world),
        ID_TOKEN,
        actor_token=own,
        actor_token_type=ACCESS,
    )
    claims = taken(world, wire, token)
    assert claims.sub == BEN
    assert [each.sub for each in claims.act.actors] == [ROOT]
    # A person's token alone says of no agent that it may act.
    assert client.exchange(wire, id_token(world), ID_TOKEN).status == 400


def test_a_local_process_gets_a_token_by_the_kernels_word(
    world: RunningService,
) -> None:
    client = DpopClient(world)
    with world.local() as wire:
        token = client.get(wire, "", PEER_TYPE_URI)
        claims = taken(world, wire, token)
    assert claims.sub == SUB
    assert claims.find_claim_at_path("answerable", "attest") == "unix-peer"
    with world.wire() as wire:
        reply = client.exchange(wire, "", PEER_TYPE_URI)
        assert (reply.status, reply.json) == (400, {"error": "invalid_grant"})


def test_an_id_jag_is_for_another_service_and_no_access_token(
    world: RunningService, wire: RawHttpClient
) -> None:
    client = DpopClient(world)
    reply = client.exchange(
        wire,
        ci_token(world),
        audience="https://as.other.example",
        requested_token_type=ID_JAG,
    )
    assert reply.status == 200
    assert reply.json["token_type"] == "N_A"
    assert reply.json["issued_token_type"] == ID_JAG
    token = str(reply.json["access_token"])
    with pytest.raises(TokenRejected):
        taken(world, wire, token, "https://as.other.example")
    assert client.exchange(wire, token, ACCESS).status == 400


def test_a_sub_agent_gets_a_part_with_a_ticket_once(
    world: RunningService, wire: RawHttpClient
) -> None:
    parent, child = DpopClient(world), DpopClient(world)
    token = parent.get(wire, ci_token(world))
    given = parent.delegate(
        wire,
        token,
        agent=SUB,
        jkt=child.jkt,
        audiences=[FILES],
        scopes={FILES: ["read"]},
    )
    assert given.status == 201, given
    ticket = str(given.json["ticket"])
    thief = DpopClient(world)
    assert thief.exchange(wire, ticket, TICKET_TYPE_URI).status == 400
    below = child.get(wire, ticket, TICKET_TYPE_URI)
    claims = taken(world, wire, below)
    assert claims.scope == ("read",)
    assert claims.sub == ROOT
    assert [each.sub for each in claims.act.actors] == [SUB]
    assert claims.find_claim_at_path("answerable", "depth") == 2
    assert child.exchange(wire, ticket, TICKET_TYPE_URI).status == 400
    assert child.exchange(wire, below, ACCESS, scope="write").json == {
        "error": "invalid_scope"
    }
    assert child.exchange(wire, below, ACCESS, audience=MAIL).json == {
        "error": "invalid_target"
    }


@pytest.mark.parametrize(
    "asked",
    [
        {"agent": "agent:declared/stranger"},
        {"agent": ROOT},
        {"jkt": ""},
        {"audiences": ["https://elsewhere.example"]},
        {"scopes": {FILES: ["everything"]}},
        {"ttl": 0},
        {"ttl": 1.5},
        {"agent": 7},
        {"scopes": [FILES]},
    ],
)
def test_more_than_the_parent_has_is_not_handed_on(
    world: RunningService, wire: RawHttpClient, asked: dict[str, object]
) -> None:
    parent, child = DpopClient(world), DpopClient(world)
    token = parent.get(wire, ci_token(world))
    usual: dict[str, object] = {"agent": SUB, "jkt": child.jkt}
    assert parent.delegate(wire, token, **(usual | asked)).status == 400


def test_only_the_tokens_own_key_hands_on(
    world: RunningService, wire: RawHttpClient
) -> None:
    parent, thief = DpopClient(world), DpopClient(world)
    token = parent.get(wire, ci_token(world))
    body = {"agent": SUB, "jkt": thief.jkt}
    assert thief.delegate(wire, token, **body).status == 401
    plain = {"Authorization": f"Bearer {token}"}
    assert wire.ask("POST", "/delegate", json.dumps(body).encode(), plain).status == 401
    assert wire.ask("POST", "/delegate", json.dumps(body).encode()).status == 401


def test_an_audience_asks_about_its_own_tokens_and_no_others(
    world: RunningService, wire: RawHttpClient
) -> None:
    """RFC 7662: whoever is not meant learns nothing but that it is not active."""
    client, server, other = DpopClient(world), DpopClient(world), DpopClient(world)
    token = client.get(wire, ci_token(world), audience=MAIL)
    shown = server.get(wire, ci_token(world), audience=MAIL, scope="introspect")
    fields = server.with_token(shown, "/introspect")
    said = wire.form("/introspect", {"token": token}, fields).json
    assert (said["active"], said["aud"], said["sub"]) == (True, MAIL, ROOT)
    assert said["cnf"] == {"jkt": client.jkt}
    inactive = {"active": False}
    elsewhere = client.get(wire, ci_token(world), audience=FILES)
    for about, holder in (
        (elsewhere, (server, shown)),
        (token, (other, other.get(wire, ci_token(world), audience=MAIL, scope="send"))),
        (token, (client, elsewhere)),
        ("garbage", (server, shown)),
        (ci_token(world), (server, shown)),
    ):
        who, by = holder
        fields = who.with_token(by, "/introspect")
        assert wire.form("/introspect", {"token": about}, fields).json == inactive
    reply = wire.form("/introspect", {"token": token})
    assert (reply.status, reply.json) == (401, {"error": "invalid_client"})
    with world.local() as operator:
        assert operator.form("/introspect", {"token": token}).json["active"] is True


def test_a_revoked_token_takes_everything_below_along(
    world: RunningService, wire: RawHttpClient
) -> None:
    """RFC 7009: children die with their parent, and so do tickets not yet used."""
    clients = [DpopClient(world) for _ in range(3)]
    root, middle, leaf = clients
    tokens = [root.get(wire, ci_token(world))]
    for above, below, agent in ((root, middle, SUB), (middle, leaf, LEAF)):
        given = above.delegate(wire, tokens[-1], agent=agent, jkt=below.jkt)
        assert given.status == 201, given
        tokens.append(below.get(wire, str(given.json["ticket"]), TICKET_TYPE_URI))
    spare = root.delegate(wire, tokens[0], agent=LEAF, jkt=leaf.jkt).json["ticket"]

    def active() -> list[object]:
        with world.local() as operator:
            return [
                operator.form("/introspect", {"token": token}).json["active"]
                for token in tokens
            ]

    assert active() == [True] * 3
    # A stranger with the text of the token cannot.
    assert wire.form("/revoke", {"token": tokens[1]}).status == 401
    assert wire.form("/revoke", {"token": "garbage"}).status == 200
    assert active() == [True] * 3
    fields = {"DPoP": middle.proof("/revoke")}
    assert wire.form("/revoke", {"token": tokens[1]}, fields).status == 200
    assert active() == [True, False, False]
    # Whoever holds what is above may, too.
    fields = root.with_token(tokens[0], "/revoke")
    assert wire.form("/revoke", {"token": tokens[0]}, fields).status == 200
    assert active() == [False] * 3
    for client, token in zip(clients, tokens, strict=True):
        assert client.exchange(wire, token, ACCESS).json == {"error": "invalid_grant"}
    assert leaf.exchange(wire, str(spare), TICKET_TYPE_URI).json == {
        "error": "invalid_grant"
    }
