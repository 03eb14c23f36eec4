"""Probe of one revision: starts its servers and measures them on request.

`bench.revision_comparison` starts it in two trees. It imports what stands there, and prints one JSON
object for each line: figure -> value, in the order of `bench.revision_comparison.FIGURES`.
"""

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.federation import token_service as federation
from bench.gateway import load, process_usage, running_gateway

CLIENTS = 32


def of_gateway(place: running_gateway.Place, seconds: float) -> dict[str, float]:
    """Call with one client, then with many."""
    alone = load.run(place.order(running_gateway.READS, 1, seconds))
    before = process_usage.cpu(place.measured)
    many = load.run(place.order(running_gateway.READS, CLIENTS, seconds))
    spent = process_usage.cpu(place.measured) - before
    return {
        "gateway: call of one client, us": alone.median * 1e6,
        "gateway: CPU per call, us": spent / many.calls * 1e6,
        "gateway: calls per second": many.calls / many.seconds,
    }


def of_service(service: federation.Service, count: int) -> dict[str, float]:
    """Run that many exchanges of each kind."""
    from bench.federation import load as exchanges

    found = {}
    for name, bound in (("plain", False), ("DPoP", True)):
        order = service.order(bound=bound, clients=CLIENTS, count=count)
        before = process_usage.cpu((service.pid,))
        done = exchanges.run(order)
        spent = process_usage.cpu((service.pid,)) - before
        found |= {
            f"token service: CPU per {name} exchange, us": spent / count * 1e6,
            f"token service: {name} exchanges per second": count / done.seconds,
        }
    return found


def main() -> None:
    """Start the servers, and measure them once per input line."""
    seconds, count = float(sys.argv[1]), int(sys.argv[2])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        behind = stack.enter_context(running_gateway.backend())
        _, place = stack.enter_context(
            running_gateway.gateway(folder / "gateway", behind)
        )
        service = stack.enter_context(federation.service(folder / "service"))
        of_service(service, count // 4)  # what is made at a first call is made now
        of_gateway(place, seconds / 4)
        for _ in sys.stdin:
            found = of_gateway(place, seconds) | of_service(service, count)
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
