"""JSON output of the trust rule commands: rules, faults and dry-run results."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class RuleGrantItem(TypedDict):
    """Audience granted by a rule; `ttl` is seconds."""

    audience: Annotated[str, Column("audience of the token")]
    scopes: Annotated[list[str], Column("the scopes")]
    ttl: Annotated[int, Column("seconds")]
    bind: Annotated[str, Column("kind of key to which the token is bound")]
    gives: Annotated[str, Column("the issued credential")]


class RuleFaultItem(TypedDict):
    """Fault of a rule."""

    at: Annotated[str, Column("part of the rule")]
    line: Annotated[int, Column("0 if the error is not in the file")]
    column: Annotated[int, Column("0 if the error is not in the file")]
    what: Annotated[str, Column("message, which begins with the name of the error")]


class TrustRuleItem(TypedDict):
    """`answerable token-service rules`: one rule each, with all of its faults."""

    rule: Annotated[str, Column("the id", "", 0)]
    subject: Annotated[
        str,
        Column("the callers: `issuer NAME`, `unix`, `launched`", "whom", 1, floor=12),
    ]
    match: Annotated[
        dict[str, str],
        Column("required claims or facts", "claims", 3, "pairs", floor=12),
    ]
    agent: Annotated[str, Column("the agent of such a caller", "", 0, floor=16)]
    owner: Annotated[
        str | None,
        Column(
            "attested owner of that agent; null if there is no owner or no store",
            "",
            2,
            floor=10,
        ),
    ]
    grants: Annotated[
        list[RuleGrantItem], Column("issued tokens", "gets", 1, "grants", floor=26)
    ]
    delegate_to: Annotated[
        list[str],
        Column("agents to which the agent may delegate some of these permissions"),
    ]
    on_behalf_of: Annotated[
        list[str], Column("issuers of the people for whom the agent may act")
    ]
    reuse: Annotated[
        str,
        Column(
            "`once` or `until-expiry`: how often one token of an issuer can be exchanged"
        ),
    ]
    digest: Annotated[
        str,
        Column(
            "SHA-256 of the rule in its canonical form (RFC 8785); evidence and tokens contain this digest"
        ),
    ]
    faults: Annotated[list[RuleFaultItem], Column("the faults")]


class RuleMatchItem(TypedDict):
    """`answerable token-service test`: whether claims match a rule, else the first failed check.

    `how` is `missing`, `kind` or `other`, and empty where the rule matches.
    """

    rule: Annotated[str, Column("the rule", "", 0)]
    fits: Annotated[bool, Column("whether the rule matches", "", 0)]
    claim: Annotated[
        str,
        Column(
            "the first claim or fact that does not match; empty if all match", "", 1
        ),
    ]
    how: Annotated[str, Column("`missing`, `kind` (of another type), `other`", "is", 1)]
    expected: Annotated[str, Column("the required value", "", 2, floor=12)]
    agent: Annotated[str, Column("the agent")]


class TokenCheckItem(TypedDict):
    """`answerable token-service explain`: one check each; `ok` is null where it is not known."""

    check: Annotated[str, Column("the check")]
    ok: Annotated[bool | None, Column("whether it passed; null if not known")]
    detail: Annotated[str, Column("result")]
    hint: Annotated[str, Column("next step")]
