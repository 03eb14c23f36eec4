"""What owners have signed, handed by the supervisor to its workers.

A worker hears of every change, and one that starts begins with what stands by then.
Where two persons break the glass everybody who watches the gateway sees it: in the log,
in the metrics, and at every call that passes by it.
"""

from collections.abc import Sequence
from pathlib import Path

from answerable.gateway.serve.child import Child
from answerable.gateway.serve.control import Amended
from answerable.model.amendment import Amendment, AmendmentKind
from answerable.serving.amendments import AmendmentWatch, Standing
from answerable.serving.log import Field, Log


class OwnersWord:
    """The amendments of a gateway.

    Args:
        root: Folder of the store.
        children: Its workers.
        log: The supervisor's.

    Attributes:
        standing: What is in force.
        watch: Looks at the store.
    """

    def __init__(self, root: Path, children: Sequence[Child], log: Log) -> None:
        self.standing: Standing = ()
        self.watch = AmendmentWatch(root, self._changed, self._unheld, self._refused)
        self._children, self._log = children, log

    @property
    def broken_glass(self) -> int:
        """How many break-glass amendments are in force."""
        kind = AmendmentKind.BREAK_GLASS
        return sum(each.kind is kind for each in self.standing)

    def _changed(self, standing: Standing) -> None:
        before, self.standing = self.standing, standing
        for child in self._children:
            child.say(Amended(standing))
        for each in standing:
            if each not in before:
                self._tell("in-force", each)
        for each in before:
            if each not in standing:
                self._tell("over", each)

    def _tell(self, what: str, amendment: Amendment) -> None:
        # Not what it is for: that name was a caller's.
        fields: dict[str, Field] = {
            "id": amendment.id,
            "agent": amendment.agent,
            "server": amendment.server,
            "persons": list(amendment.persons),
            "until": amendment.until,
        }
        if amendment.kind is AmendmentKind.BREAK_GLASS:
            self._log.error(f"break-glass.{what}", **fields)
        else:
            self._log.info(f"amendment.{what}", **fields)

    def _unheld(self, digest: str, why: str) -> None:
        self._log.warning("amendment.refused", id=digest, why=why)

    def _refused(self, why: str) -> None:
        self._log.error("amendments.unread", why=why)
