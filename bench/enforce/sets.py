"""Large sets of policies, a configuration that they fit, and calls for each."""

import json
from collections.abc import Iterator

from answerable.connectors.config.parse.policies import named_by
from answerable.enforce.cedar.read import Read, read_rules
from answerable.model.cedar import NO_RULES, CedarFile, CedarRules
from answerable.model.config import Config
from answerable.model.decision import Layer, Request, Target
from answerable.model.ids import agent_id
from tests.enforce.configs import agent, config, server

AGENTS, SERVERS = 500, 50
KINDS = (Layer.TABLE, Layer.CONSTRAINT, Layer.CEDAR)

_CONDITIONS = {
    Layer.TABLE: "",
    Layer.CONSTRAINT: " when {{ context.arguments.amount < {0} && "
    'context.arguments.path like "/srv/{0}/*" }}',
    Layer.CEDAR: " when {{ context.arguments.amount + 1 < {0} && "
    'context.arguments.path like "/srv/{0}/*" }}',
}


def the_config() -> Config:
    return config(
        *(agent(f"a{number}") for number in range(AGENTS)),
        servers=tuple(server(f"s{number}") for number in range(SERVERS)),
    )


def policy(number: int, kind: Layer, edition: int = 0, agents: int = AGENTS) -> str:
    """One policy about one agent and one tool; another edition says the same."""
    conditions = _CONDITIONS[kind].format(number + 10)
    return (
        f'@id("r{number}") @edition("{edition}")\npermit (\n'
        f'  principal == Agent::"agent:declared/a{number % agents}",\n'
        f'  action == Action::"tools/call",\n'
        f'  resource == Tool::"tool:mcp/s{number % SERVERS}/t{number}"\n'
        f"){conditions};\n"
    )


def texts(count: int, kind: Layer, changed: int = 0) -> Iterator[str]:
    """A whole set, of which the first few are another edition."""
    for number in range(count):
        yield policy(number, kind, edition=int(number < changed))


def read(given: Iterator[str], before: CedarRules = NO_RULES) -> Read:
    file = CedarFile("a.cedar", "".join(given).encode())
    return read_rules([file], named_by(the_config()), before)


def calls(count: int) -> list[Request]:
    """One call for each policy, which allows it."""
    return [
        Request(
            *(agent_id("declared", f"a{number % AGENTS}"), True),
            *(f"s{number % SERVERS}", "tools/call", Target.TOOL, f"t{number}"),
            *("run-1", "corp ana"),
            arguments=json.dumps(arguments(number)).encode(),
        )
        for number in range(count)
    ]


def arguments(number: int) -> dict[str, object]:
    """What the policy of that number allows."""
    return {"amount": number, "path": f"/srv/{number + 10}/a", "note": "to file"}
