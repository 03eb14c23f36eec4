"""From where a call comes, as a baseline sees it: nothing of it is the caller's word.

The workload is who is attested by the kernel, or by the issuer of the token: never the
person that it acts for, and never one run of it.
"""

from answerable.model.behaviour import Envelope
from answerable.model.caller import Caller
from answerable.serving.callers.tokens import BY


def envelope_of(caller: Caller, network: str) -> Envelope:
    """Give the surroundings of a call.

    Args:
        caller: Who calls.
        network: Of the connection that it came over.
    """
    workload = caller.principal
    if caller.person:
        issuer, mark, actor = workload.rpartition(f"{caller.person}{BY}")
        workload = issuer + actor if mark else workload
    return Envelope(network, workload)
