"""Requests: what a person asked an agent for, filed by that person and by nobody else."""

import msgspec

from answerable.model.ids import AgentId

LIFE = 3_600 * 10**9  # unless said
LONGEST = 24 * LIFE
ANY_RUN = "any"  # whichever run of the agent it is, for that person


class Requested(msgspec.Struct, frozen=True):
    """A request that stands, as it is handed to a worker.

    Attributes:
        id: SHA-256 of the signed statement, hex.
        agent: Whom the person asked.
        persons: Ids of the one person who filed it.
        is_owners: That person is the attested owner of the agent, and may ask it for
            something where it acts for nobody.
        run: The one run that it is for; `any` for each run for that person.
        since: When it was signed, UTC nanoseconds.
        until: From when it explains nothing any more.
        values: What it names, in canonical spelling.
    """

    id: str
    agent: AgentId
    persons: tuple[str, ...]
    is_owners: bool
    run: str
    since: int
    until: int
    values: tuple[str, ...]
