"""What to serve: the configuration as read, and where everything goes."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from answerable.connectors.config.fetch import read_file
from answerable.connectors.config.parse.document import Reading
from answerable.connectors.config.parse.places import is_loopback, parse_address
from answerable.enforce.table import policy_digest
from answerable.gateway.serve.control import MAX_RULES, Policy
from answerable.model.cedar import NO_RULES, CedarRules
from answerable.model.config import Address, Config, Listen
from answerable.model.errors import UsageError
from answerable.serving.plan import config_of, store_of
from answerable.serving.policies import read_decided
from answerable.serving.state import gateway_state
from answerable.serving.stored import known_agents
from answerable.serving.tls import without_tls_files

BESIDE = 5  # ports from the web page to health and metrics


@dataclass(frozen=True, slots=True)
class Plan:
    """What one reading of the file asks for.

    Attributes:
        config: The configuration.
        reading: What was made of the file, its faults included.
        store: Folder of the store.
        policy: What workers decide by.
    """

    config: Config
    reading: Reading
    store: Path
    policy: Policy

    @property
    def state(self) -> Path:
        """The gateway's own folder."""
        return gateway_state(self.config, self.store)

    @property
    def digest(self) -> str:
        """Digest of the policy, as decisions name it."""
        return policy_digest(self.config, self.reading.policies)

    @property
    def _spool(self) -> tuple[int, int]:
        return self.config.limits.spool, self.config.limits.spool_per_agent

    @property
    def fixed(self) -> Mapping[str, object]:
        """What a running gateway cannot change, by what the file calls it."""
        return {
            "listen": replace(
                self.config.listen,
                gateway=without_tls_files(self.config.listen.gateway),
            ),
            "store": self.store,
            "state": self.state,
            "telemetry": self.config.otlp,
            "limits.spool": self._spool,
        }

    def with_policy(self, later: "Plan") -> "Plan":
        """Take from a later plan what a running gateway can."""
        listen = self.config.listen
        config = replace(later.config, listen=listen, state=str(self.state))
        return Plan(config, later.reading, self.store, later.policy)


def read_plan(
    place: str,
    store: Path | None,
    usual: Path | None,
    listen: str,
    before: CedarRules | None = NO_RULES,
) -> Plan:
    """Read the configuration, and whom the store knows.

    A file of which the policy alone is wrong is a plan, too: of a gateway that denies.

    Args:
        place: The file.
        store: As named on the command line, None where it was not.
        usual: The store where nobody names one.
        listen: Address for the API instead of the file's; empty for none.
        before: The Cedar policies as they were read last; None leaves them unread.

    Raises:
        ConfigError: More than the policy is wrong.
        UsageError: The file is not there, or the address is none.
        EnvironmentRefused: It may not be read, or the store may not.
    """
    if before is None:
        reading = read_file(place)
    else:
        reading = read_decided(place, store, usual, before)
    config = config_of(place, reading)
    if listen:
        beside = config.web is not None
        config = replace(config, listen=_listen_at(config.listen, listen, beside))
    root = store_of(config, store, usual)
    policy = Policy(
        text=reading.data,
        place=config.place,
        folder=str(Path(config.place).parent),
        whole=reading.holds_policy,
        inventory=known_agents(root),
        rules=_packed(reading.policies),
    )
    return Plan(config, reading, root, policy)


def _packed(rules: CedarRules) -> bytes:
    if not rules.digest:
        return b""
    packed = msgspec.msgpack.encode(rules.lean())
    if len(packed) > MAX_RULES:
        raise UsageError(
            f"the policies are too large (got {len(packed) >> 20} MiB, expected at most "
            f"{MAX_RULES >> 20})",
            "write less of them, or with less in their conditions",
        )
    # A large set is the same few words again and again; what passes through a worker's
    # memory here stays its own.
    return zlib.compress(packed, level=1)


def _listen_at(listen: Listen, text: str, web: bool) -> Listen:
    """Have the API listen at an address, and the gateway at the next port.

    Where there is a web page, that is at the address, and the API five ports on.
    """
    address = parse_address(text)
    if address is None or not is_loopback(address.host):
        raise UsageError(
            f"not an address to listen at (got {text[:80]!r}, expected a loopback "
            "HOST:PORT)",
            "others are said in the configuration: listen.api, listen.gateway",
        )
    port = address.port + 1 if address.port else 0
    first = replace(listen.gateway[0], address=Address(address.host, port), unix="")
    if web:
        address = replace(address, port=address.port + BESIDE if address.port else 0)
    return replace(listen, api=address, gateway=(first, *listen.gateway[1:]))
