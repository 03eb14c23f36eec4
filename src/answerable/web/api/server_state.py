"""Operations on the serving host and its configuration file, for administrators.

They describe the server, not the client's machine.
"""

from pathlib import Path

from answerable.connectors.config.fetch import read_file
from answerable.model.documents.core import Document
from answerable.model.documents.evidence import CheckItem, ProbeItem
from answerable.model.documents.trust_rules import RuleItem
from answerable.model.documents.web import KillItem
from answerable.model.errors import UsageError
from answerable.presentation.inventory_lists import coverage, no_coverage
from answerable.server.revocation_service import Kills
from answerable.services.federation import trust_rules
from answerable.services.federation.trust_rules import Known
from answerable.services.inventory import scan_sources
from answerable.services.statements.attested_owners import AttestedOwners
from answerable.usecases.inventory import list_scan_locations
from answerable.usecases.operations import doctor
from answerable.web.api.operations import Operation, Params, minute_of
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Visit

_ADMINISTER = frozenset({May.ADMINISTER})


def _doctor(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit, params
    return doctor.doctor(desk.root, now=desk.now)


def _where(desk: Desk, visit: Visit, params: Params) -> Document:
    """List the places of scanned sources; clients cannot name places."""
    del visit, params
    standing = desk.standing()
    scanned = coverage(standing.inventory, standing.at)["sources"]
    named = [
        each["source"] for each in scanned if scan_sources.is_scanned(each["source"])
    ]
    if not named:
        return Document("where", [], no_coverage())
    try:
        home = Path.home()
    except RuntimeError:
        raise UsageError(
            "no home directory is known to the server", "set HOME where it is started"
        ) from None
    return list_scan_locations.where(named, home=home, cwd=Path.cwd())


def _rules(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit, params
    if desk.config is None:
        raise UsageError(
            "no configuration is served here, so there are no rules",
            "serve it: answerable serve --config FILE",
        )
    reading = read_file(desk.config.place)
    agents = frozenset(desk.standing().inventory.agents)
    with desk.store() as store:
        owners = AttestedOwners(store).now(minute_of(desk))
    answered = {agent: owner.person for agent, owner in owners.items()}
    return trust_rules.show_rules(reading, Known(agents, answered))


def _kills(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit, params
    told = sorted(Kills(desk.root, desk.config).told().items())
    items: list[KillItem] = [
        {
            "subject": subject,
            "by": note.by or None,
            "at": note.at or None,
            "reason": note.reason or None,
        }
        for subject, note in told
    ]
    return Document("kills", items, no_coverage())


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "/doctor",
        "Health checks of the server, with remedies.",
        _doctor,
        "doctor",
        CheckItem,
        (),
        _ADMINISTER,
        held=False,
        command="doctor",
    ),
    Operation(
        "/where",
        "Every place and call that the sources of the newest scan would read again.",
        _where,
        "where",
        ProbeItem,
        (),
        _ADMINISTER,
        held=False,
        command="where SOURCE...",
    ),
    Operation(
        "/sts/rules",
        "The trust rules of the file as it is now, each with what is wrong with it.",
        _rules,
        "sts-rules",
        RuleItem,
        (),
        _ADMINISTER,
        held=False,
        command="sts rules --config FILE",
    ),
    Operation(
        "/kills",
        "Kills in force, with author, time and reason if known.",
        _kills,
        "kills",
        KillItem,
        (),
        _ADMINISTER,
        held=False,
    ),
)
