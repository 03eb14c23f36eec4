"""What an agent does is learned, signed by its owner, and then holds it."""

from pathlib import Path
from typing import Any

import pytest

from tests.gateway.serve.owners import (
    AGENT,
    ANA,
    BEN,
    Owners,
    passes,
    refused,
    wait_until,
)
from tests.gateway.serve.running_gateway import (
    Backend,
    Serving,
    configuration,
    serving,
    token_of,
)

ALICE = "DE89370400440532013000"
EVE = "US133000000121212121212"
MALLORY = "FR7630006000011234567890189"


def bank(port: int, pay: str = "pay") -> dict[str, Any]:
    """Two agents; what the first pays is looked at."""
    settings = configuration(port)
    server = settings["servers"]["files"]
    server["reads"] = ["read", "US*", "FR*"]
    server["tools"] = {pay: {"sensitive": ["to"], "kinds": {"to": "iban"}}}
    settings["tables"] = {
        "payees": {
            "values": [ALICE],
            "sinks": [{"server": "files", "tool": pay, "argument": "to"}],
        }
    }
    for name in ("ana", "ben"):
        settings["agents"][name]["allow"][0]["tools"] = ["*"]
    settings["agents"]["ana"]["baseline"] = {"span": "1m"}
    return settings


def pays(served: Serving, to: str) -> bool:
    return passes(served, "pay", to=to)


def digests(owners: Owners, *words: str) -> list[dict[str, Any]]:
    code, items, err = owners("baseline", *words)
    assert code == 0, err
    assert items is not None
    return list(items)


def drafted(folder: Path, settings: dict[str, Any], owners: Owners) -> str:
    """Let an agent work, and learn from that; the digest of its profile."""
    with serving(folder, settings) as served:
        owners.attest(ANA)
        assert passes(served, "read")
        assert all(pays(served, ALICE) for _ in range(60))  # so many are usual then
        assert pays(served, EVE)  # nothing holds it yet
        assert "result" in served.call("pay", "ben", arguments={"to": EVE})
        assert served.end() == 0
    (draft,) = digests(owners, "learn", "ana")
    assert (draft["state"], draft["runs"], draft["ready"]) == ("draft", 1, False)
    name = draft["digest"]
    (shown,) = digests(owners, "show", name[:12])
    held = {(each["layer"], each["tool"], each["path"]) for each in shown["entries"]}
    assert {("L1", "files/pay", ""), ("L2", "files/pay", "to")} <= held
    around = [each["what"] for each in shown["entries"] if each["layer"] == "L5"]
    assert "network loopback, workload corp/ana" in around
    assert digests(owners, "diff", name)
    words = ("baseline", "sign", name, "--stage")
    early = owners(*words, "enforce", *owners.key(ANA))
    other = owners(*words, "shadow", *owners.key(BEN))
    assert (early[0], other[0]) == (2, 1)
    assert "in shadow" in early[2]
    assert "person:ben@corp.example" in other[2]
    return str(name)


def test_a_signed_baseline_holds_its_agent_and_what_its_owner_amends_passes(
    tmp_path: Path, server: Backend, owners: Owners
) -> None:
    settings = bank(server.server_port)
    name = drafted(tmp_path, settings, owners)
    words = ("baseline", "sign", name, "--stage")
    with serving(tmp_path, settings) as served:
        signed = owners.sign(ANA, *words, "shadow")
        assert (signed["state"], signed["stage"]) == ("standing", "shadow")
        told = served.hear("baseline.in-force")
        assert (told["digest"], told["stage"]) == (name, "shadow")
        assert passes(served, MALLORY)  # a result that names an account
        assert pays(served, MALLORY)
        owners.sign(ANA, *words, "enforce")
        wait_until(lambda: not pays(served, MALLORY))
        assert pays(served, ALICE)
        decision = refused(served.call("pay", arguments={"to": MALLORY}))
        wait_until(lambda: bool(owners("asks")[1]))
        owners.sign(ANA, "asks", "allow", decision)
        wait_until(lambda: pays(served, MALLORY))
        assert not pays(served, "GB29NWBK60161331926819")
        code, _, err = owners(*words, "off", *owners.key(ANA))
        assert (code, "this ends enforcement" in err) == (2, True)
        assert not pays(served, "GB29NWBK60161331926819")
        owners.sign(ANA, *words, "off", "--ends-enforcement")
        wait_until(lambda: pays(served, "GB29NWBK60161331926819"))
        assert served.end() == 0
    explained = owners("decision", decision)[1][0]
    assert (explained["reason"], explained["layer"]) == ("behaviour", "baseline")
    (replayed,) = digests(owners, "replay", "ana", "--profile", name)
    assert replayed["compared"] > 3
    assert replayed["differing"] == 0
    assert replayed["denied"] >= 2
    assert decision in [each["decision"] for each in replayed["held_back"]]


def test_a_renamed_tool_keeps_its_profile_once_the_owner_signs_the_map(
    tmp_path: Path, server: Backend, owners: Owners
) -> None:
    name = drafted(tmp_path, bank(server.server_port), owners)
    for stage in ("shadow", "enforce"):
        owners.sign(ANA, "baseline", "sign", name, "--stage", stage)
    for wrong, why in (
        ("files/pay", "invalid rename"),
        ("files/pay=other/pay", "names two servers"),
        ("files/pya=files/transfer", "did you mean files/pay?"),
        ("files/pay=files/read", "already contains files/read"),
    ):
        code, _, err = owners("baseline", "rename", "ana", wrong)
        assert code == 2
        assert why in err
    (draft,) = digests(owners, "rename", "ana", "files/pay=files/transfer")
    assert (draft["state"], draft["parent"]) == ("draft", name)
    renamed = draft["digest"]
    lines = digests(owners, "diff", renamed)
    assert [(each["tool"], each["text"]) for each in lines] == [
        ("files/transfer", "the tool, with the rules learned for files/pay")
    ]
    # Until the new profile enforces, nothing does.
    for stage in (("shadow", "--ends-enforcement"), ("enforce",)):
        owners.sign(ANA, "baseline", "sign", renamed, "--stage", *stage)
    # The calls from before count under the new name when the next profile is learned.
    (again,) = digests(owners, "learn", "ana")
    (shown,) = digests(owners, "show", again["digest"])
    tools = {each["tool"] for each in shown["entries"] if each["layer"] == "L1"}
    assert tools == {"files/read", "files/transfer"}
    with serving(tmp_path, bank(server.server_port, "transfer")) as served:
        assert served.hear("baseline.in-force")["digest"] == renamed
        assert passes(served, "transfer", to=ALICE)
        assert not passes(served, "transfer", to=MALLORY)
        assert not passes(served, "pay", to=ALICE)
        assert served.end() == 0


@pytest.mark.parametrize("words", [("show", "nobody"), ("learn", "nobody")])
def test_what_is_not_there_is_told_in_one_line(
    tmp_path: Path, owners: Owners, words: tuple[str, ...]
) -> None:
    code, items, err = owners("baseline", *words)
    assert (code, items) == (2, None)
    assert AGENT not in err


OWN = "https://sts.corp.example"
BELOW = "agent:declared/below"


def below(*agents: str) -> str:
    """A token of our token service for a sub-agent and those above it."""
    act: dict[str, object] = {"sub": agents[-1]}
    for agent in agents[-2::-1]:
        act = {"sub": agent, "act": act}
    return token_of("person:ana@corp.example", iss=OWN, act=act)


def test_a_sub_agent_is_held_to_the_baseline_of_the_agent_above_it(
    tmp_path: Path, server: Backend
) -> None:
    settings = bank(server.server_port)
    own = {"iss": OWN, "ours": True}
    settings["issuers"]["own"] = settings["issuers"]["corp"] | own
    settings["agents"]["ana"]["baseline"] = {"cold": "enforce"}
    # Its own rules let it do everything, and nobody watches it.
    settings["agents"]["below"] = {"allow": settings["agents"]["ana"]["allow"]}
    with serving(tmp_path, settings) as served:

        def pays_as(to: str, *agents: str) -> bool:
            said = served.call("pay", arguments={"to": to}, token=below(*agents))
            return "result" in said

        assert pays_as(EVE, BELOW)
        assert pays_as(ALICE, BELOW, AGENT)
        assert not pays_as(EVE, BELOW, AGENT)
        assert not pays_as(EVE, BELOW, "agent:declared/ben", AGENT)
        assert served.end() == 0
