"""Number of workflows that a provider of an identity pool admits."""

import pytest

from answerable.reach.gcp.catalogue import GooglePoolProvider
from answerable.services.posture.pool_provider_width import (
    EVERYONE,
    NARROW,
    OWNER,
    REPOSITORY,
    measure_pool_member,
)

GITHUB = "https://token.actions.githubusercontent.com"
MAPPING = (
    ("google.subject", "assertion.sub"),
    ("attribute.repository", "assertion.repository"),
    ("attribute.owner", "assertion.repository_owner"),
    ("attribute.actor", "assertion.actor"),
    ("attribute.joined", "assertion.repository + assertion.ref"),
)


@pytest.mark.parametrize(
    ("part", "condition", "width"),
    [
        ("*", "", EVERYONE),
        ("attribute.actor/x", "", EVERYONE),
        ("attribute.owner/o", "", OWNER),
        ("attribute.repository/o/n", "", REPOSITORY),
        ("attribute.joined/x", "", None),
        ("attribute.joined/x", "assertion.ref == 'refs/heads/main'", None),
        # Each repository has such a branch or environment.
        ("*", "assertion.ref == 'refs/heads/main'", EVERYONE),
        ("*", "assertion.environment == 'production'", EVERYONE),
        ("*", "assertion.repository_owner == 'o' && assertion.ref == 'r'", OWNER),
        ("attribute.repository/o/n", "assertion.ref == 'r'", NARROW),
        ("*", "assertion.ref == 'r' && assertion.actor != 'x'", None),
        ("*", "assertion.repository_owner == 'o'", OWNER),
        ("*", "assertion.repository_owner_id == '1' && assertion.actor == 'a'", OWNER),
        ("*", "assertion.repository == 'o/n'", REPOSITORY),
        ("*", 'attribute.repository=="o/n"', REPOSITORY),
        ("*", "assertion.repository == 'o/n' && assertion.ref == 'r'", NARROW),
        ("*", "google.subject == 'repo:o/n:ref:refs/heads/main'", NARROW),
        ("*", "assertion.sub.startsWith('repo:o/')", OWNER),
        ("*", "assertion.sub.startsWith('repo:o/n:')", REPOSITORY),
        ("*", "assertion.sub.startsWith('repo:o/n:ref:')", REPOSITORY),
        ("*", "assertion.sub.startsWith('repo:o/n:ref:refs/heads/')", REPOSITORY),
        ("*", "assertion.sub.startsWith('repo:o/n:ref:refs/heads/m')", NARROW),
        ("*", "assertion.repository != 'o/n'", None),
        ("*", "assertion.repository == 'o/n' || true", None),
        ("*", "assertion.ref == 'r' || assertion.ref == 's'", None),
        ("attribute.repository/o/n", "assertion.repository_owner == 'o'", REPOSITORY),
        ("attribute.repository/o/n", "true", None),
    ],
)
def test_the_narrower_of_member_and_condition_counts(
    part: str, condition: str, width: int | None
) -> None:
    provider = GooglePoolProvider(
        "p", "pool", GITHUB, mapping=MAPPING, condition=condition
    )
    assert measure_pool_member(provider, part).width == width


@pytest.mark.parametrize(
    ("issuer", "condition", "width"),
    [
        ("https://gitlab.com", "", EVERYONE),
        ("https://gitlab.com/", "assertion.namespace_id == '1'", None),
        ("https://oidc.example", "", NARROW),
        ("https://accounts.google.com", "", EVERYONE),
        ("https://accounts.google.com", "assertion.email == 'a@b'", None),
    ],
)
def test_an_issuer_of_one_organization_is_narrow(
    issuer: str, condition: str, width: int | None
) -> None:
    provider = GooglePoolProvider("p", "pool", issuer, condition=condition)
    assert measure_pool_member(provider, "*").width == width
