"""A kill from whoever may write our folders: at the gateway, and at the token service.

The command line and the page put one in force here. A running token service is asked
over its socket, as it can say what it gave; where none runs, the kill waits in its
folder. Both have it in force within a second. A service of another user, whose folder is
not ours to write, does not take it from us, and that is told with the command to run.

A call names no rule, no issuer and no owner of its agent, so a gateway cannot know from
such a kill alone what was given before it. It refuses the runs that the token service
says; where that says nothing, so do we, and claim nothing of the gateway.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from answerable.enforce.kill import kill_subject
from answerable.model.config import Config
from answerable.model.errors import EnvironmentRefused, IdError
from answerable.serving.kills import KillFile, Note
from answerable.serving.recording.segments import is_written
from answerable.serving.state import decisions_state, gateway_state, token_state
from answerable.serving.told_service import SOMEBODY, Post, owner_of, user

GATEWAY, SERVICE = "the gateway", "the token service"
NOBODY = "no door of the configuration knows it"
# What only a call is, and so nothing that is given.
_OF_CALLS = ("principal:", "server:", "tool:", "key:")
# What no call says: a gateway refuses what the token service says of it.
_OF_TOKENS = ("rule:", "issuer:")
# Of whom what was given may go on where the token service does not say what that is: a
# run has others below it, a person agents that act for nobody.
_HALF_KNOWN = ("rule:", "person:", "run:")


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a kill, or of taking one back.

    Attributes:
        is_new: Something has changed by it.
        at: Where it is in force: `GATEWAY`, `SERVICE`.
        ended: Delegations that the token service refuses by it; None where none said.
        refused: Where it is not, and why; empty where it is in force everywhere.
        hints: What to run there.
        waits: What does not hold yet, and what is to be done, a sentence each.
    """

    is_new: bool
    at: tuple[str, ...] = ()
    ended: tuple[str, ...] | None = None
    refused: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()


@dataclass(slots=True)
class _Doing:
    """What became of it so far."""

    changed: dict[str, bool] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def try_at(self, where: str, act: Callable[[], bool]) -> None:
        try:
            self.changed[where] = act() or self.changed.get(where, False)
        except EnvironmentRefused as error:
            self.why[where] = error.message

    def stands(self, where: str) -> bool:
        return where in self.changed and where not in self.why


def operator() -> str:
    """Name whoever gives a command here, to be shown: a user of this machine."""
    return user(os.getuid())


class Kills:
    """The kills of one store and its configuration.

    Args:
        store: Folder of the store.
        config: The configuration; None where none is named, as the usual folders are.
    """

    def __init__(self, store: Path, config: Config | None) -> None:
        service = None if config is None else config.sts
        self._post = Post(service)
        self._place = "FILE" if config is None else config.place
        own = store / "gateway" if config is None else gateway_state(config, store)
        # A token service may stand alone.
        alone = config is not None and config.sts and not config.servers
        self._gateway = None if alone and not own.is_dir() else KillFile(own)
        point = store / "decisions"
        if config is not None and config.decisions is not None:
            point = decisions_state(config.decisions, store)
        # Of whoever is bound by that file.
        self._spools = (own / "spool", point / "spool")
        state = token_state(service, store)
        self._token = KillFile(state) if service or state.is_dir() else None

    @property
    def has_gateway(self) -> bool:
        """True when the configuration names a gateway."""
        return self._gateway is not None

    def told(self) -> Mapping[str, Note]:
        """Give all that is killed anywhere, with what is known of each kill.

        Raises:
            EnvironmentRefused: A file may not be read.
        """
        files = [each for each in (self._token, self._gateway) if each is not None]
        return {
            what: note for each in files for what, note in (each.told() or {}).items()
        }

    def kill(self, subject: str, by: str) -> Done:
        """Put a kill in force wherever that can be done.

        Args:
            subject: What may do nothing.
            by: Who says so, to be shown.

        Raises:
            IdError: It names no subject.
            EnvironmentRefused: It is in force nowhere.
        """
        kill_subject(subject)
        doing = _Doing()

        def at_gateway(subjects: Collection[str]) -> None:
            file = self._gateway
            if file is not None:
                doing.try_at(GATEWAY, lambda: file.kill_all(subjects, by))

        # First where calls are: a token service that hangs keeps it waiting no longer.
        if not subject.startswith(_OF_TOKENS):
            at_gateway((subject,))
        said = self._at_service(
            doing, subject, "kill", by, lambda file: file.kill(subject, by)
        )
        ended = None if said is None else _ended(said)
        if ended is not None:
            at_gateway(tuple(f"run:{each}" for each in ended))
        waits = self._waits(doing, subject, said is not None, ended is not None)
        return self._done(doing, subject, "kill", ended, waits)

    def revive(self, subject: str) -> Done:
        """Take a kill back wherever that can be done; what was ended stays ended.

        Raises:
            IdError: It names no subject.
            EnvironmentRefused: It is taken back nowhere.
        """
        kill_subject(subject)
        doing = _Doing()
        file = self._gateway
        if file is not None and not subject.startswith(_OF_TOKENS):
            doing.try_at(GATEWAY, lambda: file.revive(subject))
        elif file is not None and subject in (file.told() or {}):
            # Of an earlier release, which wrote it there: it stops nothing.
            doing.try_at(GATEWAY, lambda: file.revive(subject))
        self._at_service(
            doing, subject, "revive", "", lambda file: file.revive(subject)
        )
        return self._done(doing, subject, "revive")

    def _at_service(
        self,
        doing: _Doing,
        subject: str,
        act: str,
        by: str,
        write: Callable[[KillFile], bool],
    ) -> Mapping[str, object] | None:
        """Have the token service act; what it said, None where nobody did."""
        file = self._token
        if file is None or subject.startswith(_OF_CALLS):
            return None
        folder = file.path.parent
        owner = owner_of(folder)
        said, uid = self._post.ask(f"/admin/{act}", subject, by, {0, owner})
        if said is not None:
            doing.changed[SERVICE] = said.get("new", said.get("revived")) is True
        elif uid is None or uid == owner != SOMEBODY:
            doing.try_at(SERVICE, lambda: write(file))
        else:
            # Its folder is elsewhere: a file of ours would be one that nobody reads.
            but = "does not answer us"
            if uid:
                but = f"{folder} is {_whose(owner)}, so its word is not taken"
            doing.why[SERVICE] = f"it runs as {user(uid)}, and {but}"
        return said

    def _waits(
        self, doing: _Doing, subject: str, is_told: bool, is_known: bool
    ) -> tuple[str, ...]:
        """Say what a kill does not stop yet."""
        waits = []
        file = self._gateway
        if file and doing.stands(GATEWAY) and not any(map(is_written, self._spools)):
            waits.append(
                f"no gateway runs with {file.path.parent}: the kill waits there; "
                "name its store with --store"
            )
        if doing.stands(SERVICE) and not is_told:
            waits.append(
                "the token service does not run, or does not answer you: "
                "the kill waits in its folder"
            )
        if subject.startswith("issuer:"):
            waits.append(
                "no delegation says for whose token it was given, so those of before "
                "go on until they end: kill the issuer's rules as well "
                f"(answerable sts kill rule:ID --config {self._place})"
            )
        elif file and self._token and not is_known and subject.startswith(_HALF_KNOWN):
            waits.append(
                f"the gateway does not know all that was given by {subject}: "
                "such tokens serve there until they end, ten minutes at most (once "
                "the token service runs, run this again; until then: answerable "
                f"gateway kill run:DELEGATION --config {self._place})"
            )
        return tuple(waits)

    def _done(
        self,
        doing: _Doing,
        subject: str,
        act: str,
        ended: tuple[str, ...] | None = None,
        waits: tuple[str, ...] = (),
    ) -> Done:
        at = tuple(filter(doing.stands, doing.changed))
        refused = tuple(f"{where}: {why}" for where, why in doing.why.items())
        hints = tuple(
            f"as {where}'s user: answerable {_DOORS[where]} {act} {subject} "
            f"--config {self._place}"
            for where in doing.why
        )
        if not at:
            raise EnvironmentRefused(
                f"{subject} is not {_PAST[act]} ({'; '.join(refused) or NOBODY})",
                "; ".join(hints) or _elsewhere(subject),
            )
        return Done(any(doing.changed.values()), at, ended, refused, hints, waits)


_DOORS = {GATEWAY: "gateway", SERVICE: "sts"}
_PAST = {"kill": "killed", "revive": "revived"}


def _elsewhere(subject: str) -> str:
    if subject.startswith(_OF_TOKENS):
        return "a rule or an issuer is the token service's: name a file with one"
    return "a token service alone knows no calls: agent:..., run:..."


def _ended(said: Mapping[str, object]) -> tuple[str, ...] | None:
    ended = said.get("ended")
    if not isinstance(ended, list) or not all(isinstance(each, str) for each in ended):
        return None
    try:
        for each in ended:
            kill_subject(f"run:{each}")
    except IdError:
        return None
    return tuple(ended)


def _whose(owner: int) -> str:
    return f"{user(owner)}'s" if owner != SOMEBODY else "nobody's that can be seen"
