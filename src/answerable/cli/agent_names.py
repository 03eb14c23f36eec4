"""Parse the name of an agent, as a command's option gives it."""

from answerable.model.errors import UsageError
from answerable.model.ids import AgentId, build_agent_id


def parse_agent_name(name: str) -> AgentId:
    """Parse the id of an agent: `agent:...`, `KIND/NAME`, or the name of a declared one.

    Raises:
        UsageError: The name is empty.
        IdError: The name has control characters.
    """
    if not name.removeprefix("agent:").strip():
        raise UsageError("the name of the agent is empty", "for example: --agent coder")
    if name.startswith("agent:"):
        return AgentId(name)
    if "/" in name:
        return build_agent_id(*name.split("/", 1))
    return build_agent_id("declared", name)
