"""Parse the name of an agent, as a command's option gives it."""

from answerable.model.errors import UsageError
from answerable.model.ids import AgentId, build_agent_id

_MAX_NAME = 512  # characters


def parse_agent_name(name: str) -> AgentId:
    """Parse the id of an agent: `agent:...`, `KIND/NAME`, or the name of a declared one.

    Raises:
        UsageError: The name is empty or too long.
        IdError: The name has control characters.
    """
    if not name.removeprefix("agent:").strip():
        raise UsageError("the name of the agent is empty", "for example: --agent coder")
    if len(name) > _MAX_NAME:
        raise UsageError(
            f"the name of the agent has {len(name):,} characters (expected at most "
            f"{_MAX_NAME})",
            "`answerable agents` lists the known agents",
        )
    if name.startswith("agent:"):
        return build_agent_id(name.removeprefix("agent:"))
    if "/" in name:
        return build_agent_id(*name.split("/", 1))
    return build_agent_id("declared", name)
