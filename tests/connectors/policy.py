"""The least-privilege policy of a live scan, as the pages of connectors show it."""

from collections.abc import Iterable


def read_policy(sid: str, permissions: Iterable[str]) -> dict[str, object]:
    """Return a policy that allows exactly these actions, ready to attach."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Action": sorted(permissions),
                "Resource": "*",
            }
        ],
    }
