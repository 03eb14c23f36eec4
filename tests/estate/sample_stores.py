"""Stores of the sample estate, each made from some of its sources."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from answerable.cli.main import main
from answerable.cli.sample.write_sample import SampleData, write_sample
from answerable.model.ids import PersonId
from answerable.services.inventory.owner_requests import (
    OwnerRequest,
    put_owner_request,
    read_owner_requests,
)
from answerable.store.store import EvidenceStore

SOURCES = (
    "home",
    "repo",
    "aws",
    "aws-keys",
    "pg",
    "k8s",
    "github",
    "gcp",
    "cloudtrail",
)
PIPELINE_AGENT = "agent:github-actions/example-corp/agents/agent.yml/agent"
DUMPS = Path(__file__).resolve().parents[1] / "data" / "postgres" / "sample"
DATABASE = "postgres:db.example.com/shop"
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
ELSEWHERE = "arn:aws:iam::999988887777:role/analyst"
CLUSTER = "k8s:prod.eu-west-1.444455556666"
LABS = "github:example-labs/repo/web"
DATA = "arn:aws:s3:::example-customer-data/2026/a.parquet"


@dataclass(frozen=True)
class Stores:
    """Makes stores of the sample estate below one folder.

    Attributes:
        root: Folder.
        estate: The written estate.
    """

    root: Path
    estate: SampleData

    @classmethod
    def below(cls, root: Path) -> "Stores":
        """Write the estate."""
        return cls(root, write_sample(root / "estate", time.time_ns()))

    @classmethod
    def with_database(cls, root: Path) -> "Stores":
        """Write the estate, with an agent whose tool has a connection string."""
        made = cls.below(root)
        dsn = "postgresql://app:example-password@db.example.com/shop"
        server = {"command": "npx", "args": ["shop-database", dsn]}
        path = made.estate.home / ".cursor" / "mcp.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"mcpServers": {"shop": server}}))
        return made

    def of(self, *names: str) -> Path:
        """Make a store from these sources alone, once."""
        store = self.root / ("store-" + "-".join(names))
        if store.exists():
            return store
        places = {
            "home": [f"home:{self.estate.home}"],
            "repo": [f"repo:{self.estate.repo}"],
            "aws": [
                f"aws:{self.estate.account}",
                f"aws:{self.estate.platform_account}",
            ],
            "aws-keys": [f"aws-keys:{self.estate.keys}"],
            "pg": [f"pg:{DUMPS},host=db.example.com"],
            "k8s": [f"k8s:{self.estate.cluster}"],
            "github": [
                f"github:{self.estate.organization / each}" for each in ("corp", "labs")
            ],
            "gcp": [f"gcp:{self.estate.google}"],
        }
        scanned = [place for name in names for place in places.get(name, ())]
        assert main(["--store", str(store), "-q", "scan", *scanned]) == 0
        if "cloudtrail" in names:
            trail = f"cloudtrail:{self.estate.trail}"
            assert main(["--store", str(store), "-q", "ingest", trail]) == 0
        return store

    def of_every_platform(self) -> Path:
        """Make a store from every source that is scanned."""
        return self.of(*SOURCES[:4], *SOURCES[5:-1])

    def without(self, name: str) -> Path:
        """Make a store from every source but one."""
        return self.of(*(each for each in SOURCES if each != name))


Run = Callable[..., tuple[int, str, str]]


def parsed(text: str) -> dict[str, object]:
    """Read one JSON document, empty for none."""
    found: dict[str, object] = json.loads(text) if text.strip() else {}
    return found


def items(text: str) -> Sequence[dict[str, object]]:
    """Give the items of a JSON document."""
    found = parsed(text).get("items", [])
    assert isinstance(found, list)
    return found


def ask_for_owner(root: Path, agent: str) -> None:
    """Record a request for the owner of an agent, once: the agent may lose its scan."""
    ana, ben = PersonId("person:ana@corp.example"), "person:ben@corp.example"
    with EvidenceStore.open(root, now=time.time_ns(), create=False) as store:
        if not read_owner_requests(store):
            at = 1_700_000_000 * 10**9
            put_owner_request(store, OwnerRequest(agent, ana, ben, ben, at))
