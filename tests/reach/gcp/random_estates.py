"""Random rows of policies, as `tests/cases/gcp.yaml` has them, and their questions."""

import random
from typing import Any

from tests.reach.gcp.estates import account
from tests.reference.gcp import iam as reference

Row = dict[str, Any]
USERS = ("user:ana@example.com", "user:bo@example.org")
ACCOUNTS = (account("bot"), account("low"), account("ops", "q"))
PLACES = ("organizations/1", "folders/10", "projects/p", "projects/q", "gs://b")
ROLES: dict[str, list[str]] = {
    f"projects/p/roles/{name}": permissions
    for name, permissions in {
        "reader": ["storage.objects.get"],
        "table": ["bigquery.tables.getData"],
        "token": ["iam.serviceAccounts.getAccessToken"],
        "signer": ["iam.serviceAccounts.signJwt"],
        "blob": ["iam.serviceAccounts.signBlob"],
        "key": ["iam.serviceAccountKeys.create"],
        "actas": ["iam.serviceAccounts.actAs"],
        "deployer": ["cloudfunctions.functions.create"],
        "delegate": ["iam.serviceAccounts.implicitDelegation"],
        "account_policy": ["iam.serviceAccounts.setIamPolicy"],
        "project_policy": ["resourcemanager.projects.setIamPolicy"],
        "folder_policy": ["resourcemanager.folders.setIamPolicy"],
        "bucket_policy": ["storage.buckets.setIamPolicy"],
        "role_editor": ["iam.roles.update"],
        "deny_editor": ["iam.denypolicies.update"],
        "deny_remover": ["iam.denypolicies.delete"],
        "boundary_editor": ["iam.principalaccessboundarypolicies.update"],
        "unbinder": [
            "iam.principalaccessboundarypolicies.unbind",
            "resourcemanager.projects.deletePolicyBinding",
        ],
        "key_policy": ["orgpolicy.policy.set"],
        "tagger": [
            "resourcemanager.tagValueBindings.create",
            "resourcemanager.hierarchyNodes.createTagBinding",
        ],
        "project_tagger": ["resourcemanager.hierarchyNodes.createTagBinding"],
    }.items()
}
UNKNOWN_ROLE = "roles/storage.brandNew"
DENIED = (
    "storage.googleapis.com/objects.get",
    "storage.googleapis.com/objects.*",
    "bigquery.googleapis.com/*.*",
    "iam.googleapis.com/serviceAccounts.*",
    "iam.googleapis.com/serviceAccounts.getAccessToken",
    "resourcemanager.googleapis.com/projects.setIamPolicy",
    "iam.googleapis.com/denypolicies.*",
)
CALLS = (
    ("storage.objects.get", "gs://b/x"),
    ("bigquery.tables.getData", "//bigquery.googleapis.com/projects/p/datasets/d"),
    ("bigquery.tables.getData", "//bigquery.googleapis.com/projects/q/datasets/d"),
    ("iam.serviceAccounts.getAccessToken", ACCOUNTS[0]),
    ("resourcemanager.projects.setIamPolicy", "projects/p"),
)


def seeded(seed: int) -> random.Random:
    """Return a generator of one seed."""
    return random.Random(seed)  # noqa: S311 - test data


KEY_CONSTRAINT = "constraints/iam.disableServiceAccountKeyCreation"


def build_row(rng: random.Random, *, known: bool, limited: bool = False) -> Row:
    """Build a random row; one whose facts are all known, or not.

    Args:
        limited: Whether boundaries exclude resources that are known to be blocked.
    """
    groups = {
        "all@example.com": ["group:dev@example.com", rng.choice(ACCOUNTS)],
        "dev@example.com": [rng.choice(USERS), "group:all@example.com"],
    }
    if not known:
        groups["all@example.com"].append("group:far@example.com")
    names = ["group:all@example.com", "group:dev@example.com"]
    names += [] if known else ["group:far@example.com"]
    row: Row = {
        "roles": ROLES,
        "accounts": ACCOUNTS,
        "groups": groups,
        "tags": [(rng.choice(PLACES), rng.choice(("1/env/prod", "1/env/test")))],
    }
    row["bind"] = [_build_binding(rng, names, known) for _ in range(rng.randint(2, 8))]
    row["bind"] += _build_chain(rng)
    row["deny"] = [
        (rng.choice(PLACES[:4]), _build_rule(rng, names))
        for _ in range(rng.choice((0, 0, 1, 2)))
    ]
    row["bound"] = [
        _build_boundary(rng, known=known and not limited)
        for _ in range(rng.choice((0, 0, 1, 2)))
    ]
    row["constraints"] = [
        (rng.choice(PLACES[:4]), KEY_CONSTRAINT, rng.choice((True, True, False)))
        for _ in range(rng.choice((0, 0, 1)))
    ]
    if limited:
        row["bind"] += _build_change(rng)
    return row


def _build_change(rng: random.Random) -> list[list[Any]]:
    """Build the bindings of a principal that may read after it changed a limit."""
    who = rng.choice((*USERS, *ACCOUNTS))
    kinds = ("boundary_editor", "unbinder", "key_policy", "tagger", "deny_editor")
    table = rng.choice(("projects/p", "projects/q"))
    tagged = ["gs://b", "projects/p/roles/reader", [who], reference.TAGGED]
    key = [ACCOUNTS[1], "projects/p/roles/key", [who]]
    return [
        ["organizations/1", f"projects/p/roles/{rng.choice(kinds)}", [who]],
        rng.choice(([table, "projects/p/roles/table", [who]], tagged, key)),
    ]


def _build_chain(rng: random.Random) -> list[list[Any]]:
    """Build the bindings of one way to a service account, which may read; or none."""
    who, (middle, last) = rng.choice(USERS), rng.sample(ACCOUNTS, 2)
    reads = ["gs://b", "projects/p/roles/reader", [last]]
    token = rng.choice(("token", "signer", "blob"))
    deploy = [
        [last, "projects/p/roles/actas", [who]],
        [reference.project_of(last), "projects/p/roles/deployer", [who]],
        reads,
    ]
    delegate = [
        [middle, "projects/p/roles/delegate", [who]],
        [last, f"projects/p/roles/{token}", [middle]],
        reads,
    ]
    return rng.choice(([], deploy, delegate))


def _choose_members(rng: random.Random, names: list[str]) -> list[str]:
    """Choose the members of a binding."""
    pool = (*USERS, *ACCOUNTS, *names, "domain:example.com", "allAuthenticatedUsers")
    return rng.sample(pool, rng.randint(1, 2))


def _build_binding(rng: random.Random, names: list[str], known: bool) -> list[Any]:
    """Build a binding."""
    roles = [*ROLES, "projects/p/roles/reader", "projects/p/roles/table"]
    if not known:
        roles += [UNKNOWN_ROLE]
    conditions = ["", "", "", reference.EXPIRED, reference.BEGUN, reference.TAGGED]
    conditions += [] if known else [reference.EXPIRING]
    condition = rng.choice(conditions)
    place = rng.choice((*PLACES, *ACCOUNTS))
    binding = [place, rng.choice(roles), _choose_members(rng, names)]
    return [*binding, condition] if condition else binding


def _build_rule(rng: random.Random, names: list[str]) -> Row:
    """Build a deny rule."""
    members = [
        reference.PUBLIC,
        f"principal://goog/subject/{USERS[0].partition(':')[2]}",
        *(f"principalSet://goog/group/{each.partition(':')[2]}" for each in names),
    ]
    return {
        "who": rng.sample(members, rng.randint(1, 2)),
        "except": rng.sample(members[1:], rng.randint(0, 1)),
        "permissions": rng.sample(DENIED, rng.randint(1, 3)),
        "except_permissions": rng.sample(DENIED, rng.choice((0, 0, 1))),
        "condition": rng.choice(("", "", reference.TAGGED)),
    }


def _build_boundary(rng: random.Random, *, known: bool) -> Row:
    """Build the binding of an access boundary."""
    sets = (
        (reference.PROJECT,) if known else (reference.PROJECT, reference.ORGANIZATION)
    )
    return {
        "set": rng.choice(sets),
        "resources": ["organizations/1"] if known else rng.sample(PLACES[:4], 1),
        "condition": rng.choice(
            ("", "principal.type == 'iam.googleapis.com/ServiceAccount'")
        ),
    }
