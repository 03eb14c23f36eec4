"""The key `policy`: files of Cedar policies, and what is wrong with them."""

from pathlib import PurePath

from answerable.connectors.config.parse.faults import Fault, Mark
from answerable.connectors.config.parse.section import Section
from answerable.model.cedar import CedarFault
from answerable.model.config import Config

SUFFIX = ".cedar"


def read_policy_key(file: Section, folder: str) -> tuple[str, ...]:
    """Read where policies are; a relative path is taken from the folder of the file."""
    what = f"a file or a glob that ends in {SUFFIX} was expected"
    file.check("policy", lambda text: text.endswith(SUFFIX), what)
    return tuple(str(PurePath(folder) / text) for text in file.texts("policy"))


def named_by(config: Config) -> frozenset[str]:
    """What a policy may name of a configuration."""
    servers = {f"server:{server.name}" for server in config.servers}
    return frozenset(servers | {agent.id for agent in config.agents})


def fault_of(fault: CedarFault) -> Fault:
    """A fault of a policy, as faults of a configuration are told."""
    path = f"policy[{fault.policy}]" if fault.policy else "policy"
    return Fault(Mark(fault.line, 1), path, fault.what, fault.file)
