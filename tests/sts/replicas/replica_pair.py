"""Two token services on one database: one `iss`, behind what would be a balancer."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.sts.raw_http_client import RawHttpClient, spelled
from tests.sts.running_service import (
    ANA,
    EXCHANGE,
    FILES,
    JWT,
    ROOT,
    DpopClient,
    RunningService,
    own_store,
)

DATABASE = "ANSWERABLE_TEST_STS"


@dataclass
class Replica(RunningService):
    """One of them.

    Attributes:
        iss: Of both.
        factor: By which its signing keys live shorter.
    """

    iss: str = ""
    factor: int = 1

    @property
    def url(self) -> str:
        return self.iss

    @property
    def at(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wire(self) -> RawHttpClient:
        return RawHttpClient.to(self.at)

    def start(self) -> None:
        words = ["serve", "--only", "sts", "--config", str(self.config)]
        hasty = ["tests.sts.replicas.fast_rotation", str(self.factor)]
        module = ["answerable"] if self.factor == 1 else hasty
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *module, *words],
                cwd=Path(__file__).parents[3],
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self.process.stdout is not None
        for _ in range(2):
            if not self.process.stdout.readline():
                self.process.wait()
                raise AssertionError(self.errors.read_text())


@contextmanager
def pair(folder: Path, address: str, factor: int = 1) -> Iterator[list[Replica]]:
    """Run two on the database at an address."""
    os.environ[DATABASE] = address
    replicas: list[Replica] = []
    try:
        for name in ("one", "two"):
            place = folder / name
            place.mkdir()
            replica = Replica(
                place,
                iss="http://localhost:4711",
                more=f"  database: {DATABASE}",
                factor=factor,
            )
            own_store(replica.store, {ROOT: ANA})
            replica.write()
            replica.start()
            replicas.append(replica)
        yield replicas
    finally:
        del os.environ[DATABASE]
        for replica in replicas:
            if replica.process is not None:
                replica.stop()


def asking(client: DpopClient, replica: Replica, subject: str) -> bytes:
    """Write a request for a token, with a proof of its own."""
    form = {
        "grant_type": EXCHANGE,
        "subject_token": subject,
        "subject_token_type": JWT,
        "audience": FILES,
    }
    fields = {
        "Content-Type": "application/x-www-form-urlencoded",
        "DPoP": client.proof(),
    }
    host = f"127.0.0.1:{replica.port}"
    return spelled("POST", "/token", urlencode(form).encode(), fields, host)
