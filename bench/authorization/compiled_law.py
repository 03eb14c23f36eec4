"""Law of compiled policies on a large set: same decisions as Cedar.

The set is made of blocks, each with agents and servers of its own, so that a call meets
some policies of its block and none of the others; Cedar is asked about all of them.
"""

import random
from collections.abc import Iterator

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from answerable.authorization.cedar.loader import load_policies
from answerable.authorization.decision import EMPTY_STATE, decide
from answerable.authorization.decision_table import build_decision_table
from answerable.connectors.config.parse.policy_files import list_policy_entity_names
from answerable.model.cedar_policy import CedarFile
from answerable.model.config import Config
from answerable.model.decision import AuthorizationRequest, DecisionEffect
from answerable.model.ids import AgentId
from bench.figures import BenchFigure, FigureGoal, at_most
from tests.authorization.cedar.policy_strategies import policies, requests
from tests.authorization.config_strategies import agent, config, server
from tests.reference.authorization import decision as spec

POLICIES, QUICK = 5000, 100
OF_A_BLOCK = 11  # of which half name no agent and no server, and are left out
ASKED = 4  # calls for each block
SEED = 20261127
NAMES, SERVERS = ("ana", "ben", "cam"), ("files", "mail")

PolicyBlock = tuple[list[str], list[AuthorizationRequest]]


def run_law(*, quick: bool, command: str) -> Iterator[BenchFigure]:
    """Decide both ways on calls for every block of one set."""
    blocks = (QUICK if quick else POLICIES) // 5
    drawn = _draw_requests(blocks)
    texts = [
        _block_text(text, number)
        for number, (own, _) in enumerate(drawn)
        for text in own
        if _names_own_entity(text)
    ]
    file = _build_config(len(drawn))
    given_file = CedarFile("a.cedar", "\n".join(texts).encode())
    rules = load_policies([given_file], list_policy_entity_names(file)).rules
    table = build_decision_table(file, rules)
    wrong = 0
    seen = dict.fromkeys(DecisionEffect, 0)
    for number, (_, asked) in enumerate(drawn):
        for each in asked:
            request = _block_request(each, number)
            decision = decide(table, EMPTY_STATE, request)
            seen[decision.effect] += 1
            wrong += decision != spec.decide(file, frozenset(), request, rules)
    calls = sum(seen.values())
    words = ", ".join(f"{count} {effect}" for effect, count in seen.items())
    what = f"decided otherwise than plain Cedar, of {calls:,} calls ({words})"
    yield BenchFigure(what, "", (wrong,), command, at_most(0, "none"))
    goal = FigureGoal(f">= {POLICIES:,}", lambda value: quick or value >= POLICIES)
    yield BenchFigure("policies in that set", "", (len(rules.rules),), command, goal)


def _draw_requests(blocks: int) -> list[PolicyBlock]:
    found: list[PolicyBlock] = []

    @seed(SEED)
    @settings(
        max_examples=blocks,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(policies(), min_size=OF_A_BLOCK, max_size=OF_A_BLOCK),
        st.lists(requests(), min_size=ASKED, max_size=ASKED),
    )
    def take(own: list[str], asked: list[AuthorizationRequest]) -> None:
        found.append((own, asked))

    take()
    random.Random(SEED).shuffle(found)
    return found


def _names_own_entity(text: str) -> bool:
    """Return whether a policy's scope names an entity of its block."""
    head = text.partition(" when ")[0].partition(" unless ")[0]
    return any(f'{kind}::"' in head for kind in ("Agent", "Server", "Tool", "Resource"))


def _block_text(text: str, number: int) -> str:
    for name in NAMES:
        text = text.replace(f"agent:declared/{name}", f"agent:declared/{name}{number}")
    for name in SERVERS:
        text = text.replace(f"server:{name}", f"server:{name}{number}")
        text = text.replace(f":mcp/{name}/", f":mcp/{name}{number}/")
    return text


def _block_request(request: AuthorizationRequest, number: int) -> AuthorizationRequest:
    return msgspec.structs.replace(
        request,
        agent=AgentId(f"{request.agent}{number}"),
        server=f"{request.server}{number}",
        chain=tuple(AgentId(f"{each}{number}") for each in request.chain),
    )


def _build_config(blocks: int) -> Config:
    everywhere = range(blocks)
    return config(
        *(agent(f"{name}{number}") for name in NAMES for number in everywhere),
        servers=tuple(
            server(f"{name}{number}") for name in SERVERS for number in everywhere
        ),
    )
