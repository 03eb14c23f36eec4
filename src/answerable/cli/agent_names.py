"""Parse the name of an agent, as a command's option gives it."""

from answerable.model.ids import AgentId, build_agent_id


def parse_agent_name(name: str) -> AgentId:
    """Parse the id of an agent: `agent:...`, `KIND/NAME`, or the name of a declared one.

    Raises:
        IdError: The name is empty or has control characters.
    """
    if name.startswith("agent:"):
        return AgentId(name)
    if "/" in name:
        return build_agent_id(*name.split("/", 1))
    return build_agent_id("declared", name)
