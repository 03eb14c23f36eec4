"""Probe of one revision: starts its servers and measures them on request.

`bench.revision_comparison` starts it in two trees. It imports what stands there, and prints one JSON
object for each line: figure -> value, in the order of `bench.revision_comparison.FIGURES`.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.federation import token_service as federation
from bench.gateway import load, process_usage, running_gateway, stdio_latency

CLIENTS = 32


def measure_gateway(
    place: running_gateway.CallTarget, seconds: float
) -> dict[str, float]:
    """Call with one client, then with many."""
    alone = load.run_load(place.build_order(running_gateway.READS, 1, seconds))
    before = process_usage.cpu_seconds(place.measured)
    many = load.run_load(place.build_order(running_gateway.READS, CLIENTS, seconds))
    spent = process_usage.cpu_seconds(place.measured) - before
    return {
        "gateway: call of one client, us": alone.median * 1e6,
        "gateway: CPU per call, us": spent / many.calls * 1e6,
        "gateway: calls per second": many.calls / many.seconds,
    }


def measure_wrapper(wrapped: Sequence[str], seconds: float) -> dict[str, float]:
    """Call a server over standard streams, direct and wrapped."""
    direct = stdio_latency.median_latency(stdio_latency.ECHO, seconds)
    added = stdio_latency.median_latency(wrapped, seconds) - direct
    return {"gateway stdio: added to a call, us": added * 1e6}


def measure_token_service(
    service: federation.RunningTokenService, count: int
) -> dict[str, float]:
    """Run that many exchanges of each kind."""
    from bench.federation import load as exchanges

    found = {}
    for name, bound in (("plain", False), ("DPoP", True)):
        order = service.build_order(bound=bound, clients=CLIENTS, count=count)
        before = process_usage.cpu_seconds((service.pid,))
        done = exchanges.run_load(order)
        spent = process_usage.cpu_seconds((service.pid,)) - before
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
        behind = stack.enter_context(running_gateway.run_backend())
        _, place = stack.enter_context(
            running_gateway.run_gateway(folder / "gateway", behind)
        )
        service = stack.enter_context(federation.run_token_service(folder / "service"))
        wrapped = stdio_latency.wrapper_command(folder / "stdio")
        # The first calls also create what later ones use.
        measure_token_service(service, count // 4)
        measure_gateway(place, seconds / 4)
        for _ in sys.stdin:
            found = (
                measure_gateway(place, seconds)
                | measure_wrapper(wrapped, seconds)
                | measure_token_service(service, count)
            )
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
