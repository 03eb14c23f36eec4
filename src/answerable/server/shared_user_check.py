"""Check whether an agent runs as our own user: then signatures are only advisory."""

import os
from contextlib import suppress

from answerable.model.config import Config, UnixCallerRule
from answerable.model.ids import AgentId
from answerable.model.inventory import Inventory


def uid_shared_with_agent(
    inventory: Inventory, subject: str, config: Config | None = None
) -> int | None:
    """Return our own user id where an agent runs as it; None where that is unknown.

    Args:
        inventory: Inventory of agents.
        subject: Id of an agent, or of anything else.
        config: Configuration with the users that agents call as.
    """
    own = os.getuid()
    agent = inventory.agents.get(AgentId(subject))
    kind, _, folder = agent.agent.scope.partition(":") if agent else ("", "", "")
    uids: set[int] = set()
    if kind == "home" and folder:
        with suppress(OSError):  # nothing is known then
            uids.add(os.stat(folder).st_uid)
    for declared in () if config is None else config.agents:
        if declared.id == subject:
            uids |= {c.uid for c in declared.callers if isinstance(c, UnixCallerRule)}
    return own if own in uids else None
