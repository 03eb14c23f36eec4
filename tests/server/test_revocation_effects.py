"""Effects of a kill: what is dead, and what lives on until when."""

import pytest

from answerable.connectors.config.parse.config_file import parse_config
from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.config import Config
from answerable.model.credential import CredentialClass
from answerable.model.documents.revocation import RevocationEffectItem
from answerable.model.ids import CredentialId
from answerable.model.inventory import Inventory
from answerable.server.revocation_effects import (
    DRY_RUN_ACT,
    KILL_ACT,
    REVIVE_ACT,
    RevocationAct,
    list_revocation_effects,
)
from answerable.server.revocation_service import GATEWAY, SERVICE, RevocationResult
from tests.inventory.fact_builders import NOW, agent, credential, sync, tool

KEY = CredentialId("cred:aws/AKIARTX3GSDSRRFJNQSQ")
CLAUDE = "agent:claude-code/home/ana"
BOTH = (GATEWAY, SERVICE)
CONFIG = """
servers: {files: {url: "https://files.example/mcp"}}
sts:
  url: https://sts.example
  listen: [{unix: /run/sts.sock}]
rules:
  desk:
    agent: agent:declared/desk
    workload: {uid: 1000}
    grants: [{audience: "https://files.example", ttl: 10m}]
"""


@pytest.fixture
def config() -> Config:
    reading = parse_config(CONFIG.encode(), "answerable.yaml", "/")
    assert reading.config is not None, reading.faults
    return reading.config


@pytest.fixture
def inventory() -> Inventory:
    found = sync(
        "home:h",
        NOW,
        agents=(agent(),),
        tools=(tool("claude-code/home/ana", "db", KEY),),
        credentials=(credential(KEY, cls=CredentialClass.LITERAL),),
        collected=("agent-configs",),
    )
    return join_syncs_into_inventory([found], now=NOW, name="n")


def items(
    kind: str,
    subject: str,
    done: RevocationResult,
    config: Config | None,
    inventory: Inventory | None = None,
) -> list[RevocationEffectItem]:
    document = list_revocation_effects(
        RevocationAct(kind, subject, done, NOW), config, inventory
    )
    return list(document.items)  # type: ignore[arg-type]


def rows(found: list[RevocationEffectItem]) -> list[tuple[str, str, str]]:
    return [(each["what"], each["where"], each["state"]) for each in found]


def test_an_agents_keys_elsewhere_live_on(config: Config, inventory: Inventory) -> None:
    found = items(
        KILL_ACT,
        CLAUDE,
        RevocationResult(True, BOTH, ("d-1", "d-2")),
        config,
        inventory,
    )
    assert rows(found) == [
        ("calls", GATEWAY, "dead"),
        ("new tokens", SERVICE, "dead"),
        ("delegations", SERVICE, "dead"),
        ("tokens given before", "servers that verify tokens themselves", "lives"),
        (f"credential {found[4]['what'].partition(' ')[2]}", "its platform", "lives"),
    ]
    assert found[2]["count"] == 2
    assert (found[4]["id"], found[4]["until"]) == (KEY, None)


@pytest.mark.parametrize("subject", ["rule:desk", "issuer:corp", "run:d-1"])
def test_tokens_that_nothing_knows_live_at_the_gateway_too(
    config: Config, subject: str
) -> None:
    found = items(
        KILL_ACT,
        subject,
        RevocationResult(True, (SERVICE,), waiting=(SERVICE,)),
        config,
    )
    living = [each for each in found if each["state"] == "lives"]
    assert {each["where"] for each in living} >= {GATEWAY}
    # Ten minutes, as the longest of the rules' tokens.
    assert all(each["until"] is not None for each in living)
    if not subject.startswith("issuer:"):
        assert ("delegations", SERVICE, "not-known") in rows(found)


@pytest.mark.parametrize("known", [False, True])
def test_credentials_that_were_not_collected_are_not_none(
    config: Config, inventory: Inventory, known: bool
) -> None:
    scanned = inventory if known else None
    found = items(
        DRY_RUN_ACT,
        "agent:declared/x",
        RevocationResult(True, BOTH, ()),
        config,
        scanned,
    )
    assert rows(found)[-1] == ("credentials", "its platform", "not-known")
    document = list_revocation_effects(
        RevocationAct(KILL_ACT, CLAUDE, RevocationResult(True, BOTH, ()), NOW),
        config,
        inventory,
    )
    assert document.coverage["not_collected"]


def test_what_is_refused_or_taken_back_says_so(config: Config) -> None:
    refused = RevocationResult(
        True, (GATEWAY,), refused=(f"{SERVICE}: it runs as user sts",)
    )
    found = items(KILL_ACT, "run:d-1", refused, config)
    assert ("new tokens", SERVICE, "refused") in rows(found)
    assert found[1]["note"] == "it runs as user sts"
    assert rows(items(REVIVE_ACT, CLAUDE, RevocationResult(True, BOTH), config)) == [
        ("calls", GATEWAY, "revived"),
        ("new tokens", SERVICE, "revived"),
    ]
