"""Approving what a server says of itself: its tools, its prompts, who it is."""

from typing import TYPE_CHECKING

from answerable.enforce.pins.holding import Choice, approved, choice, still_holds
from answerable.flows import pins as flow
from answerable.flows.attested import AttestedOwners
from answerable.flows.hints import command
from answerable.flows.owner_keys import Signatory
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId
from answerable.model.pin import Approval, Pins
from answerable.serving.pins.files import PinFiles
from answerable.serving.state import gateway_state
from answerable.web.act import Act, Fields
from answerable.web.filters import url
from answerable.web.routes import Forbidden
from answerable.web.visit import May, Visit

if TYPE_CHECKING:
    from answerable.store.store import Store
    from answerable.web.desk import Desk

_AGAIN = "look again: /tools/diff"


def pin_files(desk: "Desk") -> PinFiles:
    """Give the files of pins of the gateway."""
    usual = desk.root / "gateway"
    state = usual if desk.config is None else gateway_state(desk.config, desk.root)
    return PinFiles(state)


def may_approve(desk: "Desk", visit: Visit, server: str) -> bool:
    """Whether a visitor answers for an agent that uses a server, or nobody is named."""
    if visit.person is None or May.OWN not in visit.may or desk.config is None:
        return False
    allowed = flow.approvers(desk.config, server)
    with desk.store() as store:
        owners = AttestedOwners(store)
        owners.now(desk.now)
        known = {owners.same(each) for each in allowed}
        return not known or owners.same(visit.person) in known


def approve(desk: "Desk", visit: Visit, fields: Fields) -> Act:
    """Approve what waits of a server, or one item of it.

    Raises:
        Forbidden: It is not this visitor's to approve, or there is no such server.
        UsageError: Nothing of it waits.
    """
    server, item = fields.get("id", ""), fields.get("item", "")
    files, config = pin_files(desk), desk.config
    # The name of a server names a file: only one that is there is looked for.
    known = config is not None and server in files.servers()
    if config is None or not known or not may_approve(desk, visit, server):
        raise Forbidden
    chosen = choice(files.read(server), (item,) if item else ())
    claims = flow.claims_of(server, chosen)
    if not claims:
        raise UsageError(f"nothing of {server} waits to be approved", _AGAIN)
    allowed = flow.approvers(config, server)

    def tell(store: "Store", who: Signatory, now: int) -> object:
        return _approved(desk, store, who, (server, chosen, allowed), now)

    count = len(claims)
    what = claims[0][0] if count == 1 else f"{count} definitions of {server}"
    return Act(
        title=f"You approve {what}",
        follows=(
            "Agents are shown them as they are now, within a second; whatever else the "
            "server says later is held back until somebody approves it.",
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
    """Record first, and pin what is recorded; nobody else writes meanwhile."""
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
            f"{server} says something else by now than what was shown", _AGAIN
        )
    return said[0]
