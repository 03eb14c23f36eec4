"""Choke points: steps that the paths to several identities have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from answerable.model.documents.shared_shapes import PathItem, ReachItem
from answerable.web.pages.reach.question import REMOVED_FIELDS, ReachQuestion
from answerable.web.pages.reach.what_if import name_if_removable
from answerable.web.template_filters import build_url

_MOST_LISTED = 5
_MIN_ENDS = 2


@dataclass(slots=True)
class ChokePoint:
    """Step on the paths to several identities.

    Attributes:
        step: The step.
        ends: Identities whose shown paths contain it, and whether each is an
            administrator.
        what_if: URL of the changes without its statements; empty if no edit of a
            policy removes it.
    """

    step: PathItem
    ends: dict[str, bool] = field(default_factory=dict)
    what_if: str = ""

    @property
    def administrators(self) -> int:
        """Return the number of administrators behind the step."""
        return sum(self.ends.values())


def find_choke_points(
    items: Sequence[ReachItem], question: ReachQuestion
) -> list[ChokePoint]:
    """Find the steps that lead to most identities, administrators first."""
    points: dict[tuple[str, str, str], ChokePoint] = {}
    for item in items:
        for step in item["path"]:
            key = step["from"], step["via"], step["to"]
            point = points.setdefault(key, ChokePoint(step))
            point.ends[item["path"][-1]["to"]] = item["admin"]
    found = [each for each in points.values() if len(each.ends) >= _MIN_ENDS]
    found.sort(key=lambda each: (-each.administrators, -len(each.ends)))
    for point in found[:_MOST_LISTED]:
        point.what_if = _link_to_what_if(point.step, question)
    return found[:_MOST_LISTED]


def _link_to_what_if(step: PathItem, question: ReachQuestion) -> str:
    """Link to the changes without the statements of a step; empty if there are none."""
    names = [name for each in step["determining"] if (name := name_if_removable(each))]
    ticked = dict(zip(REMOVED_FIELDS, names, strict=False))
    if not ticked:
        return ""
    return build_url("/what-if", subject=question.subject, **ticked)
