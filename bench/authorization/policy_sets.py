"""Generated policy sets, with the arguments that each policy allows."""

from answerable.model.decision import Layer

AGENTS, SERVERS = 500, 50
KINDS = (Layer.TABLE, Layer.CONSTRAINT, Layer.CEDAR)

_CONDITIONS = {
    Layer.TABLE: "",
    Layer.CONSTRAINT: " when {{ context.arguments.amount < {0} && "
    'context.arguments.path like "/srv/{0}/*" }}',
    Layer.CEDAR: " when {{ context.arguments.amount + 1 < {0} && "
    'context.arguments.path like "/srv/{0}/*" }}',
}


def policy(number: int, kind: Layer, edition: int = 0, agents: int = AGENTS) -> str:
    """Build one policy for one agent and one tool; editions differ only in text."""
    conditions = _CONDITIONS[kind].format(number + 10)
    return (
        f'@id("r{number}") @edition("{edition}")\npermit (\n'
        f'  principal == Agent::"agent:declared/a{number % agents}",\n'
        f'  action == Action::"tools/call",\n'
        f'  resource == Tool::"tool:mcp/s{number % SERVERS}/t{number}"\n'
        f"){conditions};\n"
    )


def arguments(number: int) -> dict[str, object]:
    """Return arguments that the policy of that number allows."""
    return {"amount": number, "path": f"/srv/{number + 10}/a", "note": "to file"}
