"""A path crosses platforms, and a step that nothing models is no `never`."""

from dataclasses import replace

import pytest

from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.documents.shared_shapes import ReachItem
from answerable.reach import engine
from answerable.reach.condition_formula import TRUE, build_atom
from answerable.reach.cross_platform_steps import (
    CrossPlatformStepSource,
    may_be_cluster,
)
from answerable.reach.open_platforms import OpenPlatforms
from answerable.reach.platform import (
    Answer,
    AnswerList,
    PageBounds,
    PathHop,
    Question,
    UnknownSubject,
)
from tests.reach.cross_platform import TinyPlatform, TinySteps, step

NOW = 10**18
READ = ("read", "cloud:bucket")
BRANCH = build_atom("branch", "Equals", ("main",))
CODE = TinyPlatform(
    "code",
    {"code:ana": {}, "code:workflow": {}, "code:other": {}},
    (step("code:ana", "code:workflow", BRANCH, "push"),),
)
CLOUD = TinyPlatform(
    "cloud",
    {
        "cloud:role": {},
        "cloud:reader": {READ: TRUE},
        "cloud:cluster": {},
        "cloud:idle": {},
    },
    (step("cloud:role", "cloud:cluster", via="assume"),),
)
POD = TinyPlatform(
    "pod",
    {"pod:admin": {}, "pod:account": {}},
    (step("pod:admin", "pod:account", via="exec"),),
)
PLATFORMS = (CODE, CLOUD, POD)
CODE_TO_CLOUD = TinySteps("code", "cloud", (step("code:workflow", "cloud:role"),))
CLOUD_TO_POD = TinySteps("cloud", "pod", (step("cloud:cluster", "pod:admin"),))
POD_TO_CLOUD = TinySteps("pod", "cloud", (step("pod:account", "cloud:reader"),))
ALL = (CODE_TO_CLOUD, CLOUD_TO_POD, POD_TO_CLOUD)
ROUND = [
    "code:workflow",
    "cloud:role",
    "cloud:cluster",
    "pod:admin",
    "pod:account",
    "cloud:reader",
]


def opened(
    subject: str, sources: tuple[CrossPlatformStepSource, ...], *, direct: bool = False
) -> OpenPlatforms:
    question = Question(NOW, subject, *READ, direct=direct)
    return OpenPlatforms(
        PLATFORMS, sources, join_syncs_into_inventory([], now=NOW), question
    )


def can(
    subject: str, *sources: CrossPlatformStepSource, direct: bool = False
) -> Answer:
    platforms = opened(subject, sources, direct=direct)
    platform, question = engine.parse_permission_question(
        PLATFORMS, platforms.inventory, platforms.question
    )
    return engine.answer_permission_question(platforms, platform, question)


def who_can(*sources: CrossPlatformStepSource, page: PageBounds) -> AnswerList:
    platforms = opened("", sources)
    return engine.list_callers(platforms, CLOUD, platforms.question, page)


def steps_of(item: ReachItem) -> list[str]:
    return [hop["to"] for hop in item["path"]]


def test_a_path_crosses_three_platforms_with_each_condition_and_proof() -> None:
    answer = can("code:ana", *ALL)
    assert answer.verdict == "only-if"
    assert steps_of(answer.item) == ROUND
    (conditions,) = answer.item["conditions"]
    assert [each["key"] for each in conditions["all_of"]] == ["branch"]
    assert all(hop["determining"] for hop in answer.item["path"])
    assert can("code:workflow", *ALL).verdict == "always"


@pytest.mark.parametrize("number", range(3))
def test_a_path_vanishes_when_a_link_is_cut(number: int) -> None:
    sources = tuple(
        replace(each, steps=()) if at == number else each for at, each in enumerate(ALL)
    )
    assert can("code:workflow", *sources).verdict == "never"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_steps_that_are_not_modelled_are_not_known(platform: TinyPlatform) -> None:
    if platform is CLOUD:
        return
    subject = next(iter(platform.grants))
    answer = can(subject)
    assert answer.verdict == "not-known"
    (unknown,) = answer.unknown
    assert unknown.because == f"steps from {platform.name} to cloud are not modelled"
    assert answer.not_collected == {f"cross-platform-steps ({platform.name}, cloud)"}


def test_a_subject_alone_takes_no_step() -> None:
    assert can("code:workflow", *ALL, direct=True).verdict == "never"
    assert can("code:workflow", direct=True).verdict == "never"


def test_a_never_is_sure_where_all_steps_were_collected() -> None:
    assert can("code:other", *ALL).verdict == "never"
    assert can("cloud:idle").verdict == "never"


@pytest.mark.parametrize(
    "steps",
    [
        # A role of an account without a scan could be anybody of the platform `code`.
        ((step("cloud:gone", "pod:admin"),), POD_TO_CLOUD.steps),
        # Nor a role, nor the pod that it enters, was scanned.
        ((step("cloud:gone", "pod:gone"),), (step("pod:gone", "cloud:reader"),)),
    ],
)
def test_a_never_assumes_that_no_place_without_a_scan_allows_it(
    steps: tuple[tuple[PathHop, ...], tuple[PathHop, ...]],
) -> None:
    to_pod, to_cloud = steps
    sources = (
        CODE_TO_CLOUD,
        replace(CLOUD_TO_POD, steps=to_pod),
        replace(POD_TO_CLOUD, steps=to_cloud),
    )
    answer = can("code:other", *sources)
    assert (answer.verdict, answer.item["assuming"]) == (
        "never",
        ["cross-platform-steps"],
    )
    place = to_cloud[0].origin if to_pod[0].to == "pod:gone" else to_pod[0].origin
    assert answer.not_collected == {f"cross-platform-steps ({place})"}
    callers = who_can(*sources, page=PageBounds())
    assert answer.not_collected <= callers.not_collected


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("oidc.eks.eu-west-1.amazonaws.com/id/5A3B1E", True),
        ("container.googleapis.com/v1/projects/p/locations/l/clusters/c", True),
        ("eastus.oic.prod-aks.azure.com/t/c", True),
        ("kubernetes.corp.example", True),
        ("token.actions.githubusercontent.com", False),
        ("corp.okta.com/oauth2/default", False),
        ("notokta.com", True),
    ],
)
def test_any_issuer_that_is_no_known_service_may_be_of_a_cluster(
    issuer: str, expected: bool
) -> None:
    assert may_be_cluster(issuer) is expected


def test_missing_data_about_steps_is_not_known() -> None:
    missing = UnknownSubject(
        "cloud:*", "the trust policies were not collected", "cloud"
    )
    answer = can("code:other", replace(CODE_TO_CLOUD, unknown=(missing,)))
    assert answer.verdict == "not-known"
    assert answer.unknown == (missing,)


def test_a_step_to_an_identity_without_data_is_not_known() -> None:
    lost = replace(CODE_TO_CLOUD, steps=(step("code:workflow", "cloud:lost"),))
    answer = can("code:ana", lost)
    assert answer.verdict == "not-known"
    assert [each.id for each in answer.unknown] == ["cloud:lost"]


def test_a_certain_path_is_kept_before_a_shorter_one_with_a_condition() -> None:
    open_ = replace(
        CODE_TO_CLOUD, steps=(step("code:workflow", "cloud:reader", BRANCH),)
    )
    assert can("code:workflow", open_).verdict == "only-if"
    both = can("code:workflow", open_, *ALL)
    assert both.verdict == "always"
    assert steps_of(both.item) == ROUND[1:]


def test_reach_lists_permissions_of_each_platform_with_their_paths() -> None:
    found, _ = engine.list_permissions_of_subject(
        opened("code:workflow", ALL), Question(NOW, "code:workflow"), PageBounds()
    )
    (row,) = found.answers
    assert (row.item["action"], row.item["resource"]) == READ
    assert steps_of(row.item) == ROUND[1:]


def test_who_can_lists_the_callers_that_enter_from_elsewhere() -> None:
    found = who_can(*ALL, page=PageBounds())
    assert [(each.item["subject"], each.verdict.value) for each in found.answers] == [
        ("cloud:reader", "always"),
        ("pod:account", "always"),
        ("pod:admin", "always"),
        ("cloud:cluster", "always"),
        ("cloud:role", "always"),
        ("code:workflow", "always"),
        ("code:ana", "only-if"),
    ]
    for each in found.answers:
        subject = each.item["subject"]
        assert can(subject, *ALL).verdict == each.verdict
    (alone,) = who_can(page=PageBounds()).answers
    assert alone.item["subject"] == "cloud:reader"


def test_pages_of_callers_join_to_the_whole_list() -> None:
    cursor, subjects = "", []
    for _ in range(9):
        found = who_can(*ALL, page=PageBounds(rows=2, cursor=cursor))
        assert len(found.answers) <= 2
        subjects += [each.item["subject"] for each in found.answers]
        cursor = found.cursor
        if not cursor:
            break
    whole = who_can(*ALL, page=PageBounds())
    assert sorted(subjects) == sorted(e.item["subject"] for e in whole.answers)
    cut = who_can(*ALL, page=PageBounds(rows=3))
    assert len(cut.answers) == 3
    assert cut.shown is not None
    assert (cut.shown["done"], cut.shown["of"]) == (3, 7)


def test_who_can_lists_missing_data_about_steps_last() -> None:
    missing = UnknownSubject("code:*", "no workflow was collected", "code")
    lost = replace(CODE_TO_CLOUD, unknown=(missing,))
    found = who_can(lost, CLOUD_TO_POD, POD_TO_CLOUD, page=PageBounds())
    last = found.answers[-1]
    assert (last.item["subject"], last.verdict.value) == ("code:*", "not-known")


def test_a_loop_of_steps_ends() -> None:
    back = TinySteps("cloud", "code", (step("cloud:role", "code:ana"),))
    answer = can("code:ana", CODE_TO_CLOUD, back)
    assert answer.verdict == "never"


def test_a_step_without_a_condition_that_can_hold_is_none() -> None:
    closed = replace(
        CODE_TO_CLOUD,
        steps=(PathHop("code:ana", "login", "cloud:reader", frozenset(), ()),),
    )
    assert can("code:ana", closed).verdict == "never"
