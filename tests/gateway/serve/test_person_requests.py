"""A person files what they asked an agent for, and that explains its calls."""

import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from answerable.evidence import signed_user_requests
from answerable.model.ids import AgentId, build_person_id
from answerable.model.person_request import ANY_RUN
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import LocalSigner
from answerable.services.statements.person_requests import REQUEST
from answerable.store.store import EvidenceStore
from tests.gateway.serve.owners import AGENT, ANA, BEN, Owners, refused, wait_until
from tests.gateway.serve.running_gateway import Backend, serving
from tests.gateway.serve.test_baseline import ALICE, EVE, MALLORY, bank, pays

WORDS = "Please pay the rent to US13 3000 0001 2121 2121 212 as agreed."


def forge(folder: Path) -> None:
    """Write a request into the store as whoever may write there, without a key of ana's."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    signer, now = LocalSigner(public, key.private_bytes_raw()), time.time_ns()
    store = EvidenceStore.open(folder / "store", now=now)
    try:
        filed = signed_user_requests.UserRequest(
            AgentId(AGENT), ANY_RUN, "0" * 64, 9, now + 10**12, (MALLORY,)
        )
        content = signed_user_requests.build_request_content(
            filed, build_person_id(ANA)
        )
        said = content.build_owner_statement(
            signer.id, owner_keys.get_store_id(store), now
        )
        store.put_object(REQUEST, signer.sign(said), now)
    finally:
        store.close()


def test_what_its_person_asked_for_passes_and_nothing_that_anybody_else_says(
    tmp_path: Path, server: Backend, owners: Owners
) -> None:
    settings = bank(server.server_port)
    settings["agents"]["ana"]["baseline"] = {"cold": "enforce"}
    words = tmp_path / "words"
    words.write_text(WORDS)
    with serving(tmp_path, settings) as served:
        owners.attest(ANA)
        assert pays(served, ALICE)
        assert not pays(served, EVE)
        filed = owners.sign(ANA, "requests", "file", "ana", str(words))
        assert (filed["state"], filed["agent"], filed["run"]) == (
            "standing",
            AGENT,
            None,
        )
        assert served.hear("request.in-force")["id"] == filed["id"]
        wait_until(lambda: pays(served, EVE))
        # Neither one without a key of theirs, nor one of somebody who is not its owner.
        forge(tmp_path)
        assert "not enrolled" in served.hear("request.refused")["why"]
        other = owners.sign(BEN, "requests", "file", "ana", "--value", MALLORY)
        wait_until(lambda: served.hear("request.in-force")["id"] == other["id"])
        held = refused(served.call("pay", arguments={"to": MALLORY}))
        assert served.end() == 0
    explained = [
        each["explained"]
        for decision in (held, *passed(owners))
        for each in owners("decision", decision)[1]
    ]
    assert explained[0] == []
    assert {
        "path": "to",
        "value": EVE,
        "origin": "a request signed by a person",
        "evidence": filed["id"],
    } in [value for values in explained for value in values]
    code, listed, _ = owners("requests")
    states = [each["state"] for each in listed]
    assert (code, states) == (0, ["standing", "standing", "key-not-enrolled"])
    assert listed[2]["person"] is None
    # Its run is for nobody, so it is its owner's to ask for something in.
    named = ("requests", "file", "ana", "--value", MALLORY, "--run", "ana")
    code, _, err = owners(*named, *owners.key(BEN))
    assert (code, ANA in err) == (1, True)
    assert owners.sign(ANA, *named)["run"] == "ana"
    assert not any(WORDS.encode() in each.read_bytes() for each in stored(tmp_path))


def passed(owners: Owners) -> list[str]:
    query = "SELECT decision_id FROM decisions WHERE effect = 'allow'"
    return [each["decision_id"] for each in owners("sql", query)[1]]


def stored(folder: Path) -> list[Path]:
    return [each for each in (folder / "store").rglob("*") if each.is_file()]
