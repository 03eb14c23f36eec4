"""JSON output of the trust rule commands: rules, faults and dry-run results."""

from typing import TypedDict


class RuleGrantItem(TypedDict):
    """Audience granted by a rule; `ttl` is seconds."""

    audience: str
    scopes: list[str]
    ttl: int
    bind: str
    gives: str


class RuleFaultItem(TypedDict):
    """Fault of a rule."""

    at: str
    line: int
    column: int
    what: str


class TrustRuleItem(TypedDict):
    """`answerable token-service rules`: one rule each, with all of its faults."""

    rule: str
    subject: str
    match: dict[str, str]
    agent: str
    owner: str | None
    grants: list[RuleGrantItem]
    delegate_to: list[str]
    on_behalf_of: list[str]
    reuse: str
    digest: str
    faults: list[RuleFaultItem]


class RuleMatchItem(TypedDict):
    """`answerable token-service test`: whether claims match a rule, else the first failed check.

    `how` is `missing`, `kind` or `other`, and empty where the rule matches.
    """

    rule: str
    agent: str
    fits: bool
    claim: str
    how: str
    expected: str


class TokenCheckItem(TypedDict):
    """`answerable token-service explain`: one check each; `ok` is null where it is not known."""

    check: str
    ok: bool | None
    detail: str
    hint: str
