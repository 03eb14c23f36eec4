"""Derive the severity of a change from what it adds, by the formula of findings."""

from collections.abc import Callable, Mapping

from answerable.connectors.repo.parse.github_workflow import OUTSIDER_EVENTS
from answerable.inventory.inventory_difference import ChangeDirection, InventoryChange
from answerable.model.agent import NO_ACTIONS, UNPINNED_ACTIONS, UNPINNED_PACKAGES
from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.ids import AgentId
from answerable.model.inventory import Inventory
from answerable.posture.severity import (
    ExposureFactor,
    ReachLevel,
    SeverityFacts,
    Trigger,
)

NOTHING_ADDED = "none"
# Names of actions that only read, by their first word: `s3:GetObject`, `list`.
_READ_VERBS = ("get", "list", "watch", "describe", "head", "read", "select", "view")
# Modes in which a person approves each call that changes something.
_ASKING_MODES = ("", "default", "plan")
_UNBOUNDED = frozenset({ExposureFactor.UNBOUNDED})
_UNATTENDED = frozenset({ExposureFactor.UNATTENDED, ExposureFactor.UNBOUNDED})
_STANDING = frozenset({ExposureFactor.STANDING, ExposureFactor.UNBOUNDED})
_LOW = SeverityFacts(Trigger.LATER, ReachLevel.READ)
_CODE = SeverityFacts(Trigger.LATER, ReachLevel.NOT_KNOWN, _UNBOUNDED)
_ALONE = SeverityFacts(Trigger.AGENT, ReachLevel.NOT_KNOWN, _UNATTENDED)
_BY_OUTSIDERS = SeverityFacts(Trigger.OUTSIDER, ReachLevel.NOT_KNOWN, _UNATTENDED)
_BY_PERSON = SeverityFacts(Trigger.INSIDER, ReachLevel.NOT_KNOWN, _UNBOUNDED)
_TOKEN = SeverityFacts(Trigger.INSIDER, ReachLevel.NOT_KNOWN, _UNATTENDED)
_SECRET = SeverityFacts(Trigger.INSIDER, ReachLevel.NOT_KNOWN, _STANDING)
_RULE = SeverityFacts(Trigger.INSIDER, ReachLevel.WRITE, _UNBOUNDED)


def get_inventory_change_severity(change: InventoryChange) -> str:
    """Return the severity of a change of the inventory; `none` if it adds nothing."""
    if change.change is ChangeDirection.ADDED:
        facts: SeverityFacts | None = _judge_addition(change)
    elif change.change is ChangeDirection.CHANGED:
        facts = _judge_field(change)
    else:
        facts = None
    return facts.severity.value[0] if facts else NOTHING_ADDED


def _judge_addition(change: InventoryChange) -> SeverityFacts:
    """Return the facts of an added thing."""
    if change.kind == "agent":
        return _ALONE if change.risky else _BY_PERSON
    if change.kind == "credential":
        return _SECRET if change.risky else _LOW
    if change.kind == "tool":
        return _ALONE if change.risky else _CODE
    return _LOW


def _judge_field(change: InventoryChange) -> SeverityFacts | None:
    """Return the facts of a changed field; None if the change only takes away."""
    judge = _FIELDS.get((change.kind, change.field), _FIELDS.get((change.kind, "")))
    return judge(change) if judge else _LOW


def _judge_flag(change: InventoryChange) -> SeverityFacts | None:
    """Judge a flag that lets an agent act without a person."""
    return _ALONE if change.after == "yes" else None


def _judge_mode(change: InventoryChange) -> SeverityFacts | None:
    """Judge the permission mode of a client; an unknown mode may ask less often."""
    return None if change.after in _ASKING_MODES else _RULE


def _judge_permissions(change: InventoryChange) -> SeverityFacts | None:
    """Judge the permissions of a workflow's token."""
    gained = [
        each for each in _list_gained(change) if not each.endswith((": read", ": none"))
    ]
    if not change.after:  # the default of the repository or of the organization
        return _TOKEN
    return _TOKEN if gained else None


def _judge_events(change: InventoryChange) -> SeverityFacts | None:
    """Judge the events that trigger a workflow."""
    gained = _list_gained(change)
    if gained & OUTSIDER_EVENTS:
        return _BY_OUTSIDERS
    return _BY_PERSON if gained else None


def _judge_gain(
    facts: SeverityFacts,
) -> Callable[[InventoryChange], SeverityFacts | None]:
    """Judge a list by whether something was added to it."""
    return lambda change: facts if _list_gained(change) else None


def _judge_class(change: InventoryChange) -> SeverityFacts | None:
    """Judge the form in which a credential is stated."""
    return _SECRET if change.after in ("literal", "static") else None


def _judge_unpinned_actions(change: InventoryChange) -> SeverityFacts | None:
    """Judge actions that a branch or a tag names, by whether one was added."""
    return _CODE if _list_gained(change) - {NO_ACTIONS} else None


def _list_gained(change: InventoryChange) -> set[str]:
    """List the parts of a text that were not in it before."""
    return set(change.after.split(", ")) - set(change.before.split(", ")) - {""}


_FIELDS: Mapping[tuple[str, str], Callable[[InventoryChange], SeverityFacts | None]] = {
    ("agent", "unattended"): _judge_flag,
    ("agent", "permission-mode"): _judge_mode,
    ("agent", "id-token"): lambda change: _TOKEN if change.after == "write" else None,
    ("agent", "permissions"): _judge_permissions,
    ("agent", "events"): _judge_events,
    ("agent", "tools"): lambda _: _RULE,
    ("agent", UNPINNED_ACTIONS): _judge_unpinned_actions,
    ("agent", UNPINNED_PACKAGES): _judge_unpinned_actions,
    ("agent", "runs as"): _judge_gain(_BY_PERSON),
    ("tool", "unattended"): _judge_flag,
    ("tool", "enabled"): lambda change: _CODE if change.after == "yes" else None,
    ("tool", "rule"): lambda _: _RULE,
    ("tool", "target"): lambda _: _CODE,
    ("tool", "transport"): lambda _: _CODE,
    ("tool", "credentials"): _judge_gain(_BY_PERSON),
    ("tool", "identities"): _judge_gain(_BY_PERSON),
    ("credential", "class"): _judge_class,
    ("credential", "lifetime"): _judge_class,
    ("pin", ""): lambda _: _CODE,
}


def get_access_change_severity(inventory: Inventory, item: AccessChangeItem) -> str:
    """Return the severity of gained access; `none` for access that was removed."""
    if item["change"] not in ("appears", "stronger"):
        return NOTHING_ADDED
    trigger = Trigger.AGENT if item["agents"] else Trigger.INSIDER
    known = inventory.facts.identities_by_id()
    if item["kind"] == "identity" and item["subject"] not in known:
        public = item["subject"] in ("*", "anonymous")
        trigger = Trigger.ANONYMOUS if public else Trigger.OUTSIDER
    acting = (inventory.agents.get(AgentId(name)) for name in item["agents"])
    unattended = any(each.agent.unattended for each in acting if each)
    held = _STANDING | _UNATTENDED if unattended else _STANDING
    return SeverityFacts(trigger, _judge_reach(item), held).severity.value[0]


def _judge_reach(item: AccessChangeItem) -> ReachLevel:
    """Return how far an access goes."""
    if item["admin"]:
        return ReachLevel.ADMINISTRATOR
    if item["kind"] == "identity":
        return ReachLevel.NOT_KNOWN
    verb = item["action"].rpartition(":")[2].lower()
    if "secret" in item["resource"].lower() or "secret" in verb:
        return ReachLevel.SENSITIVE
    return ReachLevel.READ if verb.startswith(_READ_VERBS) else ReachLevel.WRITE
