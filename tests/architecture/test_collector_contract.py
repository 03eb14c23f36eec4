"""The collector cannot decide, mint or sign: its import contracts, and violations."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest

COLLECTOR = "answerable.collector"
ACTS = (
    "answerable.authorization.decision",
    "answerable.federation.token_exchange_decision",
    "answerable.gateway",
    "answerable.pdp",
    "answerable.server.issuers",
    "answerable.sts",
    "answerable.usecases.authorization",
    "answerable.usecases.evidence.remote_signing",
    "answerable.usecases.federation",
)


@cache
def contracts(root: Path) -> tuple[dict[str, Any], ...]:
    """Read the two contracts on the collector."""
    document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    listed = document["tool"]["importlinter"]["contracts"]
    return tuple(c for c in listed if c.get("source_modules") == [COLLECTOR])


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("answerable")


def violations(graph: grimp.ImportGraph, contract: dict[str, Any]) -> set[str]:
    """Name the forbidden modules that the collector imports, or reaches."""
    own = {COLLECTOR} | graph.find_descendants(COLLECTOR)
    found: set[str] = set()
    for forbidden in contract["forbidden_modules"]:
        bad = {forbidden} | graph.find_descendants(forbidden)
        if contract.get("allow_indirect_imports"):
            reached = {
                i for o in own for i in graph.find_modules_directly_imported_by(o)
            }
        else:
            reached = {up for o in own for up in graph.find_upstream_modules(o)}
        found |= bad & reached
    return found


def test_the_contracts_hold(root: Path, graph: grimp.ImportGraph) -> None:
    direct, reach = contracts(root)
    assert violations(graph, direct) == set()
    assert violations(graph, reach) == set()
    assert set(ACTS) <= set(reach["forbidden_modules"])


@pytest.mark.parametrize(
    "forbidden",
    [
        "answerable.authorization.decision",
        "answerable.evidence.dsse",
        "answerable.federation.signatures",
    ],
)
def test_a_planted_import_breaks_the_first(
    root: Path, graph: grimp.ImportGraph, forbidden: str
) -> None:
    app = f"{COLLECTOR}.app"
    graph.add_import(importer=app, imported=forbidden)
    try:
        assert forbidden in violations(graph, contracts(root)[0])
    finally:
        graph.remove_import(importer=app, imported=forbidden)


@pytest.mark.parametrize("forbidden", ["sts.signing_keys.signer", "pdp.runtime.app"])
@pytest.mark.parametrize(
    "importer", [f"{COLLECTOR}.app", "answerable.usecases.inventory.scan"]
)
def test_a_planted_chain_breaks_the_second(
    root: Path, graph: grimp.ImportGraph, importer: str, forbidden: str
) -> None:
    imported = f"answerable.{forbidden}"
    graph.add_import(importer=importer, imported=imported)
    try:
        assert imported in violations(graph, contracts(root)[1])
    finally:
        graph.remove_import(importer=importer, imported=imported)
