"""The assumptions of a verdict in one line that stays short."""

from answerable.presentation.permission_proof_text import describe_assumptions

EVERY = (
    *("scp", "rcp", "boundary", "resource-policies", "session-policy"),
    *("endpoint-policy", "identity-policies", "role-trust", "s3-acls"),
)


def test_few_kinds_of_policy_are_named() -> None:
    said = describe_assumptions("always", ["scp", "rcp", "resource-policies"])
    assert said == "assuming no SCP, RCP or resource policy denies it"
    assert describe_assumptions("always", EVERY[:5]).count(",") == 3


def test_more_than_five_kinds_are_counted() -> None:
    assert describe_assumptions("always", EVERY) == (
        "assuming no SCP, RCP, permissions boundary, resource policy "
        "or 2 other kinds of policy denies it"
    )
    assert describe_assumptions("never", EVERY) == (
        "assuming no identity policy, trust policy, resource policy or ACL allows it"
    )
