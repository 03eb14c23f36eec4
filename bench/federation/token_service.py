"""Token service under test, run by `answerable serve --only token-service`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.federation.load import TokenLoadOrder
from tests.sts.running_service import CI, CI_KEY, ROOT, RunningService, serving

PLAIN, BOUND = "https://open.example", "https://files.example"
RULES = 100
JOB = "42"


def write_rules() -> str:
    """Write a rule per workload; each is found by its job claim."""
    return "".join(
        f"""
  - id: ci-{number}
    issuer: ci
    match: {{job: "{number}"}}
    agent: {ROOT}
    grants:
      - {{audience: {PLAIN}, scopes: [read, write], bind: bearer, ttl: 5m}}
      - {{audience: {BOUND}, scopes: [read, write], ttl: 5m}}"""
        for number in range(RULES)
    )


@dataclass(frozen=True, slots=True)
class RunningTokenService:
    """A running token service.

    Attributes:
        world: Its folders and configuration.
    """

    world: RunningService

    @property
    def pid(self) -> int:
        assert self.world.process is not None
        return self.world.process.pid

    def build_order(
        self,
        *,
        bound: bool,
        clients: int,
        count: int,
        rate: float = 0.0,
        core: int = -1,
    ) -> TokenLoadOrder:
        """Build a load of exchanges, each with a new token."""
        return TokenLoadOrder(
            port=self.world.port,
            url=self.world.url,
            iss=CI,
            kid="ci-1",
            key=CI_KEY.as_pem(private=True).decode(),
            job=JOB,
            audience=BOUND if bound else PLAIN,
            proofs=bound,
            clients=clients,
            count=count,
            rate=rate,
            core=core,
        )


@contextmanager
def run_token_service(folder: Path) -> Iterator[RunningTokenService]:
    """Run it."""
    with serving(folder, rules=write_rules()) as world:
        yield RunningTokenService(world)
