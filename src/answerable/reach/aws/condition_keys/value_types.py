"""List the value types of condition keys, and check stated values against them.

A value of the wrong type never matches, so a mistyped one would be answered
`never`. Source of the table: AWS IAM User Guide, "AWS global
condition context keys" ("Data type" and "Value" of each key). Keys that are not in it
take the type of the operators under which collected policies use them.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from answerable.model.errors import UsageError
from answerable.reach.aws.evaluation.conditions import (
    parse_condition_date,
    parse_condition_number,
)

ADDRESS, BOOLEAN, NUMBER, DATE = "ipaddress", "bool", "numeric", "date"
ARN, ACCOUNT = "arn", "account"

_GLOBAL = {
    ADDRESS: "SourceIp VpcSourceIp Ec2InstanceSourcePrivateIPv4",
    BOOLEAN: (
        "AssumedRoot MultiFactorAuthPresent PrincipalIsAWSService "
        "SecureTransport ViaAWSMCPService ViaAWSService"
    ),
    NUMBER: "MultiFactorAuthAge",
    DATE: "CurrentTime EpochTime TokenIssueTime",
    ARN: "ChatbotSourceArn PrincipalArn SourceArn SourceVpcArn",
    ACCOUNT: "PrincipalAccount ResourceAccount SourceAccount VpceAccount",
}
VALUE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        f"aws:{key.lower()}": kind
        for kind, keys in _GLOBAL.items()
        for key in keys.split()
    }
)
_BY_OPERATOR = {"ipaddress": ADDRESS, "notipaddress": ADDRESS, "bool": BOOLEAN}
_TRUE_SPELLINGS, _FALSE_SPELLINGS = (
    ("yes", "1", "on", "y", "t", "tru"),
    ("no", "0", "off", "n", "f", "flase"),
)


def get_condition_key_value_type(key: str, operators: Iterable[str]) -> str:
    """Return the value type of a condition key, or an empty text for any.

    Args:
        key: In any case.
        operators: Those under which collected policies use it, without quantifiers.
    """
    found = {_get_operator_type(operator.lower()) for operator in operators} - {"null"}
    return VALUE_TYPES.get(key.lower()) or (found.pop() if len(found) == 1 else "")


def _get_operator_type(operator: str) -> str:
    """Return the value type that a condition operator compares."""
    base = operator.rpartition(":")[2].removesuffix("ifexists")
    for start in (NUMBER, DATE):
        if base.startswith(start):
            return start
    return "null" if base == "null" else _BY_OPERATOR.get(base, "")


def check_condition_key_value(key: str, value: str, kind: str) -> None:
    """Raise an error if a value is not of its condition key's type.

    Raises:
        UsageError: It is not; the hint has the nearest right spelling.
    """
    if not kind or not value:
        return  # an empty value says that the key is there and empty
    read, expected = _READERS[kind]
    try:
        read(value)
    except ValueError:
        near = _suggest_valid_value(value, kind)
        raise UsageError(
            f"not a value of {key} (got {value[:80]!r}, expected {expected})",
            f"did you mean {key}={near}?" if near else f"write --context {key}=VALUE",
        ) from None


def _check_boolean_text(text: str) -> object:
    """Raise an error unless a text is `true` or `false`, in any case."""
    return _require_regex_match(r"(?i:true|false)", text)


def _check_arn_text(text: str) -> object:
    """Raise an error unless a text has the form of an ARN."""
    return _require_regex_match(r"arn:[a-z-]+(:[^:]*){3}:.+", text)


def _check_account_number(text: str) -> object:
    """Raise an error unless a text is an account number of 12 digits."""
    return _require_regex_match(r"[0-9]{12}", text)


def _require_regex_match(pattern: str, text: str) -> object:
    """Raise an error unless a whole text matches a regular expression."""
    if not re.fullmatch(pattern, text):
        raise ValueError(text)
    return text


_READERS: Mapping[str, tuple[Callable[[str], object], str]] = MappingProxyType(
    {
        ADDRESS: (ipaddress.ip_address, "one IP address"),
        BOOLEAN: (_check_boolean_text, "true or false"),
        NUMBER: (parse_condition_number, "a number"),
        DATE: (parse_condition_date, "a time such as 2026-01-31T08:00:00Z"),
        ARN: (_check_arn_text, "an ARN"),
        ACCOUNT: (_check_account_number, "an account number of 12 digits"),
    }
)


def _suggest_valid_value(value: str, kind: str) -> str:
    """Suggest a valid spelling near a wrong value, or an empty text."""
    folded = value.strip().lower()
    if kind == BOOLEAN:
        return (
            "true"
            if folded in _TRUE_SPELLINGS
            else "false"
            if folded in _FALSE_SPELLINGS
            else ""
        )
    if kind == ADDRESS:
        return (
            folded.partition("/")[0]
            if _is_valid_value(folded.partition("/")[0], kind)
            else ""
        )
    digits = re.sub(r"[^0-9]", "", value)
    if kind == ACCOUNT and _is_valid_value(digits, kind):
        return digits
    stripped = value.strip()
    if kind == DATE:
        for one in (stripped.replace(" ", "T"), stripped.replace(" ", "T") + "Z"):
            if _is_valid_value(one, kind):
                return one
    return stripped if _is_valid_value(stripped, kind) else ""


def _is_valid_value(value: str, kind: str) -> bool:
    """Return whether a value is valid for a value type."""
    try:
        _READERS[kind][0](value)
    except ValueError:
        return False
    return True
