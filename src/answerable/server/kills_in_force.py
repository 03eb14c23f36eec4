"""Kills in force, each with the delegations that it ended."""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.server.revocation_list import RevocationNote


@dataclass(frozen=True, slots=True)
class KillInForce:
    """One kill of a person or operator, and what ended with it.

    Attributes:
        subject: Killed subject; or the revived one, whose delegations stay ended.
        note: Author, time and reason, as far as the file has them.
        ended: Delegations that ended with the kill (`run:ID`), sorted.
        is_revived: The subject itself is no longer killed.
    """

    subject: str
    note: RevocationNote
    ended: tuple[str, ...] = ()
    is_revived: bool = False


def group_kills(revoked: Mapping[str, RevocationNote]) -> list[KillInForce]:
    """Group the revoked subjects by the kill that revoked them, sorted by subject.

    A delegation that ended with another ended delegation belongs to the first kill.
    """
    ended: dict[str, list[str]] = {}
    for subject, note in sorted(revoked.items()):
        if note.ended_with:
            ended.setdefault(_find_first_kill(revoked, subject), []).append(subject)
    kills = [
        KillInForce(subject, note, tuple(ended.pop(subject, ())))
        for subject, note in sorted(revoked.items())
        if not note.ended_with
    ]
    for subject, runs in ended.items():
        kills.append(KillInForce(subject, revoked[runs[0]], tuple(runs), True))
    return sorted(kills, key=lambda each: each.subject)


def count_kills(revoked: Mapping[str, RevocationNote]) -> tuple[int, int]:
    """Count the kills in force, and the delegations that ended with a kill."""
    ended = sum(bool(note.ended_with) for note in revoked.values())
    return len(revoked) - ended, ended


def _find_first_kill(revoked: Mapping[str, RevocationNote], subject: str) -> str:
    """Follow `ended_with` to the subject of the kill; a cycle ends where it began."""
    seen = {subject}
    while subject in revoked and (cause := revoked[subject].ended_with):
        if cause in seen:
            return max(seen)
        seen.add(cause)
        subject = cause
    return subject
