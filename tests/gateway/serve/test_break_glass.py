"""Two persons lift what a policy forbids, in the sight of everybody, for a while."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from answerable.evidence import dsse
from answerable.services.statements.policy_exceptions import AMENDMENT
from answerable.store.store import EvidenceStore
from tests.gateway.serve.owners import (
    AGENT,
    ANA,
    BEN,
    Owners,
    passes,
    refused,
    wait_until,
)
from tests.gateway.serve.running_gateway import Backend, configuration, serving

FORBID = """\
@id("never")
forbid (principal, action == Action::"tools/call", resource == Tool::"tool:mcp/files/write");
"""


def test_two_persons_break_the_glass_and_everybody_sees_it(
    tmp_path: Path, server: Backend, owners: Owners
) -> None:
    (tmp_path / "rules.cedar").write_text(FORBID)
    settings = configuration(server.server_port, policy=["rules.cedar"])
    with serving(tmp_path, settings) as served:
        owners.attest(ANA)
        owners.attest(BEN, "agent:declared/ben")
        decision = refused(served.call("write"))
        wait_until(lambda: owners("decision", decision)[0] == 0)
        config = ("--config", str(tmp_path / "answerable.yaml"))
        (shown,) = owners("decision", decision, *config)[1]
        _quotes_its_rule(shown)
        assert (shown["reason"], shown["amendment"]["by"]) == (
            "forbidden",
            "two persons",
        )
        assert owners("asks", "allow", decision, *owners.key(ANA))[0] == 2
        what = ("--agent", AGENT, "--server", "files", "--tool", "write")
        begun = owners.sign(ANA, "break-glass", "start", *what, "--reason-code", "I-7")
        assert begun["state"] == "open"
        code, _, err = owners("break-glass", "confirm", begun["id"], *owners.key(ANA))
        assert (code, "another person" in err) == (1, True)
        assert not passes(served)
        confirm = ("break-glass", "confirm", begun["id"][:16])
        code, _, err = owners(*confirm, *owners.key(BEN))
        said = f'with person:{ANA} you allow "{AGENT}" to do this: tool "write" at "files", '
        assert (code, f"{said}with any arguments, until" in err) == (0, True), err
        wait_until(lambda: passes(served))
        assert served.hear("break-glass.in-force")["persons"] == [
            f"person:{ANA}",
            f"person:{BEN}",
        ]
        used = served.hear("break-glass.used")
        assert used["level"] == "error"
        assert served.metric("answerable_break_glass") == 1
        assert served.metric("answerable_break_glass_calls_total") >= 1
        kill = ("gateway", "kill", "server:files", "--config", "answerable.yaml")
        argv = [sys.executable, "-m", "answerable", "--store", "store", *kill]
        subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
        wait_until(lambda: not passes(served))
        assert served.end() == 0
    argv = [sys.executable, "-m", "answerable", "--store", "store", "trace"]
    told = subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    assert b"BREAK-GLASS" in told.stdout
    (shown,) = owners("decision", used["decision"])[1]
    assert shown["reason"] == "break-glass"
    assert f"person:{BEN}" in shown["determining"][0]["text"]


def _quotes_its_rule(decision: dict[str, Any]) -> None:
    (rule,) = decision["determining"]
    assert (rule["text"], rule["current"]) == (FORBID.strip(), True)
    assert rule["place"].endswith("rules.cedar:1")


def test_what_was_tampered_with_in_the_store_is_refused_and_told(
    tmp_path: Path, server: Backend, owners: Owners
) -> None:
    with serving(tmp_path, configuration(server.server_port)) as served:
        owners.attest(ANA)
        decision = refused(served.call("write", arguments={"a": 1}))
        wait_until(lambda: bool(owners("asks")[1]))
        owners.sign(ANA, "asks", "allow", decision, "--for", "6s")
        ends = time.monotonic() + 6
        wait_until(lambda: passes(served, a=1) or time.monotonic() > ends)
        wait_until(lambda: not passes(served, a=1))  # its time has passed
        with EvidenceStore.open(tmp_path / "store", now=0, create=False) as store:
            (logged,) = store.list_objects(AMENDMENT)
            envelope = dsse.decode_envelope(store.get_object(logged.digest))
            later = envelope.payload.replace(b'"until":"1', b'"until":"2')
            forged = dsse.DsseEnvelope(
                envelope.payload_type, later, envelope.signatures
            )
            store.put_object(AMENDMENT, dsse.encode_envelope(forged), logged.at)
        assert "is not signed by the key" in served.hear("amendment.refused")["why"]
        assert not passes(served, a=1)
        assert served.end() == 0
