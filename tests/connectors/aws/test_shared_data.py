"""Two accounts of other projects, in the API's own format, where they are at hand."""

from pathlib import Path

import pytest

from answerable.connectors.aws import fetch
from answerable.model.connector import SyncContext


@pytest.mark.parametrize(
    ("name", "identities", "policies", "attachments"),
    [
        ("cloudsplaining/test/files/example-authz-details.json", 6, 41, 18),
        ("cloudsplaining/test/files/example_authz_v2.json", 3, 6, 6),
        (
            "cloudmapper-demo/us-east-1/iam-get-account-authorization-details.json",
            6,
            10,
            12,
        ),
    ],
)
def test_accounts_of_other_projects_are_read_whole(
    root: Path,
    context: SyncContext,
    name: str,
    identities: int,
    policies: int,
    attachments: int,
) -> None:
    path = root.parent / "shared" / "data" / "iam" / name
    if not path.exists():
        pytest.skip("shared data not present")
    sync = fetch.sync(str(path), context)
    assert sync.problems == ()
    assert all(policy.unread == () for policy in sync.facts.policies)
    assert len(sync.facts.identities) == identities
    assert len(sync.facts.policies) == policies
    assert len(sync.facts.attachments) == attachments
