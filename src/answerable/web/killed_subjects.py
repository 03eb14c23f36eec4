"""Read the killed subjects, which pages and drawings mark."""

from answerable.model.errors import AnswerableError
from answerable.server.revocation_service import RevocationService
from answerable.web.store_cache import StoreCache


def read_killed_subjects(cache: StoreCache) -> frozenset[str] | None:
    """Read the killed subjects; None if their file is unreadable."""
    try:
        return frozenset(RevocationService(cache.root, cache.config).list_revoked())
    except AnswerableError:
        return None


def is_killed(subject: str, killed: frozenset[str] | None) -> bool:
    """Return whether an agent, identity or credential is marked as killed."""
    return killed is not None and (
        subject in killed or f"principal:{subject}" in killed
    )
