"""Parser of the configuration file: bytes to `Config` and faults with positions."""

import hashlib
import re
from dataclasses import dataclass, field, fields, replace

from answerable.connectors.config.parse.addresses import is_url, read_path
from answerable.connectors.config.parse.agents import read_agents
from answerable.connectors.config.parse.approval_requests import read_asks
from answerable.connectors.config.parse.behaviour import read_tables
from answerable.connectors.config.parse.config_faults import Fault, Faults, Mark
from answerable.connectors.config.parse.config_section import Section, whole
from answerable.connectors.config.parse.decision_point import read_decisions
from answerable.connectors.config.parse.issuers import read_issuers
from answerable.connectors.config.parse.listeners import read_listen
from answerable.connectors.config.parse.policy_files import read_policy_key
from answerable.connectors.config.parse.servers import read_servers
from answerable.connectors.config.parse.token_service import read_sts
from answerable.connectors.config.parse.trust_rules import read_rules
from answerable.connectors.config.parse.web_page import read_web
from answerable.connectors.config.parse.yaml_nodes import MAX_BYTES, NotRead, read_nodes
from answerable.federation.trust_rules.validation import Around
from answerable.model.cedar_policy import NO_RULES, CedarRules
from answerable.model.config import Config
from answerable.model.decision import Mode
from answerable.model.trust_rule import TrustRule
from answerable.model.worker_limits import Limits

# Whose faults leave a gateway that can start, and refuses.
POLICY = ("agents", "default_mode", "policy")
# Whose faults leave a token service that can start, and gives nothing.
RULES = ("rules",)

_MOST_CONNECTIONS = 1_000_000
_HIGHEST = {
    "spool": 1 << 44,
    "spool_per_agent": 1 << 44,
    "bytes_per_caller": 1 << 40,
    "connections": _MOST_CONNECTIONS,
    "connections_per_address": _MOST_CONNECTIONS,
    "connections_per_caller": _MOST_CONNECTIONS,
}
# A recorder keeps its newest file (8 MiB) while it lives: a bound near that would be
# reached once, and never left.
_LOWEST = {"spool": 256 << 20, "spool_per_agent": 32 << 20, "bytes_per_caller": 4 << 20}
_MOST_SECONDS = 86_400
_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,40}(:[^\x00-\x1f]*)?")


@dataclass(frozen=True, slots=True)
class Reading:
    """Result of reading a configuration file.

    Attributes:
        config: Readable configuration; None if it is not YAML.
        faults: All faults, in file order.
        asked: Every known key.
        data: Bytes of the file.
        rules: Readable rules, for display; the configuration has none if one of them
            has a fault.
        policy_marks: Positions of the policy file names.
        policies: Parsed policies of these files; empty before they are read.
    """

    config: Config | None
    faults: tuple[Fault, ...]
    asked: frozenset[str]
    data: bytes = field(repr=False)
    rules: tuple[TrustRule, ...] = ()
    policy_marks: tuple[Mark, ...] = ()
    policies: CedarRules = NO_RULES

    @property
    def lacks_policy_alone(self) -> bool:
        """Tell whether everything except the policy and the rules is valid."""
        return self.config is not None and all(
            _section(fault) in (*POLICY, *RULES) for fault in self.faults
        )

    @property
    def holds_policy(self) -> bool:
        """Tell whether everything except the rules is valid."""
        return self.config is not None and all(
            _section(fault) in RULES for fault in self.faults
        )

    @property
    def holds_rules(self) -> bool:
        """Tell whether the rules are valid."""
        return self.config is not None and not any(
            _section(fault) in RULES for fault in self.faults
        )


def _sources(file: Section) -> tuple[str, ...]:
    """Read the sources of `scan --config`; the scan checks their names."""
    found = file.texts("sources")
    for position, text in enumerate(found):
        if not _SOURCE.fullmatch(text):
            file.fault("sources", f"NAME or NAME:LOCATION expected at {position}")
    return found


def _section(fault: Fault) -> str:
    return fault.path.partition(".")[0].partition("[")[0]


def read_config(data: bytes, place: str, folder: str) -> Reading:
    """Parse a configuration.

    Args:
        data: Bytes of the file.
        place: Its path, for messages.
        folder: Absolute base folder of relative paths.
    """
    faults = Faults()
    try:
        node = read_nodes(_text(data))
    except NotRead as error:
        return Reading(None, (error.fault,), frozenset(), data)
    file = whole(node, faults)
    servers = tuple(read_servers(file, folder))
    issuers = tuple(read_issuers(file, folder))
    listen = read_listen(file.section("listen"), folder, web=file.has("web"))
    sts = read_sts(file, listen, folder)
    around = Around(sts.url if sts else "", {each.pin.name: each for each in issuers})
    rules = read_rules(file, around)
    config = Config(
        place=place,
        digest=hashlib.sha256(data).hexdigest(),
        store=read_path(file, "store", folder),
        state=read_path(file, "state", folder),
        listen=listen,
        issuers=issuers,
        servers=servers,
        default_mode=file.word("default_mode", Mode.ENFORCE),
        agents=tuple(
            read_agents(
                file,
                {server.name for server in servers},
                {issuer.pin.name for issuer in issuers},
            )
        ),
        limits=_limits(file.section("limits")),
        otlp=_otlp(file.section("telemetry")),
        sts=sts,
        rules=rules,
        decisions=read_decisions(
            file,
            listen,
            folder,
            {server.name for server in servers},
            {issuer.pin.name for issuer in issuers},
        ),
        policy=read_policy_key(file, folder),
        sources=_sources(file),
        tables=tuple(read_tables(file, {server.name for server in servers})),
        asks=read_asks(file, folder),
        web=read_web(file, listen, folder, issuers),
    )
    file.close()
    found, asked = tuple(sorted(faults.found)), frozenset(faults.asked)
    marks = file.marks("policy")
    reading = Reading(config, found, asked, data, rules, marks)
    if reading.holds_rules:
        return reading
    return replace(reading, config=replace(config, rules=()))


def _text(data: bytes) -> str:
    start = Mark(1, 1)
    if len(data) > MAX_BYTES:
        raise NotRead(Fault(start, "", f"larger than {MAX_BYTES >> 20} MiB"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise NotRead(Fault(Mark(line, 1), "", "not UTF-8")) from None


def _limits(section: Section) -> Limits:
    usual = Limits()
    limits = Limits(
        **{
            each.name: section.number(
                each.name,
                getattr(usual, each.name),
                _LOWEST.get(each.name, 1),
                _HIGHEST.get(each.name, _MOST_SECONDS),
            )
            for each in fields(Limits)
        }
    )
    section.close()
    return limits


def _otlp(section: Section) -> str:
    url = section.text("otlp")
    section.check(
        "otlp", lambda text: is_url(text, "http", "https"), "a URL was expected"
    )
    section.close()
    return url
