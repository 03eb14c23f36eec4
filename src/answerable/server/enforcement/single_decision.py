"""Decide a single request by everything in force now, for a process that ends then."""

import time
from pathlib import Path

from answerable.authorization.exception_validity import index_exceptions
from answerable.authorization.policy_exceptions import BREAK_GLASS_LIFTABLE
from answerable.authorization.revocations import Revocations
from answerable.model.decision import AuthorizationRequest, Decision, DecisionEffect
from answerable.model.errors import AnswerableError
from answerable.server.enforcement.settings import EnforcementSettings
from answerable.server.revocation_list import RevocationList
from answerable.usecases.authorization.authorize import Authorizer


def decide_once(
    settings: EnforcementSettings, request: AuthorizationRequest
) -> Decision:
    """Decide a request by policy, revocations and policy exceptions.

    Raises:
        EnvironmentFailure: The revocations cannot be read.
    """
    authorizer = Authorizer(settings.table)
    authorizer.update_revocations(read_revocations(settings.store, settings.state))
    decision = authorizer.authorize(request)
    is_denied = decision.effect is not DecisionEffect.ALLOW
    if is_denied and decision.reason in BREAK_GLASS_LIFTABLE:
        return _apply_exceptions(settings, authorizer, request, decision)
    return decision


def read_revocations(store: Path, state: Path) -> Revocations:
    """Read the subjects revoked by `kill`, from the store and gateway folders.

    Args:
        store: Folder of the store.
        state: State folder of the gateway.

    Raises:
        EnvironmentFailure: They cannot be read.
    """
    return RevocationList(store, state).read_subjects()


def _apply_exceptions(
    settings: EnforcementSettings,
    authorizer: Authorizer,
    request: AuthorizationRequest,
    decision: Decision,
) -> Decision:
    """Apply policy exceptions; only now, since that opens the store."""
    from answerable.services.statements.policy_exceptions import PolicyExceptionReader
    from answerable.services.statements.statements_in_force import read_statements
    from answerable.store.store import EvidenceStore

    if not settings.store.is_dir():
        return decision
    now = time.time_ns()
    try:
        with EvidenceStore.open(settings.store, now=now, create=False) as store:
            statements = read_statements(store, (PolicyExceptionReader,), now)
    except AnswerableError:
        return decision
    exceptions = statements.get(PolicyExceptionReader)
    authorizer.set_policy_exceptions(index_exceptions(exceptions))
    return authorizer.authorize(request)
