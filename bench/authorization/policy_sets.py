"""Generated policy sets, with the arguments that each policy allows."""

from answerable.model.decision import DecisionLayer

AGENTS, SERVERS = 500, 50
KINDS = (DecisionLayer.TABLE, DecisionLayer.CONSTRAINT, DecisionLayer.CEDAR)

_CONDITIONS = {
    DecisionLayer.TABLE: "",
    DecisionLayer.CONSTRAINT: " when {{ context.arguments.amount < {0} && "
    'context.arguments.path like "/srv/{0}/*" }}',
    DecisionLayer.CEDAR: " when {{ context.arguments.amount + 1 < {0} && "
    'context.arguments.path like "/srv/{0}/*" }}',
}


def build_policy(
    number: int, kind: DecisionLayer, edition: int = 0, agents: int = AGENTS
) -> str:
    """Build one policy for one agent and one tool; editions differ only in text."""
    conditions = _CONDITIONS[kind].format(number + 10)
    return (
        f'@id("r{number}") @edition("{edition}")\npermit (\n'
        f'  principal == Agent::"agent:declared/a{number % agents}",\n'
        f'  action == Action::"tools/call",\n'
        f'  resource == Tool::"tool:mcp/s{number % SERVERS}/t{number}"\n'
        f"){conditions};\n"
    )


def allowed_arguments(number: int) -> dict[str, object]:
    """Return arguments that the policy of that number allows."""
    return {"amount": number, "path": f"/srv/{number + 10}/a", "note": "to file"}
