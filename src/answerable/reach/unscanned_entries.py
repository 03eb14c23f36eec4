"""Entries to identities from places that no scan describes.

A place is an identity without permission data, a cluster, an account or an organization.
Anything could act in it whose platform has steps to the platform of the place, over any
number of platforms.
"""

from collections.abc import Collection, Iterable

from answerable.reach.cross_platform_steps import follow_steps
from answerable.reach.open_platforms import CROSS_PLATFORM_STEPS, OpenPlatforms
from answerable.reach.platform import PermissionPlatform, SubjectIdentity


def enter_from_unscanned(
    opened: OpenPlatforms, starts: Iterable[SubjectIdentity]
) -> tuple[SubjectIdentity, ...]:
    """Enter identities from the places in which some identities could act.

    Returns:
        The identities, each with the id of the place as its subject.
    """
    places = _list_places(opened, starts)
    entered = [
        SubjectIdentity(entry.missing.id, entry.identity, (), entry.missing)
        for source in opened.step_sources
        if source.origin in places
        for entry in opened.list_unscanned_entries(source)
    ]
    more = (
        follow_steps(entered, opened.find_identities_on_other_platforms).starts
        if entered
        else ()
    )
    return (*entered, *more)


def _list_places(
    opened: OpenPlatforms, starts: Iterable[SubjectIdentity]
) -> Collection[str]:
    """List the platforms of identities, and those that steps lead to from there."""
    found = (opened.find_platform(start.identity) for start in starts)
    places = {each.name for each in found if each is not None}
    for _ in opened.step_sources:
        places |= {e.target for e in opened.step_sources if e.origin in places}
    return places


def list_unscanned_words(
    opened: OpenPlatforms,
    starts: Iterable[SubjectIdentity],
    target: PermissionPlatform,
) -> frozenset[str]:
    """List the words of coverage for steps that are not modelled from other platforms.

    A platform counts if it has no scan, other sources name identities of it, and some
    of `starts` could act there.
    """
    places = _list_places(opened, starts)
    return frozenset(
        f"{CROSS_PLATFORM_STEPS} ({each.name}, {target.name})"
        for each in opened.list_named_platforms()
        if each.name in places
        and not opened.is_modelled(each, target)
        and not opened.open(each).describe_scope().accounts
    )
