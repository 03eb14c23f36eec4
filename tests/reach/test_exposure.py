"""`reach --all`: what is read off all closures is what each identity's own answer says."""

from dataclasses import replace

from hypothesis import given, settings

from answerable.model.documents.shared_shapes import Document
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.identity_exposure import AccountExposure
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import iterate_paths
from answerable.reach.condition_formula import Verdict
from answerable.usecases.aws_permissions.list_exposures import list_exposures
from tests.reach.account_builder import AccountBuilder, B, role, statement, user
from tests.reach.strategies import estates
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import generating, slow

ADMIN = statement("a", action="*", resource="*")
ANYONE = statement("t", action="sts:AssumeRole", principal="*")
NOBODY = statement("t", effect="Deny", action="sts:AssumeRole", principal="*")
FOREIGN = statement("t", action="sts:AssumeRole", principal={"AWS": "999988887777"})


@settings(max_examples=50, suppress_health_check=slow, phases=generating)
@given(estates())
def test_each_identity_is_graded_as_its_own_answer_says(facts: SightedFacts) -> None:
    graph = IdentityGraph(compiled(facts))
    exposure = AccountExposure(graph)
    whole = exposure.whole
    originals = {
        (
            whole.get_node_by_number(number).identity,
            whole.actors.index.replace_copies(1 << number).bit_length(),
        )
        for number in range(whole.size)
    }
    assert len(originals) == whole.actors.index.size
    for found in exposure.list_identity_exposures():
        ways = list(iterate_paths(graph, graph.get_start_node(found.identity)))
        admins = [way for way in ways if graph.is_administrator(way.target)]
        sure = any(way.certain for way in admins)
        word = Verdict.ONLY_IF if admins else Verdict.NEVER
        assert found.admin is (Verdict.ALWAYS if sure else word)
        others = {way.target.identity for way in ways} - {found.identity}
        assert set(exposure.list_reachable_identities(found, 1_000)) == others
        assert found.becomes == len(others)
        first = exposure.list_reachable_identities(found, 2)
        assert len(first) == min(2, len(others))


def world() -> AccountBuilder:
    build = AccountBuilder()
    for arn in (user("ana"), role("open"), role("admin")):
        build.identity(arn)
    for arn in (role("partner", B), role("quiet", B)):
        build.identity(arn)
    step = statement("s", action="sts:AssumeRole", resource=role("admin"))
    build.policy(role("open"), "identity", step)
    build.policy(role("open"), "trust", ANYONE)
    build.policy(role("partner", B), "trust", FOREIGN)
    build.policy(role("quiet", B), "trust", NOBODY)
    build.policy(role("admin"), "identity", ADMIN)
    trusting = statement("t", action="sts:AssumeRole", principal={"AWS": role("open")})
    build.policy(role("admin"), "trust", trusting)
    return build


def rows(document: Document) -> list[tuple[object, ...]]:
    return [
        (item["gravity"], item["subject"], item["admin"], item["public"])
        for item in document.items
    ]


def test_the_gravest_come_first_over_every_account() -> None:
    build = world()
    found = list_exposures(build.inventory(), now=1)
    assert rows(found)[0] == ("public administrators", role("open"), "always", "always")
    by_name = {item["subject"]: item for item in found.items}
    assert by_name[role("open")]["entered_by"] == ["*"]
    assert by_name[role("open")]["path"][0]["to"] == role("admin")  # type: ignore[index]
    assert by_name[role("admin")]["gravity"] == "administrators"
    partner = by_name[role("partner", B)]
    assert partner["gravity"] == "externally assumable"
    assert partner["entered_by"] == ["999988887777"]
    # An identity that can do no more than its own is counted among those looked at.
    assert role("quiet", B) not in by_name
    assert found.coverage["looked"]["identities"] == 5


def test_a_limit_says_how_many_are_left_and_what_is_not_known_is_always_said() -> None:
    build = world()
    build.identity(user("lost"), named_only=True)
    found = list_exposures(build.inventory(), now=1, limit=1)
    assert [item["gravity"] for item in found.items] == [
        "public administrators",
        "not known",
    ]
    assert found.items[1]["admin"] == "not-known"
    assert found.items[1]["becomes"] is None
    shown = found.coverage["shown"]
    assert (shown["done"], shown["of"] > 1) == (1, True)


def test_where_nothing_was_scanned_it_is_not_known() -> None:
    found = list_exposures(AccountBuilder().inventory(), now=1)
    assert [item["gravity"] for item in found.items] == ["not known"]


def test_role_trust_is_missing_only_where_that_of_a_role_was_not_collected() -> None:
    build = world()
    step = statement("s", action="sts:AssumeRole", resource="*")
    build.policy(user("ana"), "identity", step)
    found = list_exposures(build.inventory(), now=1)
    assert "role-trust" not in found.coverage["not_collected"]
    inventory = build.inventory()
    (source,) = inventory.coverage
    held = tuple(each for each in source.held if each.word != "role-trust")
    lost = replace(inventory, coverage=(replace(source, held=held),))
    found = list_exposures(lost, now=1)
    assert "role-trust" in found.coverage["not_collected"]
