"""Exported Kubernetes roles, Google Cloud bindings and Cedar policies, evaluated.

No export allows a call that the profile does not hold, and each call that the target can
express is allowed. The engines that judge are those of `can` and of the gateway.
"""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.authorization.decision import EMPTY_STATE, decide
from answerable.authorization.decision_table import build_decision_table
from answerable.model.baseline import (
    BaselineProfile,
    BaselineSubject,
    CapabilityEntry,
    EntityEntry,
    EntityPattern,
    GeneralisationLevel,
    ObservationCounts,
)
from answerable.model.behaviour import EntityKind
from answerable.model.decision import DecisionEffect
from answerable.model.policy_export import ExportTarget
from answerable.services.baseline.policy_export import export_profiles
from tests.authorization.cedar.policy_strategies import AGENTS, call, rules_of
from tests.authorization.config_strategies import agent, config, server
from tests.baseline.test_platform_roles import export
from tests.reach.gcp import estates
from tests.reach.kubernetes.manifests import build_cluster, load_objects
from tests.reach.kubernetes.test_cases import ask

POD = "k8s:prod/dev/serviceaccount/app"
NAMED = {
    ("get", "k8s:prod/dev/pods/web"),
    ("get", "k8s:prod/dev/pods/api"),
    ("delete", "k8s:prod/dev/pods/web"),
    ("create", "k8s:prod/dev/pods/web/exec"),
    ("update", "k8s:prod/ops/deployments.apps/site"),
    ("get", "k8s:prod/url/healthz"),
}
UNNAMED = {
    ("list", "k8s:prod/dev/pods"),
    ("watch", "k8s:prod/ops/secrets"),
    ("create", "k8s:prod/dev/configmaps"),
    ("list", "k8s:prod/-/nodes"),
}
CALLS = sorted(NAMED | UNNAMED)


@given(st.sets(st.sampled_from(CALLS), min_size=1))
@settings(max_examples=40, deadline=None)
def test_a_kubernetes_role_allows_the_calls_of_the_profile_and_no_other(
    learned: set[tuple[str, str]],
) -> None:
    calls = [(f"k8s:{verb}", resource) for verb, resource in sorted(learned)]
    (document,) = export(ExportTarget.K8S_RBAC, POD, calls).documents
    account = {
        "kind": "ServiceAccount",
        "metadata": {"name": "app", "namespace": "dev"},
    }
    cluster = build_cluster([*load_objects(document.text), account])
    for verb, resource in CALLS:
        answer = ask(cluster, ("sa:dev/app", verb, resource), direct=True)
        expected = "always" if (verb, resource) in learned else "never"
        assert answer.verdict == expected, (verb, resource)


OBJECTS = [f"projects/_/buckets/b/objects/{name}" for name in ("a", "b/c", 'q"uote')]
PERMISSIONS = ["storage.objects.get", "storage.objects.create"]
PAIRS = [(permission, name) for permission in PERMISSIONS for name in OBJECTS]


@given(st.sets(st.sampled_from(PAIRS), min_size=1))
@settings(max_examples=40, deadline=None)
def test_a_google_binding_allows_the_objects_of_the_profile_and_no_other(
    learned: set[tuple[str, str]],
) -> None:
    bot = estates.account("bot")
    calls = [(f"gcp:{permission}", name) for permission, name in sorted(learned)]
    exported = export(ExportTarget.GCP, f"gcp:service-account/{bot}", calls)
    document = json.loads(exported.documents[0].text)
    roles = {
        f"projects/p/roles/{each['roleId']}": each["includedPermissions"]
        for each in document["roles"]
    }
    bind = [
        (
            "projects/p",
            each["role"].replace("PROJECT", "p"),
            each["members"],
            each["condition"]["expression"],
        )
        for each in document["bindings"]
    ]
    access = estates.build_estate_access({"roles": roles, "bind": bind})
    for permission, name in PAIRS:
        where = name.replace("projects/_/buckets/", "//storage.googleapis.com/")
        words = (f"serviceAccount:{bot}", permission, where)
        answer = estates.ask(access, words, direct=True)
        is_learned = (permission, name) in learned
        assert answer.verdict == ("always" if is_learned else "never"), name


COUNTS = ObservationCounts(1, 1, 1)
PATHS = ["/srv/a", "/srv/b", '/srv/"quoted"', "/srv/*"]
TOOLS = ["read", "write"]


@given(
    st.sets(st.sampled_from(TOOLS), min_size=1),
    st.sets(st.sampled_from(PATHS)),
)
@settings(max_examples=60, deadline=None)
def test_a_cedar_policy_decides_as_the_profile(
    tools: set[str], paths: set[str]
) -> None:
    """The tool is learned, and its sensitive path; a call without a path is allowed."""
    profile = BaselineProfile(
        BaselineSubject("identity", str(AGENTS[0]), "files"),
        capabilities=tuple(
            CapabilityEntry(f"files/{each}", "", False, COUNTS)
            for each in sorted(tools)
        ),
        entities=tuple(
            EntityEntry(
                f"files/{tool}",
                "path",
                EntityPattern(EntityKind.PATH, GeneralisationLevel.EXACT, path),
                True,
                True,
                COUNTS,
            )
            for tool in sorted(tools)
            for path in sorted(paths)
        ),
    )
    (document,) = export_profiles([profile], ExportTarget.CEDAR).documents
    settings_file = config(agent("ana"), agent("ben"), servers=(server("files"),))
    table = build_decision_table(settings_file, rules_of(document.text))
    for tool in TOOLS:
        for path in (*PATHS, "/etc/passwd", None):
            arguments = {} if path is None else {"path": path}
            request = call(tool, arguments=arguments)
            decision = decide(table, EMPTY_STATE, request)
            held = tool in tools and (not paths or path in paths or path is None)
            assert (decision.effect is DecisionEffect.ALLOW) == held, (tool, path)
            other = call(tool, agent=AGENTS[1], arguments=arguments)
            effect = decide(table, EMPTY_STATE, other).effect
            assert effect is DecisionEffect.DENY
