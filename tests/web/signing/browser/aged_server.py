"""`answerable serve`, whose sessions age by the seconds that a file contains.

python -m tests.web.signing.browser.aged_server FILE ARGUMENTS...
"""

import sys
import time
from pathlib import Path

from answerable.cli.main import main
from answerable.web.auth.sessions import SessionStore
from answerable.web.runtime import app


class AgedSessionStore(SessionStore):
    """Sessions at a clock that is set forward."""

    place = Path()

    def __init__(self, _clock: object) -> None:
        super().__init__(lambda: time.time() + float(self.place.read_text()))


if __name__ == "__main__":
    AgedSessionStore.place = Path(sys.argv[1])
    app.SessionStore = AgedSessionStore  # type: ignore[misc]  # of a test
    sys.exit(main(sys.argv[2:]))
