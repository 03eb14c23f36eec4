"""Effects of a revocation: what has ended, and what continues until when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from answerable.model.config import Config
from answerable.model.documents.core import Coverage, CredentialItem, Document
from answerable.model.documents.revocation import KillEffectItem
from answerable.model.ids import AgentId
from answerable.model.inventory import Inventory
from answerable.presentation.credential_revocation import residual
from answerable.presentation.inventory_items import credential_item, spelled_time
from answerable.presentation.inventory_lists import coverage_of_list, no_coverage
from answerable.server.revocation_service import GATEWAY, SERVICE, Done
from answerable.services.federation.own_tokens import LONGEST

KILL, REVIVE, DRY_RUN = "kill", "revive", "dry-run"
ELSEWHERE = "servers that verify tokens themselves"
PLATFORM = "its platform"
# Kinds of subjects with delegations on record.
_HOLD_TOKENS = ("agent:", "run:", "person:", "rule:", "issuer:")
_WHAT = {GATEWAY: "calls", SERVICE: "new tokens"}
_NOT_SCANNED = "nothing was scanned into this store"
_NOT_FOUND = "not in the newest snapshot"


@dataclass(frozen=True, slots=True)
class Act:
    """Revocation of a subject, or its reinstatement.

    Attributes:
        kind: `KILL`, `REVIVE` or `DRY_RUN`.
        subject: Subject that is revoked or reinstated.
        done: Result of the operation.
        now: UTC nanoseconds.
    """

    kind: str
    subject: str
    done: Done
    now: int

    def item(
        self,
        what: str,
        where: str,
        state: str,
        *,
        until: str | None = None,
        count: int | None = None,
        id: str | None = None,
        note: str = "",
    ) -> KillEffectItem:
        """Build one item of the answer."""
        return {
            "act": self.kind, "subject": self.subject, "what": what, "where": where,
            "state": state, "until": until, "count": count, "id": id, "note": note,
        }  # fmt: skip


def effects(act: Act, config: Config | None, inventory: Inventory | None) -> Document:
    """List what a revocation ends, and what continues.

    Args:
        act: The revocation.
        config: The configuration; None without one.
        inventory: Newest snapshot; None where the store could not be read.
    """
    items = list(_at_servers(act))
    if act.kind != REVIVE:
        items += _of_tokens(act, config)
        items += _of_credentials(act, inventory)
    return Document("kill", items, _coverage(act, inventory))


def _coverage(act: Act, inventory: Inventory | None) -> Coverage:
    covered = no_coverage()
    if inventory is not None and inventory.coverage:
        covered = coverage_of_list("credentials", inventory, act.now)
    elif _is_of_inventory(act.subject):
        covered["not_collected"] = ["ambient-credentials"]
    # Gaps of a scan do not make the revocation itself partial.
    covered["partial"] = False
    return covered


def _at_servers(act: Act) -> Iterator[KillEffectItem]:
    done, back = act.done, act.kind == REVIVE
    for where in (GATEWAY, SERVICE):
        if where in done.at:
            waits = where in done.waiting
            state = "revived" if back else "waiting" if waits else "dead"
            note = "no server runs that would read it" if waits else ""
            yield act.item(_WHAT[where], where, state, note=note)
    for each in done.refused:
        where, _, why = each.partition(": ")
        yield act.item(_WHAT.get(where, "calls"), where, "refused", note=why)


def _of_tokens(act: Act, config: Config | None) -> Iterator[KillEffectItem]:
    """Yield what was issued before: delegations, and the tokens made from them."""
    done, subject = act.done, act.subject
    service = None if config is None else config.sts
    if service is None or not subject.startswith(_HOLD_TOKENS):
        return
    if done.ended is not None:
        yield act.item("delegations", SERVICE, "dead", count=len(done.ended))
    elif not subject.startswith("issuer:"):
        yield act.item("delegations", SERVICE, "not-known", note="it did not say")
    if done.ended == () and not subject.startswith("issuer:"):
        return
    until = spelled_time(act.now + _longest_token(config) * 10**9)
    note = "at most; those that ask at /introspect refuse at once"
    yield act.item("tokens given before", ELSEWHERE, "lives", until=until, note=note)
    known = done.ended is not None or subject.startswith("agent:")
    if config is not None and config.servers and not known:
        yield act.item(
            "tokens given before", GATEWAY, "lives", until=until, note="at most"
        )


def _longest_token(config: Config | None) -> int:
    """Return the maximum lifetime of a token of any rule, in seconds."""
    rules = () if config is None else config.rules
    return max((grant.ttl for rule in rules for grant in rule.grants), default=LONGEST)


def _of_credentials(act: Act, inventory: Inventory | None) -> Iterator[KillEffectItem]:
    """Yield the subject's credentials on other platforms, which stay valid."""
    if not _is_of_inventory(act.subject):
        return
    if inventory is None or not inventory.coverage:
        yield act.item("credentials", PLATFORM, "not-known", note=_NOT_SCANNED)
        return
    if act.subject not in {*inventory.agents, *inventory.credentials}:
        yield act.item("credentials", PLATFORM, "not-known", note=_NOT_FOUND)
        return
    for each in _credentials_of(act.subject, inventory):
        after = residual(each["kind"])
        users = ", ".join(a for a in each["agents"] if a != act.subject)
        note = f"end it there: {after.end}; then lives {after.lives}"
        yield act.item(
            f"credential {each['kind']}",
            PLATFORM,
            "lives",
            until=each["expires_at"],
            id=each["id"],
            note=f"{note}; held by {users} too" if users else note,
        )


def _is_of_inventory(subject: str) -> bool:
    return subject.startswith(("agent:", "cred:"))


def _credentials_of(subject: str, inventory: Inventory) -> Sequence[CredentialItem]:
    if subject.startswith("cred:"):
        wanted = {subject}
    else:
        agent = inventory.agents.get(AgentId(subject))
        uses = () if agent is None else agent.tools
        wanted = {str(each) for use in uses for each in use.credentials}
    return [
        credential_item(inventory, entity)
        for key, entity in sorted(inventory.credentials.items())
        if key in wanted
    ]
