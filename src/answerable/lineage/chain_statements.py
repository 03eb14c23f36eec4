"""Compare what snapshots and persons state on the owners and users of chains."""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from answerable.model.lineage import DeclaredUse

_DIGEST_BYTES = 16


def digest_statements(
    declared: Iterable[DeclaredUse], parents: Mapping[str, str]
) -> dict[str, bytes]:
    """Compute a digest of all that is stated on each subject.

    Args:
        declared: Declared uses; those of a subject in their order.
        parents: Parent agent by agent.
    """
    digests = {
        agent: _start_digest(list_ancestors(agent, parents)) for agent in parents
    }
    for use in declared:
        if (digest := digests.get(use.subject)) is None:
            digest = digests[use.subject] = _start_digest(())
        digest.update(msgspec.msgpack.encode(use))
    return {subject: digest.digest() for subject, digest in digests.items()}


def _start_digest(ancestors: tuple[str, ...]) -> "hashlib.blake2b":
    """Start the digest of a subject with its ancestors."""
    encoded = msgspec.msgpack.encode(ancestors)
    return hashlib.blake2b(encoded, digest_size=_DIGEST_BYTES)


def find_changed_subjects(
    before: Mapping[str, bytes],
    now: Mapping[str, bytes],
    declared: Iterable[DeclaredUse],
) -> set[str]:
    """Find the subjects of which the statements tell something else.

    A subject that an agent uses is one of them if the agent is.

    Args:
        before: Earlier digests by subject.
        now: Current digests by subject.
        declared: Current declared uses.
    """
    changed = {
        subject
        for subject in before.keys() | now.keys()
        if before.get(subject) != now.get(subject)
    }
    users = {use.subject for use in declared if not changed.isdisjoint(use.agents)}
    return changed | users


def list_ancestors(agent: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """List an agent behind its parent, and so on, the root first."""
    line = [agent]
    while (parent := parents.get(line[-1], "")) and parent not in line:
        line.append(parent)
    return tuple(reversed(line))
