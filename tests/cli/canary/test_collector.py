"""Secrets in scheduled sources do not reach an output of the collector."""

import json
from pathlib import Path
from typing import Protocol

from tests.collector.running_collector import collecting, wait_until


class Canaries(Protocol):
    def found_in(self, content: bytes) -> set[str]: ...


class Estate(Protocol):
    root: Path
    canaries: Canaries


def test_no_piece_of_a_secret_reaches_a_page_the_log_or_the_state(
    estate: Estate,
) -> None:
    sources = ["home:home", "repo:repo", "aws:aws/account.json", "cloudtrail:trail"]
    sources += ["aws:aws/broken.json", "cloudtrail:home/.claude.json"]
    env = {"HOME": str(estate.root / "home")}
    with collecting(estate.root, {"sources": sources}, env) as running:
        wait_until(
            lambda: all(
                source["succeeded_at"] or source["failed_at"]
                for source in json.loads(running.get("/readyz")[1])["sources"]
            )
        )
        running.hear("source.failed", f"aws:{estate.root}/aws/broken.json")
        pages = [running.get(path)[1] for path in ("/healthz", "/readyz", "/metrics")]
        running.process.terminate()
        assert running.process.wait(60) == 0
        log = json.dumps(running.log)
    state = (estate.root / "store" / "collector" / "sources.json").read_text()
    for text in (*pages, log, state):
        assert estate.canaries.found_in(text.encode()) == set()
