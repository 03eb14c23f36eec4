"""Parse the bytes of the configuration into `Config`, and faults with positions."""

import hashlib
from dataclasses import dataclass, field, fields, replace

from answerable.connectors.config.parse.addresses import is_url_without_query, read_path
from answerable.connectors.config.parse.agents import (
    read_agents,
    read_ended_enforcement,
)
from answerable.connectors.config.parse.approval_requests import read_approval_requests
from answerable.connectors.config.parse.collection import (
    read_collector,
    read_sources,
)
from answerable.connectors.config.parse.config_faults import (
    ConfigFault,
    ConfigFaults,
    TextPosition,
)
from answerable.connectors.config.parse.config_section import (
    ConfigSection,
    root_section,
)
from answerable.connectors.config.parse.decision_point import read_decision_point
from answerable.connectors.config.parse.issuers import read_issuers
from answerable.connectors.config.parse.listeners import read_listen
from answerable.connectors.config.parse.policy_files import read_policy_key
from answerable.connectors.config.parse.servers import read_servers
from answerable.connectors.config.parse.token_service import read_token_service
from answerable.connectors.config.parse.tool_behaviour import read_reference_tables
from answerable.connectors.config.parse.trust_rules import read_trust_rules
from answerable.connectors.config.parse.web_page import read_web
from answerable.connectors.config.parse.yaml_nodes import (
    MAX_BYTES,
    YamlRefused,
    parse_yaml_nodes,
)
from answerable.federation.trust_rules.validation import ValidationContext
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarPolicySet
from answerable.model.config import Config
from answerable.model.decision import EnforcementMode
from answerable.model.trust_rule import TrustRule
from answerable.model.worker_limits import WorkerLimits

# Whose faults leave a gateway that can start, and refuses.
POLICY_SECTIONS = ("agents", "default_mode", "policy")
# Whose faults leave a token service that can start, and gives nothing.
RULE_SECTIONS = ("rules",)

_MAX_CONNECTIONS = 1_000_000
_MAX_VALUES = {
    "spool": 1 << 44,
    "spool_per_agent": 1 << 44,
    "bytes_per_caller": 1 << 40,
    "connections": _MAX_CONNECTIONS,
    "connections_per_address": _MAX_CONNECTIONS,
    "connections_per_caller": _MAX_CONNECTIONS,
}
# A recorder keeps its newest file (8 MiB) while it lives: a bound near that would be
# reached once, and never left.
_MIN_VALUES = {
    "spool": 256 << 20,
    "spool_per_agent": 32 << 20,
    "bytes_per_caller": 4 << 20,
}
_MAX_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class ConfigReading:
    """Result of reading a configuration file.

    Attributes:
        config: Readable configuration; None if it is not YAML.
        faults: All faults, in file order.
        known_keys: Every known key.
        data: Bytes of the file.
        rules: Readable rules, for display; the configuration has none if one of them
            has a fault.
        policy_positions: Positions of the policy file names.
        policies: Parsed policies of these files; empty before they are read.
        source_positions: Positions of the items of `sources`.
    """

    config: Config | None
    faults: tuple[ConfigFault, ...]
    known_keys: frozenset[str]
    data: bytes = field(repr=False)
    rules: tuple[TrustRule, ...] = ()
    policy_positions: tuple[TextPosition, ...] = ()
    policies: CedarPolicySet = NO_CEDAR_POLICIES
    source_positions: tuple[TextPosition, ...] = ()

    @property
    def is_valid_except_policy(self) -> bool:
        """Return whether every section besides `policy` and `rules` is valid."""
        return self.config is not None and all(
            _section_of_fault(fault) in (*POLICY_SECTIONS, *RULE_SECTIONS)
            for fault in self.faults
        )

    @property
    def is_valid_except_rules(self) -> bool:
        """Return whether the file has no fault outside its trust rules."""
        return self.config is not None and all(
            _section_of_fault(fault) in RULE_SECTIONS for fault in self.faults
        )

    @property
    def has_valid_rules(self) -> bool:
        """Return whether the trust rules for token exchange have no fault."""
        return self.config is not None and not any(
            _section_of_fault(fault) in RULE_SECTIONS for fault in self.faults
        )


def _section_of_fault(fault: ConfigFault) -> str:
    """Return the top-level section of the file that a fault is in."""
    return fault.path.partition(".")[0].partition("[")[0]


def parse_config(data: bytes, place: str, folder: str) -> ConfigReading:
    """Parse the bytes of `answerable.yaml` into a configuration and faults.

    Args:
        data: Bytes of the file.
        place: Its path, for messages.
        folder: Absolute base folder of relative paths.
    """
    faults = ConfigFaults()
    try:
        node = parse_yaml_nodes(_decode_text(data))
    except YamlRefused as error:
        return ConfigReading(None, (error.fault,), frozenset(), data)
    file = root_section(node, faults)
    servers = tuple(read_servers(file, folder))
    issuers = tuple(read_issuers(file, folder))
    listen = read_listen(file.read_section("listen"), folder, web=file.has_key("web"))
    sts = read_token_service(file, listen, folder)
    around = ValidationContext(
        sts.url if sts else "", {each.pin.name: each for each in issuers}
    )
    rules = read_trust_rules(file, around)
    default_mode = file.read_enum("default_mode", EnforcementMode.ENFORCE)
    agents = tuple(
        read_agents(
            file,
            {server.name for server in servers},
            {issuer.pin.name for issuer in issuers},
        )
    )
    modes = {agent.name: agent.mode for agent in agents}
    config = Config(
        place=place,
        digest=hashlib.sha256(data).hexdigest(),
        store=read_path(file, "store", folder),
        state=read_path(file, "state", folder),
        listen=listen,
        issuers=issuers,
        servers=servers,
        default_mode=default_mode,
        agents=agents,
        ends_enforcement=read_ended_enforcement(
            file, modes | {"default_mode": default_mode}
        ),
        limits=_read_worker_limits(file.read_section("limits")),
        otlp=_read_otlp_endpoint(file.read_section("telemetry")),
        sts=sts,
        rules=rules,
        decisions=read_decision_point(
            file,
            listen,
            folder,
            {server.name for server in servers},
            {issuer.pin.name for issuer in issuers},
        ),
        policy=read_policy_key(file, folder),
        sources=read_sources(file),
        collector=read_collector(file, folder, insecure=listen.is_health_plain_text),
        tables=tuple(read_reference_tables(file, {server.name for server in servers})),
        asks=read_approval_requests(file, folder),
        web=read_web(file, listen, folder, issuers),
    )
    file.report_unknown_keys()
    found, asked = tuple(sorted(faults.found)), frozenset(faults.known_keys)
    reading = ConfigReading(
        config=config,
        faults=found,
        known_keys=asked,
        data=data,
        rules=rules,
        policy_positions=file.list_item_positions("policy"),
        source_positions=file.list_item_positions("sources"),
    )
    if reading.has_valid_rules:
        return reading
    return replace(reading, config=replace(config, rules=()))


def _decode_text(data: bytes) -> str:
    """Decode the file as UTF-8; raises if it is too large."""
    start = TextPosition(1, 1)
    if len(data) > MAX_BYTES:
        raise YamlRefused(ConfigFault(start, "", f"larger than {MAX_BYTES >> 20} MiB"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise YamlRefused(ConfigFault(TextPosition(line, 1), "", "not UTF-8")) from None


def _read_worker_limits(section: ConfigSection) -> WorkerLimits:
    """Read the `limits` of a worker process, each within its bounds."""
    usual = WorkerLimits()
    limits = WorkerLimits(
        **{
            each.name: section.read_number(
                each.name,
                getattr(usual, each.name),
                _MIN_VALUES.get(each.name, 1),
                _MAX_VALUES.get(each.name, _MAX_SECONDS),
            )
            for each in fields(WorkerLimits)
        }
    )
    section.report_unknown_keys()
    return limits


def _read_otlp_endpoint(section: ConfigSection) -> str:
    """Read the OTLP endpoint for telemetry, empty if absent."""
    url = section.read_text("otlp")
    section.check_texts(
        "otlp",
        lambda text: is_url_without_query(text, "http", "https"),
        "expected a URL",
    )
    section.report_unknown_keys()
    return url
