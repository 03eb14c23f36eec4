"""Envelope of a call for a baseline: network and workload, never the caller's claims.

The workload is attested by the kernel, or by the issuer of the token. It is never the
person that it acts for, and never a single run.
"""

from answerable.model.behaviour import Envelope
from answerable.model.caller import Caller
from answerable.server.authentication.token_cache import BY


def envelope_of(caller: Caller, network: str) -> Envelope:
    """Build the envelope of a call.

    Args:
        caller: The verified caller.
        network: Network of the client connection.
    """
    workload = caller.principal
    if caller.person:
        issuer, mark, actor = workload.rpartition(f"{caller.person}{BY}")
        workload = issuer + actor if mark else workload
    return Envelope(network, workload)
