"""Describe the assumptions and undecided policy layers of a permission answer."""

from collections.abc import Collection, Iterator, Sequence

from answerable.model.documents.shared_shapes import (
    DeterminingStatementItem,
    PolicyLayerItem,
)
from answerable.presentation.policy_condition_text import (
    format_layer_name,
    is_iam_layer,
    quote_grant,
    shorten_policy_name,
)
from answerable.presentation.text import sanitize

# Policies that limit a call, in order of mention; and those that could grant one.
_DENYING = {
    "scp": "SCP",
    "rcp": "RCP",
    "boundary": "permissions boundary",
    "resource-policies": "resource policy",
    "session-policy": "session policy",
    "endpoint-policy": "endpoint policy",
    "gcp-deny-policies": "deny policy",
    "gcp-access-boundaries": "access boundary",
}
_GRANTING = {
    "identity-policies": "identity policy",
    "role-trust": "trust policy",
    "resource-policies": "resource policy",
    "s3-acls": "ACL",
    "gcp-service-accounts": "service account",
    "gcp-resources": "workload",
    "gcp-org-policies": "organization policy",
    "cross-platform-steps": "step through a platform that was not scanned",
}
# Labels of the kinds of access change of a policy edit.
CHANGE_LABELS = {
    "appears": "appears",
    "stronger": "becomes stronger",
    "weaker": "becomes weaker",
    "falls-away": "is removed",
    "not-known": "not known",
}
_MOST = 5  # named kinds; others are counted
_STATES = (
    ("passed", "applied but did not decide"),
    ("none", "none attached"),
    ("not-collected", "not collected"),
    ("not-stated", "none stated"),
    ("does-not-apply", "does not apply"),
)
_DOES = {
    "allow": "allows",
    "deny": "denies",
    "implicit-deny": "does not allow",
    "unread-statement": "could not be read",
    "uncollected-policy": "was not collected",
}


def describe_assumptions(verdict: str, names: Collection[str]) -> str:
    """Describe the assumptions of a verdict, empty if it has none."""
    if not names:
        return ""
    never = verdict == "never"
    words = _GRANTING if never else _DENYING
    named = [said for name, said in words.items() if name in names]
    if not named:
        return "assuming that uncollected policies do not change it"
    does = "allows it" if never else "denies it"
    if len(named) > _MOST:
        named = [*named[: _MOST - 1], f"{len(named) - _MOST + 1} other kinds of policy"]
    return f"assuming no {_join_with_or(named)} {does}"


def _join_with_or(names: Sequence[str]) -> str:
    """Join names with commas and a final `or`."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def describe_policy_effect(item: DeterminingStatementItem) -> str:
    """Describe the effect of a policy: `inline/P of user/x, statement 0: allows`."""
    if not is_iam_layer(item["layer"]):
        quoted = quote_grant(item)
        does = _DOES.get(item["effect"], sanitize(item["effect"]))
        return quoted if item["effect"] == "allow" else f"{quoted}: {does}"
    number = f", statement {sanitize(item['statement'])}" if item["statement"] else ""
    does = _DOES.get(item["effect"], sanitize(item["effect"]))
    return f"{shorten_policy_name(item['policy'])}{number}: {does}".lstrip(" ,:")


def group_undecided_layers(
    layers: Sequence[PolicyLayerItem],
) -> Iterator[tuple[str, list[str]]]:
    """Group the policy layers that neither allow nor deny by their reason."""
    for state, said in _STATES:
        named = [format_layer_name(e["layer"]) for e in layers if e["state"] == state]
        if named:
            yield said, named
