"""Path graph of a permission answer, grouped to a limited number of nodes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.documents.core import CanItem, ReachItem
from answerable.presentation.permission_groups import Block, by_way
from answerable.web.pages.reach.question import Question
from answerable.web.svg.elements import Svg
from answerable.web.svg.path_diagram import Spot, Step, paths
from answerable.web.template_filters import bare, page_of

MOST_NODES = 200
# More rows at the end of a path are grouped by service.
_MOST_ROWS = 6
_END = "the call"


@dataclass(slots=True)
class Picture:
    """Nodes and edges of a permission answer.

    Attributes:
        spots: Nodes by key, in display order.
        steps: Edges by origin and target.
        left: Number of paths left out.
    """

    spots: dict[str, Spot] = field(default_factory=dict)
    steps: dict[tuple[str, str], Step] = field(default_factory=dict)
    left: int = 0

    def add(self, spots: Sequence[Spot], steps: Sequence[Step]) -> None:
        """Add one path, completely or not at all."""
        new = [spot for spot in spots if spot.key not in self.spots]
        if len(self.spots) + len(new) > MOST_NODES:
            self.left += 1
            return
        for spot in spots:
            self.spots.setdefault(spot.key, spot)
        for step in steps:
            self.steps.setdefault((step.origin, step.target), step)

    @property
    def named(self) -> tuple[Spot, ...]:
        """Return the nodes, with accounts if there are several."""
        spots = tuple(self.spots.values())
        accounts = {_account(spot.key) for spot in spots} - {""}
        if len(accounts) < 2:
            return spots
        return tuple(
            replace(spot, text=f"{spot.text} ({_account(spot.key)})")
            if _account(spot.key)
            else spot
            for spot in spots
        )

    @property
    def drawn(self) -> Svg:
        """Return the diagram."""
        steps = tuple(self.steps.values())
        told = "; ".join(
            f"{self.spots[step.origin].whole} - {step.via}"
            f"{' (only-if)' if step.open else ''} - {self.spots[step.target].whole}"
            for step in steps
        )
        return paths(self.named, steps, told)

    @property
    def items(self) -> Iterator[Mapping[str, object]]:
        """Yield nodes, then edges, as document items."""
        for spot in self.named:
            label = spot.text if len(spot.text) <= 64 else f"{spot.text[:63]}…"
            yield {
                "id": spot.key,
                "label": label,
                "kind": spot.kind,
                "whole": spot.whole,
                "href": spot.to,
            }
        for step in self.steps.values():
            yield {
                "from": step.origin,
                "to": step.target,
                "label": step.via,
                "open": step.open,
            }


def of_reach(items: Sequence[ReachItem], question: Question) -> Picture:
    """Build the graph of a reach answer."""
    picture = Picture()
    for blocks in by_way(items):
        first = blocks[0].item
        spots, steps = _path(first, 0)
        end = spots[-1]
        for spot, step in _ends(end, blocks, question):
            picture.add([*spots, spot], [*steps, step])
    return picture


def of_who_can(items: Sequence[ReachItem], question: Question) -> Picture:
    """Build the graph of a who-can answer; the call is on the right."""
    picture = Picture()
    longest = max((len(item["path"]) for item in items), default=0)
    for item in items:
        _one(picture, item, longest - len(item["path"]), question)
    return picture


def of_can(item: CanItem, question: Question) -> Picture:
    """Build the graph of one path."""
    picture = Picture()
    _one(picture, item, 0, question)
    return picture


def _one(
    picture: Picture, item: ReachItem | CanItem, first: int, question: Question
) -> None:
    spots, steps = _path(item, first)
    end = spots[-1]
    resource = item["resource"]
    to = question.at("/who-can", action=item["action"], resource=resource, subject="")
    call = Spot(_END, _place(resource), resource, end.column + 1, "resource", to)
    # Conditions of the steps are not conditions of the call.
    is_open = item["verdict"] != "always" and not any(step.open for step in steps)
    picture.add([*spots, call], [*steps, Step(end.key, _END, item["action"], is_open)])


def _path(item: ReachItem | CanItem, first: int) -> tuple[list[Spot], list[Step]]:
    subject = item["subject"]
    spots = [_spot(subject, first, "subject")]
    steps: list[Step] = []
    for number, step in enumerate(item["path"], first + 1):
        spots.append(_spot(step["to"], number, "identity"))
        origin = spots[-2].key
        steps.append(Step(origin, step["to"], step["via"], bool(step["conditions"])))
    return spots, steps


def _spot(key: str, column: int, kind: str) -> Spot:
    return Spot(key, _short(key), key, column, kind, page_of(key))


def _account(key: str) -> str:
    parts = key.split(":", 5)
    is_identity = len(parts) == 6 and parts[0] == "arn" and parts[2] == "iam"
    return parts[4] if is_identity and " " not in key else ""


def _short(key: str) -> str:
    """Return the most telling part of an id."""
    parts = key.split(":", 5)
    if len(parts) == 6 and parts[0] == "arn" and parts[2] in ("iam", "sts"):
        return parts[5]
    return bare(key)


def _place(resource: str) -> str:
    """Return a resource without the common ARN prefix."""
    return resource.removeprefix("arn:aws:")


def _ends(
    end: Spot, blocks: Sequence[Block], question: Question
) -> Iterator[tuple[Spot, Step]]:
    if len(blocks) <= _MOST_ROWS:
        for block in blocks:
            yield _row(end, block)
        return
    services: dict[str, list[Block]] = defaultdict(list)
    for block in blocks:
        services[_service(block.actions[0])].append(block)
    for service, of in sorted(services.items()):
        actions = sum(len(block.actions) for block in of)
        places = len({block.item["resource"] for block in of})
        rows = f"{actions} actions on {places} resources"
        text = f"{service}: {rows}"
        pattern = "*" if service == "*" else f"{service}:*"
        to = question.at("/reach", action=pattern)
        spot = Spot(f"{end.key} {service}", text, text, end.column + 1, "group", to)
        open_ = all(block.item["verdict"] != "always" for block in of)
        yield spot, Step(end.key, spot.key, service, open_)


def _service(action: str) -> str:
    return action.partition(":")[0] if ":" in action else "*"


def _row(end: Spot, block: Block) -> tuple[Spot, Step]:
    resource = block.item["resource"]
    via = block.actions[0]
    if len(block.actions) > 1:
        via += f" +{len(block.actions) - 1}"
    whole = f"{', '.join(block.actions)} on {resource}"
    spot = Spot(
        f"{end.key} {whole}", _place(resource), whole, end.column + 1, "resource"
    )
    open_ = block.item["verdict"] != "always"
    return spot, Step(end.key, spot.key, via, open_)
