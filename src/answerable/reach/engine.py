"""Permission engine: answers a question over the registered platforms.

The platform of the resource evaluates a call. The subject's identities may belong to
several platforms; one that no platform claims makes a `never` a `not-known`.
"""

from collections.abc import Sequence
from dataclasses import replace

from answerable.model.documents.shared_shapes import TruncationItem
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.inventory import Inventory
from answerable.reach.answer_items import build_item_without_statements
from answerable.reach.condition_formula import Verdict
from answerable.reach.open_platforms import CROSS_PLATFORM_STEPS, OpenPlatforms
from answerable.reach.platform import (
    Answer,
    AnswerList,
    AppliedEdit,
    ChangeList,
    PageBounds,
    PermissionPlatform,
    PolicyEdit,
    Question,
    SubjectIdentity,
)
from answerable.reach.subject_identities import SubjectIdentities
from answerable.reach.verdict_assumptions import (
    ASSUMPTION_NAMES,
    list_assumed_policy_kinds,
)

_ENTERING = "entering:"  # begins the cursor of callers from other platforms
_NO_PLATFORM = UsageError("no permission platform is registered")


def parse_permission_question(
    platforms: Sequence[PermissionPlatform], inventory: Inventory, question: Question
) -> tuple[PermissionPlatform, Question]:
    """Parse the call of a question, and pick the platform that evaluates it.

    The platform of the resource takes it, else that of the subject, else the first that
    knows the action.

    Raises:
        UsageError: No platform knows the call; the hint has the nearest spelling.
    """
    refused: list[UsageError] = []
    owners = [each for each in platforms if each.owns(question.resource)]
    of_subject = [each for each in platforms if each.owns(question.subject)]
    others = [each for each in platforms if each not in of_subject]
    for platform in owners or (*of_subject, *others):
        try:
            action, resource = platform.parse_call(
                inventory, question.action, question.resource
            )
        except UsageError as error:
            refused.append(error)
        else:
            return platform, replace(question, action=action, resource=resource)
    # A platform that knows the name several times tells more than one without it, and
    # a collected one that knows the action more than one that does not.
    from answerable.reach.refused_calls import find_knowing_error

    ambiguous = (each for each in refused if isinstance(each, AmbiguousError))
    known = find_knowing_error(owners or (*of_subject, *others), inventory, question)
    raise next(ambiguous, known or (refused[0] if refused else _NO_PLATFORM))


def open_policy_edit(
    platforms: Sequence[PermissionPlatform],
    inventory: Inventory,
    question: Question,
    edit: PolicyEdit,
) -> tuple[PermissionPlatform, AppliedEdit]:
    """Apply an edit at the first platform that knows its statements and policies.

    Raises:
        UsageError: No platform knows them; the hint has the nearest spelling.
    """
    refused: UsageError | None = None
    for platform in platforms:
        try:
            return platform, platform.open_edit(inventory, question, edit)
        except UsageError as error:
            refused = refused or error
    raise refused or _NO_PLATFORM


def list_changes_of_edit(
    opened: tuple[OpenPlatforms, OpenPlatforms],
    platform: PermissionPlatform,
    applied: AppliedEdit,
    limit: int,
) -> tuple[ChangeList, SubjectIdentities]:
    """List permissions that a policy edit adds or removes, for a subject or all.

    For a subject, those on all platforms that it reaches over the edited one; for all,
    those of the edited platform.

    Args:
        opened: Platforms before and after the edit.
        limit: Most items; 0 for all.
    """
    question = opened[0].question
    if not question.subject:
        changes = applied.list_changes(question, (), limit)
        words = opened[0].list_crossing_words(platform)
        missing = changes.not_collected | words
        return replace(changes, not_collected=missing), SubjectIdentities()
    found, after = (each.find_identities(question.subject) for each in opened)
    question = replace(
        question, identities=opened[0].select_identities(platform, found)
    )
    mine = opened[1].select_identities(platform, after)
    changes = applied.list_changes(question, mine, limit)
    lists = [changes]
    for other in opened[0].platforms:
        was = opened[0].select_identities(other, found)
        will = opened[1].select_identities(other, after)
        if other is not platform and was != will:
            lists.append(_list_changes_elsewhere(opened, other, was, will))
    joined = _join_change_lists(lists, limit)
    words = opened[0].list_unmodelled_words(found.starts)
    return replace(joined, not_collected=joined.not_collected | words), found


def _list_changes_elsewhere(
    opened: tuple[OpenPlatforms, OpenPlatforms],
    platform: PermissionPlatform,
    before: Sequence[SubjectIdentity],
    after: Sequence[SubjectIdentity],
) -> ChangeList:
    """List the changes on a platform whose identities an edit elsewhere gives or takes."""
    from answerable.reach.row_comparison import RowComparison

    question = replace(opened[0].question, identities=tuple(before))
    both = opened[0].open(platform), opened[1].open(platform)
    compared = RowComparison(opened[0].inventory, *both, tuple, has_patterns=True)
    try:
        found = compared.list_permission_changes(question, after, 0)
    except UsageError:  # the platform has no such action or resource
        return ChangeList(())
    # Rows name what they assume, which is no word of coverage.
    names = frozenset(ASSUMPTION_NAMES.values()) - ASSUMPTION_NAMES.keys()
    return replace(found, not_collected=found.not_collected - names)


def _join_change_lists(lists: Sequence[ChangeList], limit: int) -> ChangeList:
    """Join the changes of several platforms, and cut them."""
    first, *others = lists
    more = [item for each in others for item in each.items]
    if not more:
        return first
    items = (*first.items, *more)
    total = len(more) + (first.shown["of"] if first.shown else len(first.items))
    kept = items[: limit or None]
    shown = None
    if len(kept) < total:
        shown = TruncationItem(rows=len(kept), what="changes", done=len(kept), of=total)
    missing = frozenset[str]().union(*(each.not_collected for each in lists))
    unread = any(each.unread for each in lists)
    return ChangeList(kept, missing, unread, shown)


def answer_permission_question(
    opened: OpenPlatforms, platform: PermissionPlatform, question: Question
) -> Answer:
    """Answer whether a subject can make one call.

    Args:
        platform: Platform of the call.
        question: Question with a parsed call and the id of the subject.
    """
    found = opened.find_identities(question.subject)
    mine = opened.select_identities(platform, found)
    answer = opened.open(platform).evaluate(replace(question, identities=mine))
    elsewhere = [each for each in found.starts if each not in mine]
    if _is_impossible_call(answer):
        return answer
    gaps = (*(each.unknown for each in elsewhere if each.unknown), *found.apart)
    unmodelled = opened.list_unmodelled(elsewhere, platform)
    unknown = (*answer.unknown, *gaps, *unmodelled)
    call = question.subject, question.action, question.resource
    if answer.verdict is Verdict.NOT_KNOWN and elsewhere and not unknown:
        # No step leads from an identity of the subject to one of this platform.
        answer = Answer(build_item_without_statements(*call, Verdict.NEVER))
    open_ = answer.verdict is Verdict.NOT_KNOWN
    absent = frozenset(f"{each.id}: {each.because}" for each in gaps)
    absent |= frozenset(unmodelled.values())
    if answer.verdict is Verdict.NEVER and not question.direct:
        absent |= _list_unscanned_words(opened, platform, question, found.starts)
    if open_ or (unknown and answer.verdict is Verdict.NEVER):
        return Answer(
            build_item_without_statements(*call, Verdict.NOT_KNOWN), unknown, absent
        )
    if answer.verdict is Verdict.ALWAYS or not absent:
        return replace(answer, unknown=())
    assuming = {*answer.item["assuming"], *list_assumed_policy_kinds(absent)}
    return Answer(
        {**answer.item, "assuming": sorted(assuming)},
        not_collected=answer.not_collected | absent,
        unread=answer.unread,
    )


def _list_unscanned_words(
    opened: OpenPlatforms,
    platform: PermissionPlatform,
    question: Question,
    starts: Sequence[SubjectIdentity],
) -> frozenset[str]:
    """List the words of coverage for places without a scan that could make the call."""
    from answerable.reach.unscanned_entries import (
        enter_from_unscanned,
        list_unscanned_words,
    )

    words = list_unscanned_words(opened, starts, platform)
    evaluate = opened.open(platform).evaluate
    for start in enter_from_unscanned(opened, starts):
        unmodelled = opened.list_unmodelled((start,), platform)
        mine = opened.find_platform(start.identity) is platform
        alone = replace(question, identities=(replace(start, unknown=None),))
        if unmodelled or (mine and evaluate(alone).verdict is not Verdict.NEVER):
            return words | {f"{CROSS_PLATFORM_STEPS} ({start.subject})"}
    return words


def _is_impossible_call(answer: Answer) -> bool:
    """Return whether no resource of this kind takes the action, for any subject."""
    effects = {each["effect"] for each in answer.item["determining"]}
    return effects == {"impossible"}


def list_permissions_of_subject(
    opened: OpenPlatforms, question: Question, page: PageBounds
) -> tuple[AnswerList, SubjectIdentities]:
    """List what a subject can do, platform after platform.

    Raises:
        UsageError: No platform of the subject can match the globs.
    """
    found = opened.find_identities(question.subject)
    pairs = [(p, opened.select_identities(p, found)) for p in opened.platforms]
    asked = [pair for pair in pairs if pair[1]] or pairs[:1]
    unknown = () if page.cursor else found.apart
    rows = page.rows and max(1, page.rows - len(unknown))
    first, _, place = (page.cursor or "").rpartition("/")
    lists: list[AnswerList] = []
    refused: UsageError | None = None
    cursor = ""
    for number, (platform, identities) in list(enumerate(asked))[
        _parse_platform_number(first) :
    ]:
        bounds = replace(page, rows=rows)
        if page.cursor is not None:
            bounds, place = replace(bounds, cursor=place), ""
        try:
            got = opened.open(platform).list_permissions(
                replace(question, identities=identities), bounds
            )
        except UsageError as error:
            refused = refused or error
            continue
        lists.append(got)
        rows = rows and rows - len(got.answers)
        follows = number if got.cursor else number + 1
        if got.cursor or (page.rows and rows <= 0 and follows < len(asked)):
            cursor = f"{follows}/{got.cursor}" if follows else got.cursor
            break
    if not lists:
        raise refused or UsageError(
            "invalid page cursor", "request the first page again"
        )
    bare = [
        Answer(
            build_item_without_statements(
                question.subject, question.action, question.resource, Verdict.NOT_KNOWN
            ),
            (each,),
        )
        for each in unknown
    ]
    missing = opened.list_unmodelled_words(found.starts)
    missing |= frozenset(found.not_collected)
    return _join_platform_lists(lists, bare, cursor, missing), found


def list_callers(
    opened: OpenPlatforms,
    platform: PermissionPlatform,
    question: Question,
    page: PageBounds,
) -> AnswerList:
    """List the callers that can make one call, then those that enter from elsewhere.

    Raises:
        UsageError: The cursor is malformed.
    """
    cursor = page.cursor or ""
    if cursor.startswith(_ENTERING):
        bounds = replace(page, cursor=cursor.removeprefix(_ENTERING))
        found = _list_cross_platform_callers(opened, platform, question, bounds)
        return replace(found, cursor=found.cursor and _ENTERING + found.cursor)
    own = opened.open(platform).list_callers(question, page)
    if question.direct or own.cursor or not opened.step_sources:
        return own
    if page.cursor is not None:
        return _fill_page(opened, platform, question, page, own)
    entering = _list_cross_platform_callers(
        opened, platform, question, replace(page, rows=0)
    )
    return _merge_callers(own, entering, page.rows)


def _list_cross_platform_callers(
    opened: OpenPlatforms,
    platform: PermissionPlatform,
    question: Question,
    bounds: PageBounds,
) -> AnswerList:
    from answerable.reach.cross_platform_callers import list_cross_platform_callers

    return list_cross_platform_callers(opened, platform, question, bounds)


def _fill_page(
    opened: OpenPlatforms,
    platform: PermissionPlatform,
    question: Question,
    page: PageBounds,
    own: AnswerList,
) -> AnswerList:
    """Fill the last page of a platform's own callers with those from elsewhere."""
    room = page.rows - len(own.answers)
    is_full = bool(page.rows) and room <= 0
    bounds = replace(page, cursor="0", rows=1 if is_full else page.rows and room)
    ahead = _list_cross_platform_callers(opened, platform, question, bounds)
    cursor = ahead.cursor and _ENTERING + ahead.cursor
    if is_full:
        cursor = f"{_ENTERING}0" if ahead.answers else ""
    return replace(
        own,
        answers=own.answers if is_full else (*own.answers, *ahead.answers),
        cursor=cursor,
        not_collected=own.not_collected | ahead.not_collected,
        unread=own.unread or ahead.unread,
        examined=own.examined + (0 if is_full else ahead.examined),
    )


def _merge_callers(own: AnswerList, entering: AnswerList, rows: int) -> AnswerList:
    """Merge callers in the order of pages, and cut them; unknown ones are never cut."""
    found = _join_platform_lists([own, entering], (), "", frozenset())
    known = [each for each in found.answers if each.verdict is not Verdict.NOT_KNOWN]
    last = [each for each in found.answers if each.verdict is Verdict.NOT_KNOWN]
    kept = known[: rows or None]
    uncounted = own.shown["of"] - own.shown["done"] if own.shown else 0
    total = len(known) + uncounted
    if len(kept) == total:
        return replace(found, answers=(*kept, *last))
    shown = TruncationItem(rows=len(kept), what="callers", done=len(kept), of=total)
    return replace(found, answers=(*kept, *last), shown=shown)


def _parse_platform_number(text: str) -> int:
    """Parse the number of a platform in a cursor; empty for the first."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _join_platform_lists(
    lists: Sequence[AnswerList],
    last: Sequence[Answer],
    cursor: str,
    not_collected: frozenset[str],
) -> AnswerList:
    """Join the lists of several platforms, with some last rows."""
    counts = [each.shown for each in lists if each.shown]
    answers = [*(one for each in lists for one in each.answers), *last]
    return AnswerList(
        tuple(answers),
        not_collected.union(*(each.not_collected for each in lists)),
        any(each.unread for each in lists),
        cursor,
        sum(each.examined for each in lists),
        TruncationItem(
            rows=len(answers),
            what=counts[0]["what"],
            done=sum(each["done"] for each in counts),
            of=sum(each["of"] for each in counts),
        )
        if counts
        else None,
    )
