"""docs/conformance.md, written by a run and never by hand."""

from collections import Counter
from collections.abc import Mapping

from tests.mcp.conformance.delta import Difference
from tests.mcp.conformance.suite import Run

Pairs = Mapping[str, tuple[Run, Run]]
Deltas = Mapping[str, list[Difference]]

_OPENING = """\
# Conformance

Written by `make conformance`; do not edit. The MCP conformance suite acts as a client
and checks the responses. For each requirement set, it runs twice: directly against a
test server, and through the gateway in front of that server. Every check must have the
same result. The delta is the number of checks with a different result.
"""
_HOW = """\
## How

- The test server uses the MCP Python SDK and provides the fixtures that the suite
  requires. It has no other purpose.
- The gateway is one `answerable serve` process in enforce mode. Its caller presents a
  signed token of a pinned issuer and is one agent with an allow list; every call is
  decided and recorded.
- The suite cannot send a token. A relay on loopback adds the field `Authorization` to
  each request and forwards all other bytes unchanged.
- Unscored scenarios of a set (extensions such as tasks, and scenarios that are newer
  than its release) are compared as well. Scenarios that the suite skips are counted
  separately.
- `make world` also runs the suite with two workers, and tests the clients of the MCP
  Python SDK, FastMCP and both TypeScript SDKs through the gateway: over HTTP, over a
  `gateway stdio` that they start, to servers by URL and by command.
"""


def page(told: Mapping[str, str], pairs: Pairs, deltas: Deltas) -> str:
    """Return the whole page.

    Args:
        told: What was run, with what and when: name -> value.
        pairs: Requirement set -> the run straight at the server, the run through.
        deltas: Requirement set -> how the two differ.
    """
    return "\n".join(
        [
            _OPENING,
            *_versions(told),
            *_summary(pairs, deltas),
            *(_differences(name, found) for name, found in deltas.items() if found),
            *(_scenarios(name, *pair) for name, pair in pairs.items()),
            _HOW,
        ]
    )


def _versions(told: Mapping[str, str]) -> list[str]:
    rows = [f"| {name} | {value} |" for name, value in told.items()]
    return ["| run | |", "|---|---|", *rows, ""]


def _summary(pairs: Pairs, deltas: Deltas) -> list[str]:
    rows = [
        f"| {name} | {_passed(direct, scored=True)} | {_passed(through, scored=True)} "
        f"| {_passed(direct, scored=False)} | {_passed(through, scored=False)} "
        f"| {len(deltas[name])} |"
        for name, (direct, through) in pairs.items()
    ]
    head = (
        "| requirement set | scored, direct | through the gateway "
        "| unscored, direct | through the gateway | delta |"
    )
    return [head, "|---|---|---|---|---|--:|", *rows, ""]


def _passed(run: Run, *, scored: bool) -> str:
    passed = run.count("SUCCESS", scored=scored)
    failed = run.count("FAILURE", scored=scored) + run.count("WARNING", scored=scored)
    return f"{passed} passed, {failed} failed"


def _differences(name: str, found: list[Difference]) -> str:
    rows = [
        f"| {one.scenario} | {one.check} | {one.direct} | {one.through} |"
        for one in found
    ]
    head = "| scenario | check | direct | through the gateway |"
    return "\n".join(
        [f"## Differences in {name}\n", head, "|---|---|---|---|", *rows, ""]
    )


def _scenarios(name: str, direct: Run, through: Run) -> str:
    scenarios = sorted({scenario for scenario, _, _ in direct.checks})
    rows = [
        f"| {scenario} | {'no' if scenario in direct.unscored else 'yes'} "
        f"| {_of(direct, scenario)} | {_of(through, scenario)} |"
        for scenario in scenarios
    ]
    head = "| scenario | scored | direct | through the gateway |"
    return "\n".join([f"## {name}\n", head, "|---|---|---|---|", *rows, ""])


def _of(run: Run, scenario: str) -> str:
    ended: Counter[str] = Counter()
    for (name, _, _), of in run.checks.items():
        if name == scenario:
            ended += of
    skipped = f", {ended['SKIPPED']} skipped" if ended["SKIPPED"] else ""
    return f"{ended['SUCCESS']} of {ended.total() - ended['SKIPPED']}{skipped}"
