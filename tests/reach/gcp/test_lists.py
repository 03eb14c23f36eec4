"""Lists of permissions and callers of Google Cloud, what-if and comparison."""

from typing import Any

import msgspec
import pytest

from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.gcp.binding_edit import remove_bindings_from_catalogues
from answerable.reach.gcp.catalogue import GoogleCloudEstate
from answerable.reach.gcp.evaluator import GcpEvaluator
from answerable.reach.platform import (
    PageBounds,
    PolicyEdit,
    Question,
    SubjectIdentity,
)
from tests.reach.gcp.estates import (
    SEEN,
    ask,
    build_estate,
    build_estate_access,
    index_estate,
)

ANA = "user:ana@example.com"
BOT = "bot@p.iam.gserviceaccount.com"


def list_rows(row: dict[str, Any], who: str, action: str = "*", at: str = "*") -> Any:
    """List the rows of a principal: action, resource, verdict and last step."""
    evaluator = GcpEvaluator(build_estate_access(row))
    start = SubjectIdentity(who, IdentityId(who))
    question = Question(1, who, action, at, identities=(start,))
    answers = evaluator.list_permissions(question, PageBounds()).answers
    return [
        (
            each.item["action"],
            each.item["resource"].rpartition("/")[2],
            each.item["verdict"],
            each.item["path"][-1]["via"] if each.item["path"] else "",
        )
        for each in answers
    ]


def test_permissions_of_a_whole_prefix_are_one_row() -> None:
    row = {"bind": [["gs://b", "roles/storage.admin", [ANA]]]}
    actions = [each[0] for each in list_rows(row, ANA, "storage.objects.*")]
    assert actions == ["storage.objects.*"]


def test_a_denied_permission_is_no_row_and_ends_its_prefix() -> None:
    denied = {
        "who": ["principalSet://goog/public:all"],
        "permissions": ["storage.googleapis.com/objects.delete"],
    }
    row = {
        "bind": [["projects/p", "roles/storage.objectAdmin", [ANA]]],
        "deny": [["projects/p", denied]],
    }
    actions = [each[0] for each in list_rows(row, ANA, "storage.objects.*")]
    assert "storage.objects.get" in actions
    assert not {"storage.objects.*", "storage.objects.delete"} & set(actions)


def test_the_policy_of_every_project_below_is_a_row() -> None:
    row = {
        "bind": [["organizations/1", "roles/resourcemanager.projectIamAdmin", [ANA]]]
    }
    everything = sorted(each for each in list_rows(row, ANA) if each[0] == "*")
    via = "resourcemanager.projects.setIamPolicy"
    assert everything == [("*", "p", "always", via), ("*", "q", "always", via)]


def test_a_role_that_is_not_known_is_a_row_of_its_own() -> None:
    row = {"bind": [["projects/p", "roles/storage.brandNew", [ANA]]]}
    assert [each[2] for each in list_rows(row, ANA)] == ["not-known"]


def test_pages_of_rows_are_the_whole_list() -> None:
    evaluator = GcpEvaluator(
        build_estate_access({"bind": [["projects/p", "roles/viewer", [ANA]]]})
    )
    start = SubjectIdentity(ANA, IdentityId(ANA))
    question = Question(1, ANA, identities=(start,))
    whole = evaluator.list_permissions(question, PageBounds()).answers
    found, cursor = [], ""
    while True:
        page = evaluator.list_permissions(question, PageBounds(100, cursor))
        found += page.answers
        cursor = page.cursor
        if not cursor:
            break
    assert [each.item for each in found] == [each.item for each in whole]
    assert len(whole) > 100


def list_callers(row: dict[str, Any], action: str, place: str) -> list[str]:
    """List the callers of a call."""
    evaluator = GcpEvaluator(build_estate_access(row))
    question = Question(1, "", action, evaluator.normalise_resource(place))
    answers = evaluator.list_callers(question, PageBounds()).answers
    return [each.item["subject"] for each in answers]


def test_callers_are_members_of_groups_and_those_who_become_one() -> None:
    row = {
        "groups": {"dev@example.com": [ANA]},
        "bind": [
            ["gs://b", "roles/storage.objectViewer", [BOT]],
            [BOT, "roles/iam.serviceAccountTokenCreator", ["group:dev@example.com"]],
        ],
    }
    found = list_callers(row, "storage.objects.get", "gs://b/x")
    assert found == [BOT, "group:dev@example.com", ANA]


def test_a_caller_may_set_the_policy_of_the_account_by_that_of_its_project() -> None:
    roles = {"projects/p/roles/r": ["iam.serviceAccounts.setIamPolicy"]}
    row = {"roles": roles, "bind": [["projects/p", "projects/p/roles/r", [ANA]]]}
    assert ANA in list_callers(row, "iam.serviceAccounts.getAccessToken", BOT)


def test_a_removed_binding_and_a_removed_rule_change_the_answer() -> None:
    denied = {
        "who": ["principalSet://goog/public:all"],
        "permissions": ["storage.googleapis.com/objects.get"],
    }
    row = {
        "bind": [["gs://b", "roles/storage.objectViewer", [ANA, BOT]]],
        "deny": [["projects/p", denied]],
    }
    body = msgspec.json.encode(build_estate(row)).decode()
    catalogue = PlatformCatalogue("gcp", "organizations/1", body, SEEN)
    words = ANA, "storage.objects.get", "gs://b/x"
    assert ask(build_estate_access(row), words, direct=True).verdict == "never"
    bare = remove("policies/d0#rule 1", catalogue)
    assert ask(bare, words, direct=True).verdict == "always"
    text = f"//storage.googleapis.com/b#roles/storage.objectViewer to {ANA}"
    none = remove(text, catalogue, "policies/d0")
    assert ask(none, words, direct=True).verdict == "never"
    assert ask(none, (BOT, *words[1:]), direct=True).verdict == "always"
    with pytest.raises(UsageError, match="no scanned binding"):
        remove("roles/owner to user:nobody@example.com", catalogue)


def remove(text: str, catalogue: PlatformCatalogue, *more: str) -> Any:
    """Return the estate without some statements."""
    edit = PolicyEdit(statements=(text, *more))
    (edited,) = remove_bindings_from_catalogues([catalogue], edit, "gcp")
    return index_estate(msgspec.json.decode(edited.body, type=GoogleCloudEstate))


def test_lists_follow_the_change_of_a_deny_policy() -> None:
    denied = {
        "who": ["principalSet://goog/public:all"],
        "permissions": ["storage.googleapis.com/objects.get"],
    }
    row = {
        "bind": [
            ["organizations/1", "roles/iam.denyAdmin", [ANA]],
            ["gs://b", "roles/storage.objectViewer", [ANA, "user:bo@example.com"]],
        ],
        "deny": [["organizations/1", denied]],
    }
    wanted = ("storage.objects.get", "b", "always", "iam.denypolicies.update")
    assert list_rows(row, ANA, "storage.objects.get") == [wanted]
    assert list_rows(row, "user:bo@example.com", "storage.objects.get") == []
    evaluator = GcpEvaluator(build_estate_access(row))
    bucket = evaluator.normalise_resource("gs://b")
    question = Question(1, "", "storage.objects.get", bucket)
    listed = evaluator.list_callers(question, PageBounds()).answers
    assert [each.item["subject"] for each in listed] == [ANA]
