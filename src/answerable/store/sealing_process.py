"""Seal journals in a separate process, in parallel with ingestion.

    python -P -m answerable.store.sealing_process ROOT

reads a line `NOW JOURNAL` for each journal to seal and answers `ok` or `no`. A failure
is not reported further: the journal is unchanged, and the next sealing reports it.
"""

import contextlib
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.model.errors import AnswerableError

if TYPE_CHECKING:
    import subprocess

    from answerable.store.journal_files import JournalWriter

_MODULE = "answerable.store.sealing_process"
_DONE_LINE = b"ok\n"


class SealingProcess:
    """Sealing process, with at most one journal at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._busy = False

    def start(self, journal: str, now: int) -> bool:
        """Start sealing a closed journal; False if the process cannot start."""
        process = self._process = self._process or self._start_process()
        if process is None or process.stdin is None:
            return False
        try:
            process.stdin.write(f"{now} {journal}\n".encode())
            process.stdin.flush()
        except OSError:
            self.close()
            return False
        self._busy = True
        return True

    def wait(self) -> bool:
        """Wait until the journal is sealed; False if that failed."""
        if not self._busy:
            return True
        self._busy = False
        if self._process is None or self._process.stdout is None:
            return False
        answer = self._process.stdout.readline()
        if answer != _DONE_LINE:
            self.close()
        return answer == _DONE_LINE

    def seal(self, journal: "JournalWriter", now: int) -> None:
        """Close and seal the last journal, too; after a failure it is not sealed."""
        journal.close()
        if self.wait() and self.start(journal.name, now):
            self.wait()

    def close(self) -> None:
        """Let the process finish its journal, then end it."""
        process, self._process, self._busy = self._process, None, False
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.communicate()

    def _start_process(self) -> "subprocess.Popen[bytes] | None":
        """Start the process that seals segments; None if that fails."""
        import subprocess  # most commands only read

        if not sys.executable:
            return None
        # -P: a module of that name in the working directory must not be run.
        command = [sys.executable, "-P", "-m", _MODULE, str(self._root.absolute())]
        try:
            return subprocess.Popen(  # noqa: S603 - our own interpreter
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return None


def main(root: str) -> int:
    """Seal the journals named on standard input, one per line."""
    from answerable.store.store import EvidenceStore

    try:
        with EvidenceStore.open(Path(root), now=0, create=False) as store:
            # A hundred thousand records hold no cycles; looking for some costs.
            gc.disable()
            for line in sys.stdin.buffer:
                now, journal = line.decode("ascii").split()
                store.seal_journal(journal, int(now))
                gc.collect()
                sys.stdout.buffer.write(_DONE_LINE)
                sys.stdout.buffer.flush()
    except AnswerableError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
