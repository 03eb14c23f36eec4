"""One process that shows the same things as another one, all at once; run as a script.

Arguments: folder, address of a database or `-`, first and last number, tries at once.
For each number it writes `try N` before it asks and `done N` for each success.
"""

import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

from answerable.store.token_state.interface import (
    CommitOutcome,
    ExchangeCommit,
    TokenState,
)
from answerable.store.token_state.sqlite import SqliteTokenState
from tests.store.token_state.sample_rows import (
    NOW,
    delegation,
    parent_of,
    replay_key,
    token,
)


def opened(folder: str, address: str) -> TokenState:
    if address == "-":
        return SqliteTokenState(Path(folder), NOW)
    from answerable.store.token_state.postgres import PostgresTokenState

    return PostgresTokenState(address)


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def main() -> None:
    folder, address, first, last, at_once = sys.argv[1:]
    control = opened(folder, address)
    say("ready")
    sys.stdin.readline()
    gate = threading.Barrier(int(at_once))

    def run() -> None:
        for number in range(int(first), int(last)):
            parent = parent_of(number)
            made = delegation(id=os.urandom(16).hex(), depth=2)
            made = replace(made, parent=parent)
            given = token(made, jti=os.urandom(16).hex())
            uses = (replay_key(f"token-{number}"),)
            asked = ExchangeCommit(uses, under=parent, opens=made, token=given)
            gate.wait()
            say(f"try {number}")
            if control.commit(asked, NOW).outcome is CommitOutcome.DONE:
                say(f"done {number}")

    threads = [threading.Thread(target=run) for _ in range(int(at_once))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    control.close()
    say("end")


if __name__ == "__main__":
    main()
