"""An ask reaches its owner, who signs or not, and a running gateway does as signed."""

import json
from pathlib import Path

from tests.authority import Authority
from tests.gateway.serve.chat_channel import channel
from tests.gateway.serve.owners import ANA, Owners, passes, refused, wait_until
from tests.gateway.serve.running_gateway import Backend, configuration, serving


def test_what_an_owner_signs_passes_and_nothing_beside_it(
    tmp_path: Path, server: Backend, owners: Owners
) -> None:
    with serving(tmp_path, configuration(server.server_port)) as served:
        owners.attest(ANA)
        decision = refused(served.call("write", arguments={"a": 1}))
        wait_until(lambda: bool(owners("asks")[1]))
        (ask,) = owners("asks")[1]
        assert (ask["id"], ask["state"], ask["owner"]) == (
            decision,
            "open",
            f"person:{ANA}",
        )
        told = owners.sign(ANA, "asks", "allow", decision[:20])
        assert told["state"] == "allowed"
        wait_until(lambda: passes(served, a=1))
        assert not passes(served, a=2)
        assert not passes(served, "delete", a=1)
        assert "error" in served.call("write", "ben", arguments={"a": 1})
        wide = owners.sign(ANA, "asks", "allow", decision, "--any-arguments")
        wait_until(lambda: passes(served, a=2))
        for each in (told, wide):
            gone = owners.sign(ANA, "asks", "revoke", each["amendment"])
            assert gone["state"] == "revoked"
        wait_until(lambda: not passes(served, a=1))
        assert served.metric("answerable_amendments") == 0
        assert served.end() == 0
    used = [
        each
        for each in owners("sql", "select * from decisions where reason = 'granted'")[1]
        if each["rules"] == f"amendment:{told['amendment']}"
    ]
    assert used
    (shown,) = owners("decision", used[0]["decision_id"])[1]
    assert shown["determining"][0]["text"].startswith(f"signed by person:{ANA}")


def test_a_webhook_hears_of_an_ask_once_and_of_nothing_secret(
    tmp_path: Path, server: Backend, owners: Owners
) -> None:
    authority = Authority(tmp_path)
    with channel(authority, refuses=1) as taking:
        settings = configuration(server.server_port, asks=taking.asks)
        with serving(tmp_path, settings) as served:
            owners.attest(ANA)
            arguments = {"password": "hunter2"}
            name = "write<!channel>"
            decision = refused(served.call(name, arguments=arguments))
            refused(served.call(name, arguments=arguments))
            # The first is not taken, so it is told again.
            wait_until(lambda: len(taking.seen) == 2)
            delivered = "answerable_approval_requests_delivered_total"
            wait_until(lambda: served.metric(delivered) == 1)
            assert served.end() == 0
        seen = taking.seen
    assert [path for path, _ in seen] == ["/services/T0/SECRETPART"] * 2
    said = json.dumps(seen[1][1])
    assert decision in said
    assert "agent:declared/ana" in said
    assert "ana@corp.example" in said
    assert "<!channel>" not in said
    assert "hunter2" not in said
    assert "SECRETPART" not in json.dumps(served.log)
