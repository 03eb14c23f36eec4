"""Mistakes planted in what answers say beside their verdict: a case finds each."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from answerable.reach.aws import statement_quotes, unmodelled_steps
from answerable.reach.aws.condition_keys import self_tagging, tag_explanations
from answerable.reach.aws.escalation_rules import takeover_rules
from answerable.reach.aws.escalation_rules.registry import TAKEOVER_RULES
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.collection_coverage import CollectedData
from answerable.reach.condition_formula import TRUE
from tests.reach import test_answer_proof as proof
from tests.reach import test_protected_objects as edges
from tests.reach import test_self_tagging as tags
from tests.reach.mutation import Plant, apply_mutation
from tests.reach.test_mutations_cases import everywhere


def kinds_of_code_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, takeover_rules.SEPARATELY_COLLECTED_KINDS, frozenset())


def code_is_collected_everywhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CollectedData, "name_missing_data", lambda *args: "")


def regions_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    everywhere(
        patch,
        unmodelled_steps.list_regions_where_rule_is_callable,
        lambda actor, rule: iter(["eu-west-1"]),
    )


def tasks_cannot_be_entered(patch: pytest.MonkeyPatch) -> None:
    kept = tuple(rule for rule in TAKEOVER_RULES if rule.kind != "ecs:task")
    everywhere(patch, TAKEOVER_RULES, kept)


def whoever_may_tag_is_on_the_path(patch: pytest.MonkeyPatch) -> None:
    right = tag_explanations._describe_tag_setters

    def told(found: tag_explanations.TagSetters, acting: Sequence[str]) -> object:
        return right(found, [*acting, *found.sure])

    patch.setattr(tag_explanations, "_describe_tag_setters", told)


def a_tag_is_that_of_the_last_resource(patch: pytest.MonkeyPatch) -> None:
    last = tags.SECRET[1]
    patch.setattr(
        tag_explanations,
        "_get_condition_subject",
        lambda hop: tag_explanations._ConditionSubject(hop["from"], last),
    )


def no_hop_is_tagged_first(patch: pytest.MonkeyPatch) -> None:
    def edges_of(self: object, node: object) -> Iterator[object]:
        return iter(())

    patch.setattr(self_tagging._OpenTagGraph, "list_edges_open_by_tags", edges_of)


def passes_are_silent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(unmodelled_steps, "may_pass_any_role", lambda actor: False)


def everybody_passes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(unmodelled_steps, "may_pass_any_role", lambda actor: True)
    patch.setattr(
        unmodelled_steps, "evaluate_pass_role", lambda *args: Evaluation(TRUE, ())
    )


def every_service_has_a_rule(patch: pytest.MonkeyPatch) -> None:
    class All(frozenset[str]):
        def __contains__(self, service: object) -> bool:
            return True

    patch.setattr(unmodelled_steps, "MODELLED_SERVICES", All())


def every_statement_is_near(patch: pytest.MonkeyPatch) -> None:
    near = statement_quotes._StatementDistance.SAME_ACTION
    patch.setattr(
        statement_quotes.StatementQuotes,
        "_measure_action_distance",
        lambda self, statement: near,
    )


def resources_are_not_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(statement_quotes, "_common_prefix_length", lambda one, other: 0)


def unrelated_limits_are_not_quoted(patch: pytest.MonkeyPatch) -> None:
    right = statement_quotes.StatementQuotes._quote_statements_nearest_to_call

    def summary(
        self: statement_quotes.StatementQuotes, policies: object, *, limits: bool
    ) -> str:
        return right(self, policies, limits=False)  # type: ignore[arg-type]

    patch.setattr(
        statement_quotes.StatementQuotes, "_quote_statements_nearest_to_call", summary
    )


TASK = ("ecs:task", ["ecs:ExecuteCommand"])
PLANTED: list[tuple[str, Plant, Callable[[], object]]] = [
    (
        "code",
        kinds_of_code_are_forgotten,
        partial(edges.test_code_that_no_source_tells_of_is_named, *TASK),
    ),
    (
        "code",
        code_is_collected_everywhere,
        partial(
            edges.test_code_that_was_collected_in_a_region_is_missing_in_others,
            "ecs:task",
        ),
    ),
    (
        "code",
        regions_are_forgotten,
        partial(
            edges.test_code_that_was_collected_in_a_region_is_missing_in_others,
            "ec2:launch-template",
        ),
    ),
    ("code", tasks_cannot_be_entered, edges.test_a_task_is_entered_as_its_role),
    (
        "tags",
        whoever_may_tag_is_on_the_path,
        tags.test_who_the_path_leads_to_does_not_unguard_it,
    ),
    (
        "tags",
        a_tag_is_that_of_the_last_resource,
        tags.test_an_instance_is_tagged_before_it_is_taken_over,
    ),
    (
        "tags",
        no_hop_is_tagged_first,
        tags.test_a_tag_that_a_hop_asks_for_is_set_first,
    ),
    (
        "passes",
        passes_are_silent,
        edges.test_a_pass_to_a_service_without_a_rule_is_named,
    ),
    (
        "passes",
        everybody_passes,
        edges.test_a_pass_to_a_service_without_a_rule_is_named,
    ),
    (
        "passes",
        every_service_has_a_rule,
        edges.test_a_pass_to_a_service_without_a_rule_is_named,
    ),
    (
        "quotes",
        every_statement_is_near,
        proof.test_statements_of_other_services_are_not_quoted,
    ),
    (
        "quotes",
        resources_are_not_compared,
        proof.test_statements_of_the_same_action_stand_before_others_by_their_resource,
    ),
    (
        "quotes",
        unrelated_limits_are_not_quoted,
        proof.test_an_scp_level_that_does_not_allow_is_quoted_by_its_place,
    ),
]


@pytest.mark.parametrize(
    ("plant", "case"),
    [(plant, case) for _, plant, case in PLANTED],
    ids=[f"{line}: {plant.__name__}" for line, plant, _ in PLANTED],
)
def test_a_case_finds_a_planted_mistake(
    plant: Plant, case: Callable[[], object]
) -> None:
    case()
    with apply_mutation(plant), pytest.raises((AssertionError, LookupError)):
        case()
