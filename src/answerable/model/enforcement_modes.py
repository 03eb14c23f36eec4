"""Enforcement modes of a configuration, and where they ended the enforcement of an agent.

Compared with the last recorded configuration, an agent whose mode was `enforce` and no
longer is has lost its enforcement. This stays known until the agent is enforced again,
also across restarts and further edits of the file.
"""

from collections.abc import Mapping

import msgspec

from answerable.model.config import Config
from answerable.model.decision import EnforcementMode

DEFAULT_MODE = "default_mode"  # subject of agents that the file does not name
SCHEMA = "answerable/enforcement-modes/v1"


class EndedEnforcement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Agent that was enforced and no longer is.

    Attributes:
        subject: `agent:declared/NAME`, or `default_mode`.
        mode: Mode that took the place of `enforce`.
        since: Time of the first configuration without it, UTC nanoseconds.
        confirmed: `ends_enforcement` of the file names it.
    """

    subject: str
    mode: str
    since: int
    confirmed: bool


class RecordedModes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Modes of a configuration that a gateway applied.

    Attributes:
        config: SHA-256 of the file, hex.
        modes: Mode by subject: the agents of the file, and `default_mode`.
        ended: Agents that were enforced by an earlier file and are not by this one.
        at: UTC nanoseconds.
    """

    config: str
    modes: Mapping[str, str]
    ended: tuple[EndedEnforcement, ...]
    at: int
    schema: str = SCHEMA

    @property
    def unconfirmed(self) -> tuple[EndedEnforcement, ...]:
        """Agents whose enforcement ended without `ends_enforcement`."""
        return tuple(each for each in self.ended if not each.confirmed)

    def is_same_as(self, other: "RecordedModes") -> bool:
        """Return whether another record has the same modes and ended enforcement."""
        return (self.modes, self.ended) == (other.modes, other.ended)


def compare_modes(
    config: Config, previous: RecordedModes | None, now: int
) -> RecordedModes:
    """Compare the modes of a configuration with the last recorded ones.

    Args:
        config: Configuration that is applied.
        previous: Last recorded modes; None for the first configuration.
        now: UTC nanoseconds.
    """
    modes: dict[str, str] = {each.id: each.mode.value for each in config.agents}
    modes[DEFAULT_MODE] = config.default_mode.value
    before = {} if previous is None else previous.modes
    known = {} if previous is None else {each.subject: each for each in previous.ended}
    enforced = EnforcementMode.ENFORCE.value
    subjects = {*known, *(each for each, mode in before.items() if mode == enforced)}
    names: dict[str, str] = {each.id: each.name for each in config.agents}
    ended = []
    for subject in sorted(subjects):
        # An agent that the file does not name any more has the default mode.
        mode = modes.get(subject, modes[DEFAULT_MODE])
        if mode != enforced:
            name = names.get(subject, subject.rpartition("/")[2])
            since = known[subject].since if subject in known else now
            confirmed = name in config.ends_enforcement
            ended.append(EndedEnforcement(subject, mode, since, confirmed))
    return RecordedModes(config.digest, modes, tuple(ended), now)
