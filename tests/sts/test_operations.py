"""Kill, reload, restart, evidence, lineage: what an operator relies on."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import build_event_id
from answerable.model.provenance import WrittenBy
from answerable.model.token_request import TICKET_TYPE_URI
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ship_spool import ship_spool
from answerable.usecases.lineage.trace import trace_events
from tests.cli.human_user import HUMAN_USER
from tests.sts.running_service import (
    ACCESS,
    ANA,
    FILES,
    LEAF,
    ROOT,
    SECONDS,
    STOPPED,
    SUB,
    USUAL_RULES,
    DpopClient,
    RunningService,
    ci_token,
    revoke_owner,
    serving,
    taken,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One for tests that leave it as it was, the last one apart."""
    with serving(tmp_path_factory.mktemp("operations")) as running:
        yield running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[RunningService]:
    with serving(tmp_path) as running:
        yield running


def cli(world: RunningService, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HUMAN_USER, *words, "--config", str(world.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def wait_for_status(world: RunningService, client: DpopClient, status: int) -> float:
    """Ask again and again until the answer has a status; how long that took."""
    began = time.monotonic()
    with world.wire() as wire:
        while client.exchange(wire, ci_token(world)).status != status:
            assert time.monotonic() - began < SECONDS
            time.sleep(0.02)
    return time.monotonic() - began


def test_a_kill_takes_children_along_until_it_is_taken_back(
    world: RunningService,
) -> None:
    parent, child = DpopClient(world), DpopClient(world)
    with world.wire() as wire:
        token = parent.get(wire, ci_token(world))
        given = parent.delegate(wire, token, agent=SUB, jkt=child.jkt)
        below = child.get(wire, str(given.json["ticket"]), TICKET_TYPE_URI)
        done = cli(world, "token-service", "kill", ROOT)
        assert done.returncode == 0, done.stderr
        assert "delegations ended: 2" in done.stderr
        took = wait_for_status(world, parent, 400)
        for client, shown in ((parent, token), (child, below)):
            assert client.exchange(wire, shown, ACCESS).status == 400
        with world.local() as operator:
            for shown in (token, below):
                said = operator.form("/introspect", {"token": shown}).json
                assert said == {"active": False}
            # Whoever asks again hears the same: it may not have got the first answer.
            body = json.dumps({"subject": str(ROOT)}).encode()
            again = operator.ask("POST", "/admin/kill", body).json
            assert (again["new"], len(again["ended"])) == (False, 2)
        # Somebody else goes on.
        assert parent.exchange(wire, ci_token(world, job="43")).status == 200
        done = cli(world, "token-service", "revive", ROOT)
        assert done.returncode == 0, done.stderr
        wait_for_status(world, parent, 200)
        assert parent.exchange(wire, token, ACCESS).status == 400
    print(f"killed after {took:.3f} s")


def test_only_an_operator_at_the_unix_socket_kills_and_asks(
    world: RunningService,
) -> None:
    client = DpopClient(world)
    body = json.dumps({"subject": "rule:ci-root"}).encode()
    with world.local() as operator, world.wire() as wire:
        assert operator.ask("POST", "/admin/kill", body).json["new"] is True
        assert wire.ask("POST", "/admin/kill", body).status == 404
        assert wire.ask("GET", "/admin/state").status == 404
        assert client.exchange(wire, ci_token(world)).status == 400
        # No delegation names its issuer, so nobody knows what ended.
        for act, key, said in (("kill", "ended", None), ("revive", "revived", True)):
            issuer = json.dumps({"subject": "issuer:nobody"}).encode()
            assert operator.ask("POST", f"/admin/{act}", issuer).json[key] is said
        assert "rule:ci-root" in operator.ask("GET", "/admin/state").json["kills"]
        assert operator.ask("POST", "/admin/revive", body).json["revived"] is True
        for bad in (b"", b"{}", b'{"subject":"x"}', b'{"subject":1}'):
            assert operator.ask("POST", "/admin/kill", bad).status == 400


def test_a_bad_reload_leaves_the_last_good_rules_and_a_good_one_changes_them(
    world: RunningService,
) -> None:
    client = DpopClient(world)
    with world.wire() as wire:
        held = client.get(wire, ci_token(world))
        world.rules = USUAL_RULES.replace("ci-root", "ci root")
        world.write()
        world.reload()
        ready = wire.ask("GET", "/readyz")
        assert (ready.status, ready.json["reload_refused"] != "") == (200, True)
        assert client.exchange(wire, ci_token(world)).status == 200
        world.rules = USUAL_RULES.replace("[read, write]", "[read]")
        world.write()
        world.reload()
        assert wire.ask("GET", "/readyz").json["reload_refused"] == ""
        reply = client.exchange(wire, ci_token(world))
        assert reply.json["scope"] == "read"
        # What was opened under the rule as it stood is worth nothing more.
        assert client.exchange(wire, held, ACCESS).status == 400
        world.rules = " []"
        world.write()
        world.reload()
        assert client.exchange(wire, ci_token(world)).status == 400
        world.rules = USUAL_RULES
        world.write()
        world.reload()


def test_a_cold_start_with_bad_rules_gives_nothing_and_is_not_ready(
    world: RunningService,
) -> None:
    world.stop()
    world.rules = USUAL_RULES.replace("ttl: 10m", "ttl: 10h")
    world.write()
    world.start()
    client = DpopClient(world)
    with world.wire() as wire:
        assert wire.ask("GET", "/healthz").status == 200
        ready = wire.ask("GET", "/readyz")
        assert (ready.status, ready.json["ready"]) == (503, False)
        assert client.exchange(wire, ci_token(world)).status == 400
    assert world.told("policy.missing") == 1
    world.rules = USUAL_RULES
    world.write()
    world.reload()
    with world.wire() as wire:
        assert wire.ask("GET", "/readyz").json["ready"] is True
        assert client.exchange(wire, ci_token(world)).status == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_what_was_seen_and_what_was_given(
    fresh: RunningService, how: int
) -> None:
    client = DpopClient(fresh)
    subject, proof = ci_token(fresh), client.proof()
    with fresh.wire() as wire:
        token = client.get(wire, subject, proof=proof)
        kid = wire.ask("GET", "/jwks").json
    fresh.stop(how)
    fresh.start()
    with fresh.wire() as wire:
        assert client.exchange(wire, subject).json == {"error": "invalid_grant"}
        again = client.exchange(wire, ci_token(fresh), proof=proof)
        assert again.json == {"error": "invalid_dpop_proof"}
        assert wire.ask("GET", "/jwks").json == kid
        assert client.exchange(wire, token, ACCESS).status == 200


def test_every_attempt_leaves_a_row_that_names_what_it_was(
    fresh: RunningService,
) -> None:
    client = DpopClient(fresh)
    with fresh.wire() as wire:
        token = client.get(wire, ci_token(fresh), client_id="me")
        client.exchange(wire, ci_token(fresh, job="7"))
        client.exchange(wire, "garbage")
        client.exchange(wire, ci_token(fresh), audience="https://elsewhere.example")
        wire.form("/token", {"grant_type": "password"})
        client.delegate(wire, token, agent=SUB, jkt=DpopClient(fresh).jkt)
        client.delegate(wire, token, agent=STOPPED, jkt=DpopClient(fresh).jkt)
        wire.form("/revoke", {"token": token}, {"DPoP": client.proof("/revoke")})
    fresh.stop()
    with EvidenceStore.open(fresh.store, now=time.time_ns()) as store:
        query = (
            "SELECT action, outcome, agent, credential, issued, run, facts "
            "FROM events WHERE source = 'sts' ORDER BY event_time"
        )
        rows = [
            (action, outcome, dict(facts))
            for action, outcome, *_, facts in store.run_query(query)
        ]
        whole = list(store.run_query(query))
    told = [
        (action, outcome, facts.get("error"), facts.get("reason"))
        for action, outcome, facts in rows
    ]
    assert told == [
        ("sts:exchange", "success", None, None),
        ("sts:exchange", "denied", "invalid_grant", "no-rule"),
        ("sts:exchange", "denied", "invalid_grant", "segments"),
        ("sts:exchange", "denied", "invalid_target", "audience"),
        ("sts:exchange", "denied", "unsupported_grant_type", "grant-type"),
        ("sts:ticket", "success", None, None),
        ("sts:ticket", "denied", "invalid_grant", f"pair: {STOPPED}"),
        ("sts:revoke", "success", None, None),
    ]
    first = rows[0][2]
    assert first["rule"] == "ci-root"
    assert len(first["rule_digest"]) == 64
    assert (first["owner"], first["chain"]) == (ANA, ROOT)
    assert (first["issuer"], first["kid"], first["bound"]) == ("ci", "ci-1", "dpop")
    assert first["claim:job"] == "42"
    assert first["self:client_id"] == "me"
    assert str(whole[0][3]).startswith("cred:token/")
    assert str(whole[0][4]).startswith("cred:token/")
    assert len(str(whole[0][5])) == 32
    print(f"{len(rows)} attempts, {len(rows)} rows")


def call(world: RunningService, token: str, agent: str, run: str) -> AuditEvent:
    """What a gateway records of a call with that token."""
    at = time.time_ns()
    digest = hashlib.sha256(token.encode()).hexdigest()
    return AuditEvent(
        event_id=build_event_id(at, "gateway", "recorder", b"1"),
        event_time=at,
        source="gateway",
        scope="recorder",
        written_by=WrittenBy.MEDIATOR,
        raw_sha256=bytes(32),
        action="mcp:tools/call",
        outcome=EventOutcome.SUCCESS,
        credential=f"cred:token/{digest}",
        run=run,
        agent=agent,
        tool="tool:mcp/files/read_file",
        resource="tool:mcp/files/read_file",
    )


def test_a_calls_token_leads_to_everybody_behind_it_after_its_end(
    fresh: RunningService,
) -> None:
    clients = [DpopClient(fresh) for _ in range(3)]
    with fresh.wire() as wire:
        token = clients[0].get(wire, ci_token(fresh))
        for above, below, agent in zip(clients, clients[1:], (SUB, LEAF), strict=False):
            given = above.delegate(wire, token, agent=agent, jkt=below.jkt)
            token = below.get(wire, str(given.json["ticket"]), TICKET_TYPE_URI)
        run = str(taken(fresh, wire, token).find_claim_at_path("answerable", "dlg"))
        with fresh.local() as operator:
            assert operator.form("/revoke", {"token": token}).status == 200
    fresh.stop()
    now = time.time_ns()
    with EvidenceStore.open(fresh.store, now=now) as store:
        store.append([call(fresh, token, LEAF, run)], now)
        store.seal(now)
        question = TraceQuery(tool="read_file")
        (item,) = trace_events(store, question, now=now).items
    hops = {name: (hop["value"], hop["status"]) for name, hop in item["hops"].items()}
    assert hops["person"] == (ANA, "observed")
    assert hops["agent"] == (LEAF, "observed")
    assert item["agent_path"] == [ROOT, SUB, LEAF]
    assert hops["tool"][1] == "observed"
    # The call, two tickets, two tokens above, and what the root was got with.
    assert len(item["credential_path"]) == 6


def test_the_spool_is_ingested_like_a_gateways(fresh: RunningService) -> None:
    client = DpopClient(fresh)
    with fresh.wire() as wire:
        client.get(wire, ci_token(fresh))
    now = time.time_ns()
    with EvidenceStore.open(fresh.folder / "other", now=now) as store:
        fresh.stop(signal.SIGKILL)
        shipped = ship_spool(store, fresh.state / "spool", now=now)
        assert shipped.stored == 1
        assert store.run_query("SELECT source, recorder FROM events")


def test_two_services_do_not_share_a_folder(world: RunningService) -> None:
    done = cli(world, "serve", "--only", "token-service")
    assert done.returncode != 0
    assert "another" in done.stderr


def test_keys_are_listed_and_turned(world: RunningService) -> None:
    done = cli(world, "token-service", "keys")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["active", "prepared"]
    with world.wire() as wire:
        published = {each["kid"] for each in wire.ask("GET", "/jwks").json["keys"]}
        assert published == {line.split()[0] for line in lines}
        token = DpopClient(world).get(wire, ci_token(world))
        active = lines[0].split()[0]
        assert cli(world, "token-service", "keys", "--kill", active).returncode == 0
        deadline = time.monotonic() + 60
        while active in {e["kid"] for e in wire.ask("GET", "/jwks").json["keys"]}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        fresh = DpopClient(world).get(wire, ci_token(world))
        assert taken(world, wire, fresh, FILES).kid != active
        with world.local() as operator:
            said = operator.form("/introspect", {"token": token}).json
            assert said == {"active": False}


def test_an_owner_who_is_attested_no_more_stops_the_agent(
    world: RunningService,
) -> None:
    client = DpopClient(world)
    with world.wire() as wire:
        token = client.get(wire, ci_token(world))
        revoke_owner(world.store)
        wait_for_status(world, client, 400)
        assert client.exchange(wire, token, ACCESS).status == 400


def test_a_kill_of_a_service_that_does_not_run_waits_for_its_start(
    fresh: RunningService,
) -> None:
    fresh.stop()
    done = cli(fresh, "token-service", "kill", ROOT)
    assert done.returncode == 0, done.stderr
    assert "is not running" in done.stderr
    fresh.start()
    client = DpopClient(fresh)
    with fresh.wire() as wire:
        assert client.exchange(wire, ci_token(fresh)).status == 400
        assert client.exchange(wire, ci_token(fresh, job="43")).status == 200
    assert cli(fresh, "token-service", "kill", "nobody").returncode == 2


def test_kills_are_in_the_evidence(fresh: RunningService) -> None:
    with fresh.local() as operator:
        body = json.dumps({"subject": str(LEAF)}).encode()
        operator.ask("POST", "/admin/kill", body)
        operator.ask("POST", "/admin/revive", body)
    fresh.stop()
    with EvidenceStore.open(fresh.store, now=time.time_ns()) as store:
        query = (
            "SELECT action, resource, source FROM events "
            "WHERE starts_with(action, 'answerable:') ORDER BY event_time"
        )
        assert list(store.run_query(query)) == [
            ("answerable:kill", LEAF, "sts"),
            ("answerable:revive", LEAF, "sts"),
        ]
