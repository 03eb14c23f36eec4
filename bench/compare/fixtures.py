"""Files that every tool reads: a home with a project, a workflow, and an AWS account."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.estate.seven import account, allow
from tests.posture.conftest import write
from tests.posture.test_first_five import HOME, LAB

_SHOP = "work/shop/"
_ADDED_SERVER = {
    "command": "npx",
    "args": ["-y", "billing-mcp"],
    "env": {"BILLING_TOKEN": "tk_0a1b2c3d4e5f60718293a4b5c6d7e8f9"},
}


@dataclass(frozen=True, slots=True)
class CompareFixtures:
    """Places of the files.

    Attributes:
        home: Home of a developer, with the project `work/shop`.
        lab: Repository with a workflow that no one answers for.
        account: Account of seven identities, as get-account-authorization-details.
        shop_after: The project with one more server.
        account_after: The account with one wider role.
    """

    home: Path
    lab: Path
    account: Path
    shop_after: Path
    account_after: Path

    @property
    def shop(self) -> Path:
        """Return the project."""
        return self.home / "work" / "shop"


def write_fixtures(root: Path) -> CompareFixtures:
    """Write the files into an empty folder."""
    before = account()
    found = CompareFixtures(
        write(root / "dana", HOME),
        write(root / "lab", LAB),
        root / "account.json",
        write(root / "after" / "shop", _change_project()),
        root / "account-after.json",
    )
    found.account.write_text(json.dumps(before), encoding="utf-8")
    after = json.dumps(_widen_role(before))
    found.account_after.write_text(after, encoding="utf-8")
    return found


def _change_project() -> dict[str, str]:
    """Return the files of the project with one more server, which holds a token."""
    files = {
        name.removeprefix(_SHOP): text
        for name, text in HOME.items()
        if name.startswith(_SHOP)
    }
    config = json.loads(files[".mcp.json"])
    config["mcpServers"]["billing"] = _ADDED_SERVER
    return files | {".mcp.json": json.dumps(config)}


def _widen_role(before: dict[str, Any]) -> dict[str, Any]:
    """Return the account after a role may also delete objects."""
    after = copy.deepcopy(before)
    reader = next(
        each
        for each in after["RoleDetailList"]
        if each["RoleName"] == "customer-reader"
    )
    reader["RolePolicyList"].append(
        {
            "PolicyName": "more",
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [allow("s3:DeleteObject", "arn:aws:s3:::personal-data/*")],
            },
        }
    )
    return after
