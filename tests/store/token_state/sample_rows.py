"""Rows to test what the token service remembers with."""

import hashlib
import itertools
from dataclasses import replace
from typing import Any

from answerable.model.delegation import Delegation, DelegationTicket
from answerable.model.ids import build_agent_id
from answerable.model.token_claims import Confirmation
from answerable.model.token_signing_key import SigningKey
from answerable.store.token_state.interface import (
    CommitOutcome,
    ExchangeCommit,
    IssuedTokenRecord,
    TokenState,
)
from answerable.store.token_state.replay_keys import ReplayKey

NOW = 1_800_000_000
BOT = build_agent_id("declared", "deploy-bot")
REPORTER = build_agent_id("declared", "reporter")
JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
MCP = "https://mcp.corp.example"

_COUNT = itertools.count(1)


def random_id() -> str:
    return f"{NOW:08x}{next(_COUNT):024x}"


def parent_of(number: int) -> str:
    """Id of a delegation that any process can name."""
    return f"{number:032x}"


def replay_key(
    name: str = "", since: int = NOW - 60, expires: int = NOW + 600
) -> ReplayKey:
    key = hashlib.sha256((name or random_id()).encode()).digest()
    return ReplayKey(key, since, expires)


def delegation(parent: Delegation | None = None, **changes: Any) -> Delegation:
    id = random_id()
    made = Delegation(
        id=id,
        parent=parent.id if parent else "",
        root=parent.root if parent else id,
        depth=parent.depth + 1 if parent else 1,
        sub="person:ana@example.com",
        agent=REPORTER if parent else BOT,
        actors=(REPORTER, BOT) if parent else (BOT,),
        owner="person:ben@example.com",
        rule="deploy-bot-ci",
        rule_digest="ab" * 32,
        run="run:1",
        audiences=(MCP,),
        scopes=((MCP, "tools:deploy"), (MCP, "tools:read")),
        cnf=Confirmation(jkt=JKT),
        issued=NOW,
        expires=NOW + 3600,
        bindings=((MCP, "dpop"),),
        ttls=((MCP, 600),),
    )
    return replace(made, **changes)


def token(under: Delegation, **changes: Any) -> IssuedTokenRecord:
    jti = random_id()
    digest = hashlib.sha256(jti.encode()).digest()
    return replace(IssuedTokenRecord(jti, under.id, digest, NOW + 600), **changes)


def ticket(parent: Delegation, **changes: Any) -> DelegationTicket:
    made = DelegationTicket(
        sha256=hashlib.sha256(random_id().encode()).hexdigest(),
        parent=parent.id,
        agent=REPORTER,
        jkt=JKT,
        audiences=(MCP,),
        scopes=((MCP, "tools:read"),),
        ttl=300,
        expires=NOW + 60,
    )
    return replace(made, **changes)


def signing_key(kid: str, replica: str = "one", **changes: Any) -> SigningKey:
    made = SigningKey(kid, replica, "x" * 43, "y" * 43, NOW, NOW + 600, NOW + 90_000)
    return replace(made, **changes)


def open_delegation(
    control: TokenState, parent: Delegation | None = None, **changes: Any
) -> Delegation:
    made = delegation(parent, **changes)
    asked = ExchangeCommit(under=made.parent, opens=made, token=token(made))
    assert control.commit(asked, NOW).outcome is CommitOutcome.DONE
    return made


def open_chain(control: TokenState, length: int) -> list[Delegation]:
    """A chain, its root first."""
    links: list[Delegation] = []
    for _ in range(length):
        links.append(open_delegation(control, links[-1] if links else None))
    return links
