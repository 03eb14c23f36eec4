"""Read the configuration and policies for `serve`, and the folders in use."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from answerable.authorization.decision_table import policy_digest
from answerable.connectors.config.fetch import read_config_file
from answerable.connectors.config.parse.addresses import is_loopback, parse_address
from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.gateway.serve.control_channel import MAX_RULES, WorkerPolicy
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarPolicySet
from answerable.model.config import Config, ListenAddress, ListenConfig
from answerable.model.errors import UsageError
from answerable.server.policy_loading import read_config_and_policies
from answerable.server.restart_only_settings import (
    require_valid_config,
    resolve_store_folder,
)
from answerable.server.state_folders import gateway_state
from answerable.server.store_access import list_known_agents
from answerable.server.tls import without_tls_files

STATUS_PORT_OFFSET = 5  # ports from the web page to health and metrics


@dataclass(frozen=True, slots=True)
class ServePlan:
    """Result of one reading of the configuration file.

    Attributes:
        reading: Result of parsing the file, its faults included.
        store: Folder of the store.
        policy: Policy message for the workers.
    """

    config: Config
    reading: ConfigReading
    store: Path
    policy: WorkerPolicy

    @property
    def state(self) -> Path:
        """Return the state folder of the gateway."""
        return gateway_state(self.config, self.store)

    @property
    def has_valid_policy(self) -> bool:
        """Return whether its policy is valid; otherwise every call is denied."""
        return self.policy.whole

    @property
    def digest(self) -> str:
        """Return the digest of the policy, as decisions name it."""
        return policy_digest(self.config, self.reading.policies)

    @property
    def _spool_limits(self) -> tuple[int, int]:
        """Return the size limits of the spool."""
        return self.config.limits.spool, self.config.limits.spool_per_agent

    @property
    def restart_only_settings(self) -> Mapping[str, object]:
        """Return settings that only a restart can change, by their key in the file."""
        return {
            "listen": replace(
                self.config.listen,
                gateway=without_tls_files(self.config.listen.gateway),
            ),
            "store": self.store,
            "state": self.state,
            "telemetry": self.config.otlp,
            "limits.spool": self._spool_limits,
        }

    def with_reloadable_settings(self, new_plan: "ServePlan") -> "ServePlan":
        """Return this plan with the settings of a newer one that need no restart."""
        listen = self.config.listen
        config = replace(new_plan.config, listen=listen, state=str(self.state))
        return ServePlan(config, new_plan.reading, self.store, new_plan.policy)


def read_serve_plan(
    config_path: str,
    store: Path | None,
    default_store: Path | None,
    listen: str,
    previous: CedarPolicySet | None = NO_CEDAR_POLICIES,
) -> ServePlan:
    """Read the configuration, and the agents in the store.

    A file with an invalid policy alone is a plan, too: for a gateway that denies every
    call.

    Args:
        config_path: Path of the file.
        store: Store named on the command line; None without one.
        default_store: Default store.
        listen: Address for the API in place of the file's; empty for none.
        previous: Cedar policies of the previous reading; None leaves them unread.

    Raises:
        ConfigError: More than the policy is invalid.
        UsageError: The file does not exist, or the address is none.
        EnvironmentFailure: The file or the store may not be read.
    """
    if previous is None:
        reading = read_config_file(config_path)
    else:
        reading = read_config_and_policies(config_path, store, default_store, previous)
    config = require_valid_config(config_path, reading)
    if listen:
        beside = config.web is not None
        config = replace(config, listen=_override_listen(config.listen, listen, beside))
    root = resolve_store_folder(config, store, default_store)
    policy = WorkerPolicy(
        text=reading.data,
        place=config.place,
        folder=str(Path(config.place).parent),
        whole=reading.is_valid_except_rules,
        inventory=list_known_agents(root),
        rules=_compress_rules(reading.policies),
    )
    return ServePlan(config, reading, root, policy)


def _compress_rules(rules: CedarPolicySet) -> bytes:
    """Encode and compress the Cedar policies for the workers; limit their size."""
    if not rules.digest:
        return b""
    packed = msgspec.msgpack.encode(rules.copy_for_evaluation())
    if len(packed) > MAX_RULES:
        raise UsageError(
            f"the policies are too large (got {len(packed) >> 20} MiB, expected at most "
            f"{MAX_RULES >> 20})",
            "reduce the number of policies or the size of their conditions",
        )
    # Large policy sets compress well, and a worker keeps the memory of a message.
    return zlib.compress(packed, level=1)


def _override_listen(listen: ListenConfig, text: str, web: bool) -> ListenConfig:
    """Move the API to an address, and the gateway to the next port.

    With a web page, the page gets that address, and the API a port five higher.
    """
    address = parse_address(text)
    if address is None or not is_loopback(address.host):
        raise UsageError(
            f"invalid listen address (got {text[:80]!r}, expected a loopback "
            "HOST:PORT)",
            "set other addresses in the configuration: listen.api, listen.gateway",
        )
    port = address.port + 1 if address.port else 0
    first = replace(
        listen.gateway[0], address=ListenAddress(address.host, port), unix=""
    )
    if web:
        address = replace(
            address, port=address.port + STATUS_PORT_OFFSET if address.port else 0
        )
    return replace(listen, api=address, gateway=(first, *listen.gateway[1:]))
