"""Approval of pins: what a server declares about its tools, prompts and identity."""

from typing import TYPE_CHECKING

from answerable.authorization.pins.observation import (
    Choice,
    approved,
    choice,
    still_holds,
)
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId
from answerable.model.pin import Approval, Pins
from answerable.presentation.command_hints import command
from answerable.server.pins.pin_files import PinFiles
from answerable.server.state_folders import gateway_state
from answerable.services.statements.attested_owners import AttestedOwners
from answerable.services.statements.owner_keys import Signatory
from answerable.usecases.authorization import tool_pins as flow
from answerable.web.routing import Forbidden
from answerable.web.signing_action import Act, Fields
from answerable.web.template_filters import url
from answerable.web.visitor import May, Visit

if TYPE_CHECKING:
    from answerable.store.store import Store
    from answerable.web.store_cache import Desk

_AGAIN = "look again: /tools/diff"


def pin_files(desk: "Desk") -> PinFiles:
    """Return the pin files of the gateway."""
    usual = desk.root / "gateway"
    state = usual if desk.config is None else gateway_state(desk.config, desk.root)
    return PinFiles(state)


def may_approve(desk: "Desk", visit: Visit, server: str) -> bool:
    """Tell whether the visitor may approve for a server."""
    if visit.person is None or May.OWN not in visit.may or desk.config is None:
        return False
    allowed = flow.approvers(desk.config, server)
    with desk.store() as store:
        owners = AttestedOwners(store)
        owners.now(desk.now)
        known = {owners.same(each) for each in allowed}
        return not known or owners.same(visit.person) in known


def approve(desk: "Desk", visit: Visit, fields: Fields) -> Act:
    """Build the approval of a server's pending definitions, or of one item.

    Raises:
        Forbidden: The visitor may not approve, or the server is unknown.
        UsageError: Nothing is pending.
    """
    server, item = fields.get("id", ""), fields.get("item", "")
    files, config = pin_files(desk), desk.config
    # The server's name is a file name, so it must be a known one.
    known = config is not None and server in files.servers()
    if config is None or not known or not may_approve(desk, visit, server):
        raise Forbidden
    chosen = choice(files.read(server), (item,) if item else ())
    claims = flow.claims_of(server, chosen)
    if not claims:
        raise UsageError(f"no definition of {server} waits for approval", _AGAIN)
    allowed = flow.approvers(config, server)

    def tell(store: "Store", who: Signatory, now: int) -> object:
        return _approved(desk, store, who, (server, chosen, allowed), now)

    count = len(claims)
    what = claims[0][0] if count == 1 else f"{count} definitions of {server}"
    return Act(
        title=f"You approve {what}",
        follows=(
            "Agents see these definitions within a second. Later changes by the server "
            "are in quarantine until they are approved.",
        ),
        subject=f"server:{server}",
        tell=tell,
        command=command(
            *("tools", "approve", server, *((item,) if item else ())),
            *("--config", "FILE", "--key", "KEY"),
        ),
        back=url("/tools/diff", server=server),
        said=f"Signed: {what} approved.",
    )


def _approved(
    desk: "Desk",
    store: "Store",
    who: Signatory,
    what: tuple[str, Choice, frozenset[PersonId]],
    now: int,
) -> Approval:
    """Record the approval, then pin it, under the lock of the pin file."""
    server, chosen, allowed = what
    inventory, said = desk.standing().inventory, list[Approval]()

    def approve_now(known: Pins) -> Pins | None:
        if not still_holds(known, chosen):
            return None
        word = flow.approve(
            store, inventory, server, chosen, who, allowed=allowed, now=now
        )
        said.append(word)
        return approved(known, chosen, word)

    if pin_files(desk).change(server, approve_now) is None:
        raise UsageError(
            f"the definitions of {server} have changed since they were shown", _AGAIN
        )
    return said[0]
