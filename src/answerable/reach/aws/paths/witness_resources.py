"""Search for one concrete resource on which all calls of an escalation rule succeed.

The caller chooses the name of a new resource, so names from its own statements are
tried. Required permissions on the same resource get the same name, and all regional
resources get the same region.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import (
    CompiledPrincipal,
    get_aws_partition,
)
from answerable.reach.aws.escalation_rules.registry import (
    ANY_REGION,
    NEW_NAME,
    OTHER_NEW_NAME,
    RequiredPermission,
)
from answerable.reach.aws.evaluation.context_keys import (
    ContextKeys,
    resolve_policy_variables,
)
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.aws.paths.path_step_evaluation import (
    evaluate_path_step_call,
    evaluate_path_step_call_for_all,
)
from answerable.reach.aws.patterns.arn_matching import ANY_ARN, ArnParts, split_glob_arn
from answerable.reach.aws.patterns.glob_matching import (
    ANY_CHARACTER,
    ANY_TEXT,
    decode_glob,
    encode_glob,
    encode_literal,
    matches_glob,
)
from answerable.reach.condition_formula import FALSE, TRUE

_MAX_CANDIDATES = 64
Evaluations = tuple[Evaluation, ...]
_DENIED: Evaluations = (Evaluation(FALSE, ()),)


def find_witness_resources(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    needs: Sequence[RequiredPermission],
    existing: str = "",
) -> Evaluations:
    """Find resources on which all required permissions are allowed.

    Args:
        accounts: The compiled accounts.
        principal: The caller.
        needs: Required permissions.
        existing: ARN that replaces `{existing}`.

    Returns:
        One result per permission; a single denial where no resource fits all.
    """
    chosen = [need for need in needs if "{existing}" not in need.resource]
    sure = [
        evaluate_path_step_call_for_all(accounts, principal, need.action)
        for need in chosen
    ]
    if any(answer is not None and answer.formula == FALSE for answer in sure):
        return _DENIED
    if len(chosen) == len(needs) and all(answer is not None for answer in sure):
        return tuple(answer for answer in sure if answer is not None)
    groups: dict[str, list[RequiredPermission]] = {}
    for need in needs:
        groups.setdefault(need.resource, []).append(need)
    best = _DENIED
    for region in _list_regions_to_try(accounts, principal, needs, existing):
        found = _evaluate_permissions_in_region(
            accounts, principal, groups.values(), existing, region
        )
        if _rank_evaluation_results(found) > _rank_evaluation_results(best):
            best = found
        if _rank_evaluation_results(best) == 2:
            break
    return best


def _list_regions_to_try(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    needs: Iterable[RequiredPermission],
    existing: str,
) -> list[str]:
    """List regions to try: those in statements, or that of an existing resource."""
    if existing:
        return [existing.split(":", 5)[3]]
    found = {ANY_REGION: None}
    for need in needs:
        for parts in _list_statement_resource_patterns(accounts, principal, [need]):
            if parts[3] and parts[3] != ANY_TEXT:
                found[decode_glob(_replace_wildcards_of_arn_part(parts[3]))] = None
    return list(found)


def _evaluate_permissions_in_region(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    groups: Iterable[Sequence[RequiredPermission]],
    existing: str,
    region: str,
) -> Evaluations:
    """Evaluate each group of permissions in one region on its best resource."""
    found: list[Evaluation] = []
    for group in groups:
        best = _DENIED
        for resource in list_witness_candidates(
            accounts, principal, group, existing, region
        ):
            answers = evaluate_permissions_on_resource(
                accounts, principal, group, resource
            )
            if _rank_evaluation_results(answers) > _rank_evaluation_results(best):
                best = answers
            if _rank_evaluation_results(best) == 2:
                break
        if best is _DENIED:
            return _DENIED
        found += best
    return tuple(found)


def evaluate_permissions_on_resource(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    group: Sequence[RequiredPermission],
    resource: str,
) -> Evaluations:
    """Evaluate permissions on one resource; a single denial if any is denied."""
    answers = []
    for need in group:
        known = ContextKeys({key: (value,) for key, value in need.context})
        answer = evaluate_path_step_call(
            accounts, principal, need.action, resource, known
        )
        if answer.formula == FALSE:
            return _DENIED
        answers.append(answer)
    return tuple(answers)


def _rank_evaluation_results(answers: Evaluations) -> int:
    """Rank results: any denied 0, any conditional 1, all unconditional 2."""
    if any(answer.formula == FALSE for answer in answers):
        return 0
    return 2 if all(answer.formula == TRUE for answer in answers) else 1


def list_witness_candidates(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    group: Sequence[RequiredPermission],
    existing: str = "",
    region: str = ANY_REGION,
) -> list[str]:
    """List resources to try for permissions that share one, the default name first."""
    template = group[0].resource
    if template == "*":
        return ["*"]
    usual = fill_arn_template(template, principal, NEW_NAME, region, existing)
    if "{name}" not in template:
        return [usual]
    other = fill_arn_template(template, principal, OTHER_NEW_NAME, region, existing)
    kind = split_glob_arn(
        encode_glob(fill_arn_template(template, principal, "?*", region, existing))
    )
    found = {usual: None, other: None}
    spoken = list(_list_statement_resource_patterns(accounts, principal, group))
    for parts in spoken:
        found.update(dict.fromkeys(_fill_wildcards_of_arn(parts, usual, kind)))
    for one, two in combinations(spoken, 2):
        if len(found) >= _MAX_CANDIDATES:
            break
        found.update(dict.fromkeys(_find_arn_matching_all_patterns((one, two, kind))))
    return list(found)


def fill_arn_template(
    template: str,
    principal: CompiledPrincipal,
    name: str,
    region: str,
    existing: str = "",
) -> str:
    """Fill an ARN template of a rule with account, region and resource name."""
    there = existing.split(":", 5) if existing else []
    parent = there[5].split("/") if there else []
    return template.format(
        partition=there[1] if there else get_aws_partition(principal.id),
        region=there[3] if there else region,
        account=there[4] if there else principal.identity.account,
        name=name,
        existing=existing,
        parent=parent[1] if len(parent) == 3 else name,
    )


def _list_statement_resource_patterns(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    needs: Sequence[RequiredPermission],
) -> dict[ArnParts, None]:
    """List the resource patterns of all statements on required permissions."""
    found: dict[ArnParts, None] = {}
    for need in needs:
        for grant in accounts.list_statements_on_action(principal, need.action.lower()):
            for written in (*grant.clause.resources, *grant.clause.not_resources):
                parts = split_glob_arn(
                    resolve_policy_variables(written, principal.known).pattern
                )
                if parts != ANY_ARN and len(parts) == 6:
                    found[parts] = None
    return found


def _fill_wildcards_of_arn(
    parts: ArnParts, default_arn: str, resource_type: ArnParts
) -> Iterator[str]:
    """Replace a pattern's wildcards so that the ARN is of the required type."""
    theirs = encode_literal(default_arn).split(":", 5)
    chosen = [
        mine
        if ANY_TEXT not in mine and ANY_CHARACTER not in mine
        else (
            plain if matches_glob(mine, plain) else _replace_wildcards_of_arn_part(mine)
        )
        for mine, plain in zip(parts, theirs, strict=True)
    ]
    if all(map(matches_glob, resource_type, chosen)):
        yield decode_glob(":".join(chosen))
    else:
        yield from _find_arn_matching_all_patterns((parts, resource_type))


def _replace_wildcards_of_arn_part(part: str) -> str:
    """Replace the wildcards of one ARN part with literal text."""
    return part.replace(ANY_TEXT, NEW_NAME).replace(ANY_CHARACTER, "a")


def _find_arn_matching_all_patterns(patterns: Sequence[ArnParts]) -> Iterator[str]:
    """Yield an example ARN that all patterns match, if one is found."""
    from answerable.reach.aws.patterns.common_match_search import find_matching_text

    texts = [find_matching_text(parts) for parts in zip(*patterns, strict=True)]
    if all(text is not None for text in texts):
        yield decode_glob(":".join(text for text in texts if text is not None))
