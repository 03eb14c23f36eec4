"""Check whether an agent runs as our own user: then signatures are only advisory."""

import os
from contextlib import suppress
from dataclasses import dataclass

from answerable.model.config import Config, UnixCallerRule
from answerable.model.ids import AgentId
from answerable.model.inventory import Inventory


@dataclass(frozen=True, slots=True)
class SharedUserCheck:
    """Result of the check.

    Attributes:
        uid: Our own user id if the agent runs as it; else None.
        is_known: Whether the user of the agent is known.
    """

    uid: int | None
    is_known: bool


def check_shared_user(
    inventory: Inventory, subject: str, config: Config | None = None
) -> SharedUserCheck:
    """Check whether an agent runs as our own user.

    Args:
        inventory: Inventory of agents.
        subject: Id of an agent; anything else runs as no user.
        config: Configuration with the users that agents call as.
    """
    if not subject.startswith("agent:"):
        return SharedUserCheck(None, is_known=True)
    own = os.getuid()
    agent = inventory.agents.get(AgentId(subject))
    kind, _, folder = agent.agent.scope.partition(":") if agent else ("", "", "")
    uids: set[int] = set()
    if kind == "home" and folder:
        with suppress(OSError):  # nothing is known then
            uids.add(os.stat(folder).st_uid)
    is_known = bool(uids)
    for declared in () if config is None else config.agents:
        if declared.id == subject:
            users = [c.uid for c in declared.callers if isinstance(c, UnixCallerRule)]
            uids.update(users)
            # A token can be presented by a process of any user.
            is_known = is_known or (bool(users) and len(users) == len(declared.callers))
    shared = own in uids
    return SharedUserCheck(own if shared else None, is_known or shared)
