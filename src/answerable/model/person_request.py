"""Type of a person's request to an agent, signed by that person."""

import msgspec

from answerable.model.ids import AgentId

DEFAULT_LIFETIME = 3_600 * 10**9  # by default
MAX_REQUEST_LIFETIME = 24 * DEFAULT_LIFETIME
ANY_RUN = "any"  # any run of the agent for that person


class PersonRequest(msgspec.Struct, frozen=True):
    """Valid request of a person, as sent to a worker.

    Attributes:
        id: SHA-256 of the signed statement, hex.
        agent: Requested agent.
        persons: Ids of the one requesting person.
        is_owners: The person is the agent's attested owner, whose requests also apply
            to runs for no person.
        run: Its only run; `any` for each run for that person.
        since: Signing time, UTC nanoseconds.
        until: Expiry.
        values: Named values, in canonical spelling.
    """

    id: str
    agent: AgentId
    persons: tuple[str, ...]
    is_owners: bool
    run: str
    since: int
    until: int
    values: tuple[str, ...]
