"""Sealing in a process of its own, so that reading more logs does not wait for it.

    python -P -m answerable.store.sealer ROOT NOW JOURNAL

A failure is not reported: the journal stands, and whoever seals next meets it again.
"""

import subprocess
import sys
from pathlib import Path

from answerable.model.errors import AnswerableError

_MODULE = "answerable.store.sealer"


class Sealer:
    """At most one sealing process at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, journal: str, now: int) -> bool:
        """Start sealing a closed journal; False where that is not possible."""
        if not sys.executable:
            return False
        # -P: a module of that name in the working directory must not be run.
        command = [sys.executable, "-P", "-m", _MODULE, str(self._root.absolute())]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [*command, str(now), journal],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return False
        return True

    def wait(self) -> bool:
        """Wait for the process; False when it failed."""
        if self._process is None:
            return True
        code = self._process.wait()
        self._process = None
        return code == 0


def main(root: str, now: str, journal: str) -> int:
    """Seal one journal."""
    from answerable.store.store import Store

    try:
        with Store.open(Path(root), now=int(now), create=False) as store:
            store.seal_journal(journal, int(now))
    except AnswerableError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
