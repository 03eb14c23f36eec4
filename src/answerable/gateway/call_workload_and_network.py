"""Build the envelope of a call that baselines check: its network and workload.

The workload is attested by the kernel, or by the issuer of the token. It is never the
person that it acts for, and never a single run.
"""

from answerable.model.behaviour import RunEnvelope
from answerable.model.caller import VerifiedCaller
from answerable.server.authentication.token_cache import ACTOR_SEPARATOR


def build_workload_and_network(caller: VerifiedCaller, network: str) -> RunEnvelope:
    """Return the network and workload of a call, from verified facts alone.

    Args:
        caller: The verified caller.
        network: Network of the client connection.
    """
    workload = caller.principal
    if caller.person:
        issuer, mark, actor = workload.rpartition(f"{caller.person}{ACTOR_SEPARATOR}")
        workload = issuer + actor if mark else workload
    return RunEnvelope(network, workload)
