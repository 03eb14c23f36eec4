"""REST operations for administrators: health checks, scan sources, trust rules, kills.

They describe the server, not the client's machine.
"""

from pathlib import Path

from answerable.connectors import registry
from answerable.connectors.config.fetch import read_config_file
from answerable.model.documents.evidence import CheckItem, ProbeItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trust_rules import TrustRuleItem
from answerable.model.documents.web import RevocationItem
from answerable.model.errors import UsageError
from answerable.presentation.answer_coverage import build_coverage, build_empty_coverage
from answerable.server.kills_in_force import group_kills
from answerable.server.revocation_service import RevocationService
from answerable.services.federation.trust_rule_dry_run import KnownAgents
from answerable.services.inventory import scan_sources
from answerable.services.statements.attested_owners import open_owner_reader
from answerable.usecases.federation import check_trust_rules
from answerable.usecases.inventory import list_scan_locations
from answerable.usecases.operations import doctor
from answerable.web.api.operations import (
    ApiOperation,
    OperationParams,
    get_current_minute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_ADMINISTER = frozenset({WebPermission.ADMINISTER})


def _run_doctor(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """Run the health checks of the server."""
    return doctor.check_installation(cache.root, now=cache.now)


def _list_sources(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """List the places that the scanned sources read; the client cannot name places."""
    view = cache.current_view()
    scanned = build_coverage(view.inventory, view.at)["sources"]
    named = [
        each["source"]
        for each in scanned
        if scan_sources.find_source_capability(each["source"]) == registry.INVENTORY
    ]
    if not named:
        return Document("where", [], build_empty_coverage())
    try:
        home = Path.home()
    except RuntimeError:
        raise UsageError(
            "the home directory of the server is unknown",
            "set HOME in the environment of the server",
        ) from None
    return list_scan_locations.list_scan_locations(named, home=home, cwd=Path.cwd())


def _list_trust_rules(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """List the trust rules in the configuration file, each with its faults."""
    if cache.config is None:
        raise UsageError(
            "this server has no configuration, so there are no rules",
            "start the server with a configuration: answerable serve --config FILE",
        )
    reading = read_config_file(cache.config.place)
    agents = frozenset(cache.current_view().inventory.agents)
    with cache.open_store() as store:
        owners = open_owner_reader(store).owners_by_agent(get_current_minute(cache))
    answered = {agent: owner.person for agent, owner in owners.items()}
    return check_trust_rules.show_trust_rules(reading, KnownAgents(agents, answered))


def _list_revocations(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """List the kills in force with author, time, reason and what ended with each."""
    revoked = RevocationService(cache.root, cache.config).list_revoked()
    items: list[RevocationItem] = [
        {
            "subject": kill.subject,
            "by": kill.note.by or None,
            "at": kill.note.at or None,
            "reason": kill.note.reason or None,
            "ended": list(kill.ended),
            "revived": kill.is_revived,
        }
        for kill in group_kills(revoked)
    ]
    return Document("kills", items, build_empty_coverage())


OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/doctor",
        summary="Health checks of the server, with remedies.",
        handler=_run_doctor,
        kind="doctor",
        item=CheckItem,
        parameters=(),
        permissions=_ADMINISTER,
        has_etag=False,
        command="doctor",
    ),
    ApiOperation(
        path="/where",
        summary="Locations and API calls that the sources of the newest scan would read.",
        handler=_list_sources,
        kind="where",
        item=ProbeItem,
        parameters=(),
        permissions=_ADMINISTER,
        has_etag=False,
        command="where SOURCE...",
    ),
    ApiOperation(
        path="/sts/rules",
        summary="Trust rules of the current configuration, each with its errors.",
        handler=_list_trust_rules,
        kind="sts-rules",
        item=TrustRuleItem,
        parameters=(),
        permissions=_ADMINISTER,
        has_etag=False,
        command="token-service rules --config FILE",
    ),
    ApiOperation(
        path="/kills",
        summary="Kills in force, with author, time and reason if known, and the "
        "delegations that ended with each.",
        handler=_list_revocations,
        kind="kills",
        item=RevocationItem,
        parameters=(),
        permissions=_ADMINISTER,
        has_etag=False,
    ),
)
