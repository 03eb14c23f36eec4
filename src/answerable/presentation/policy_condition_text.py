"""Describe IAM policy conditions and statements in plain language."""

from collections.abc import Mapping

from answerable.model.documents.shared_shapes import (
    ConditionItem,
    DeterminingStatementItem,
)
from answerable.presentation.text import sanitize

# Operators in lower case; others are shown as the policy has them.
_EQUAL = ("is", "is not")
_LIKE = ("matches", "does not match")
_OPERATORS: Mapping[str, tuple[str, str]] = {
    "stringequals": _EQUAL,
    "stringnotequals": _EQUAL[::-1],
    "stringequalsignorecase": ("is, in any case,", "is not, in any case,"),
    "stringnotequalsignorecase": ("is not, in any case,", "is, in any case,"),
    "stringlike": _LIKE,
    "stringnotlike": _LIKE[::-1],
    "arnequals": _LIKE,
    "arnnotequals": _LIKE[::-1],
    "arnlike": _LIKE,
    "arnnotlike": _LIKE[::-1],
    "ipaddress": ("is inside", "is outside"),
    "notipaddress": ("is outside", "is inside"),
    "bool": _EQUAL,
    "numericequals": _EQUAL,
    "numericnotequals": _EQUAL[::-1],
    "numericlessthan": ("is less than", "is at least"),
    "numericlessthanequals": ("is at most", "is more than"),
    "numericgreaterthan": ("is more than", "is at most"),
    "numericgreaterthanequals": ("is at least", "is less than"),
    "dateequals": _EQUAL,
    "datenotequals": _EQUAL[::-1],
    "datelessthan": ("is before", "is not before"),
    "datelessthanequals": ("is not after", "is after"),
    "dategreaterthan": ("is after", "is not after"),
    "dategreaterthanequals": ("is not before", "is before"),
    "null": ("is absent:", "is not absent:"),
}
_QUANTIFIERS = {"forallvalues": "every value of", "foranyvalue": "a value of"}

# Keys of the answer itself, which no platform sets.
_OPEN = {
    "answerable:scope": ("the call is within", "the call is outside"),
    "answerable:resource": ("the resource is in", "the resource is outside"),
    "answerable:further-parts": (
        "it acts through another identity; not listed (see can):",
        "it does not act through another identity of these, not listed:",
    ),
    "answerable:deny": ("the call falls under", "the call does not fall under"),
    "answerable:resource-policy": (
        "the resource policies also allow it, for all of",
        "the resource policies do not allow it for all of",
    ),
    "answerable:public-policy": (
        "this policy is public:",
        "this policy is not public:",
    ),
    "answerable:action-catalogue": (
        "AWS has an action that is not in the catalogue:",
        "AWS has no action",
    ),
    "answerable:canonical-user": (
        "the caller's account has the canonical user id",
        "the caller's account does not have the canonical user id",
    ),
    "answerable:wildcard-principal": (
        "a boundary or session policy does not limit a grant to",
        "a boundary or session policy limits a grant to",
    ),
    "answerable:credential-status": ("the credential is", "the credential is not"),
    "answerable:person-status": ("the person is", "the person is not"),
    "answerable:client-rule": (
        "the client's rule (self-reported) allows it:",
        "the client's rule (self-reported) does not allow it:",
    ),
    "answerable:indirect-use": (
        "a credential is read and used by another tool; it can be read through",
        "no other tool uses a credential that can be read through",
    ),
    "answerable:existing-resource": ("there is one:", "there is none:"),
    "answerable:awaited": ("it happens that", "this does not happen:"),
    "answerable:other-policy-version": (
        "another version of the policy allows the call:",
        "no other version of the policy allows the call:",
    ),
    "answerable:too-many-alternatives": (
        "one of very many alternatives holds:",
        "none of very many alternatives holds:",
    ),
}
_UNKNOWN = {
    "answerable:unread-statement": "could not be read",
    "answerable:uncollected-policy": "was not collected",
}
_DOES = {"Allows": ("allows", "does not allow"), "Denies": ("denies", "does not deny")}

_ASSERTED = {
    "platform": "the platform sets it",
    "operation": "the requested operation sets it",
    "caller": "the caller chooses it",
    "depends": "the call decides who sets it",
}

_LAYERS = {
    "identity": "identity policy",
    "boundary": "permissions boundary",
    "trust": "trust policy",
    "resource": "resource policy",
    "scp": "SCP",
    "rcp": "RCP",
    "session": "session policy",
    "endpoint": "endpoint policy",
    "public-access": "public-access block",
    "catalogue": "the action catalogue",
}
_SHORT = {
    "access-entry": "entry",
    "access-policy": "policy",
    "membership": "member",
    "public-access": "public",
    "service-account": "account",
    "scp": "SCP",
    "rcp": "RCP",
}

_EFFECTS = {
    "allow": "allows it",
    "deny": "denies it",
    "implicit-deny": "does not allow it",
    "unread-statement": "could not be read",
    "uncollected-policy": "was not collected",
}
_MOST = 6


def describe_condition(condition: ConditionItem, *, brief: bool = False) -> str:
    """Describe one open condition and, unless `brief`, who sets its key."""
    values = [sanitize(value) for value in condition["values"]]
    shown = " or ".join(values[:_MOST])
    if len(values) > _MOST:
        shown += f" or one of {len(values) - _MOST} more"
    key = condition["key"]
    if key in _OPEN:
        return f"{_OPEN[key][condition['negated']]} {shown}"
    if key in _UNKNOWN:
        does = _DOES.get(condition["operator"], ("changes", "does not change"))
        return f"{shown}, which {_UNKNOWN[key]}, {does[condition['negated']]} it"
    if brief:
        return f"{_describe_operator(condition)} {shown}"
    who = _ASSERTED.get(condition["asserted_by"], sanitize(condition["asserted_by"]))
    told = sanitize(condition.get("who", ""))
    if told:
        who = told if condition["asserted_by"] == "platform" else f"{who}: {told}"
    return f"{_describe_operator(condition)} {shown} ({who})"


def _describe_operator(item: ConditionItem) -> str:
    """Describe key and operator: `every value of aws:TagKeys is`."""
    quantifier, colon, base = item["operator"].rpartition(":")
    absent = base.lower().endswith("ifexists")
    bare = base[: -len("ifexists")] if absent else base
    says = _OPERATORS.get(bare.lower())
    if says is None or (colon and quantifier.lower() not in _QUANTIFIERS):
        refused = "not " if item["negated"] else ""
        return f"{sanitize(item['key'])} {refused}{sanitize(item['operator'])}"
    key = sanitize(item["key"])
    if colon:
        key = f"{_QUANTIFIERS[quantifier.lower()]} {key}"
    if absent:
        key += ", if present,"
    return f"{key} {says[item['negated']]}"


def format_layer_name(layer: str, *, short: bool = False) -> str:
    """Name a policy layer; `short` for a narrow column."""
    plain = sanitize(layer).replace("-", " ")
    return _SHORT.get(layer, plain) if short else _LAYERS.get(layer, plain)


def describe_statement(statement: DeterminingStatementItem) -> str:
    """Describe a deciding statement: `identity policy p allows it (statement 0)`.

    A grant of another platform than AWS is quoted: `GRANT migrator TO app`.
    """
    if not is_iam_layer(statement["layer"]):
        does = _EFFECTS.get(statement["effect"], sanitize(statement["effect"]))
        quoted = quote_grant(statement)
        return quoted if statement["effect"] == "allow" else f"{quoted} {does}"
    layer = format_layer_name(statement["layer"])
    effect = _EFFECTS.get(statement["effect"], sanitize(statement["effect"]))
    named = shorten_policy_name(statement["policy"])
    text = " ".join(word for word in (layer, named, effect) if word)
    return (
        f"{text} (statement {sanitize(statement['statement'])})"
        if statement["statement"]
        else text
    )


def quote_grant(statement: DeterminingStatementItem) -> str:
    """Quote a grant or a rule, with its holder where it does not name it itself."""
    holder, said = sanitize(statement["policy"]), sanitize(statement["statement"])
    words = said.replace(":", " ").split()
    if not said or holder.rpartition(" ")[2] in words:
        return said or holder
    return f"{holder}: {said}" if holder else said


def is_iam_layer(layer: str) -> bool:
    """Return whether statements of a layer are parts of IAM policies."""
    return layer in _LAYERS


def shorten_policy_name(policy: str) -> str:
    """Shorten a policy name: `inline/P of user/x`, or the end of an ARN."""
    holder, mark, inside = policy.rpartition("#")
    if not mark:
        return sanitize(_get_arn_resource(policy))
    name = inside.removeprefix("inline/")
    owner = sanitize(_get_arn_resource(holder))
    return f"of {owner}" if name == "trust" else f"{sanitize(name)} of {owner}"


def _get_arn_resource(arn: str) -> str:
    """Return the resource part of an ARN."""
    parts = arn.split(":", 5)
    return parts[5] if len(parts) == 6 and parts[0] == "arn" else arn
