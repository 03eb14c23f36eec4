"""Read the key `policy` (paths of Cedar files), and convert policy faults."""

from pathlib import PurePath

from answerable.connectors.config.parse.config_faults import ConfigFault, TextPosition
from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.model.cedar_policy import CedarFault
from answerable.model.config import Config

POLICY_SUFFIX = ".cedar"


def read_policy_key(file: ConfigSection, folder: str) -> tuple[str, ...]:
    """Read the policy paths, resolved against the folder of the file."""
    what = f"expected a file or a glob that ends in {POLICY_SUFFIX}"
    file.check_texts("policy", lambda text: text.endswith(POLICY_SUFFIX), what)
    return tuple(str(PurePath(folder) / text) for text in file.read_texts("policy"))


def list_policy_entity_names(config: Config) -> frozenset[str]:
    """List the names of a configuration that a policy may use."""
    servers = {f"server:{server.name}" for server in config.servers}
    return frozenset(servers | {agent.id for agent in config.agents})


def to_config_fault(fault: CedarFault) -> ConfigFault:
    """Convert a policy fault to a configuration fault."""
    path = f"policy[{fault.policy}]" if fault.policy else "policy"
    return ConfigFault(TextPosition(fault.line, 1), path, fault.what, fault.file)
