"""docs/conformance.md, written by a run and never by hand."""

from collections import Counter
from collections.abc import Mapping

from tests.mcp.conformance.delta import Difference
from tests.mcp.conformance.suite import Run

Pairs = Mapping[str, tuple[Run, Run]]
Deltas = Mapping[str, list[Difference]]

_OPENING = """\
# Conformance

Written by `make conformance`; do not edit. The suite is MCP's own: it asks as a client
and judges what comes back. It runs twice for each requirement set, straight at a test
server and through the gateway in front of that server, and every check has to end the
same. The delta counts the checks that do not.
"""
_HOW = """\
## How

- The test server stands on the MCP Python SDK and offers each fixture that the suite
  names. It is of no use for anything else.
- The gateway is one `answerable serve` in enforce mode. Its caller shows a signed token
  of a pinned issuer and is one agent with an allow table; every call is decided and
  recorded.
- The suite has no option for a token. A relay on loopback adds the field
  `Authorization` to each request and passes every other byte as it came.
- Scenarios that a set runs without scoring (extensions such as tasks, and what came
  after its release) are compared all the same. What the suite skips itself is counted
  apart.
- `make world` does it with two workers as well, and sends the clients of the MCP Python
  SDK, FastMCP and both TypeScript SDKs on a journey through the gateway: over HTTP, over
  a `gateway stdio` that they start themselves, to servers by URL and by command.
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
