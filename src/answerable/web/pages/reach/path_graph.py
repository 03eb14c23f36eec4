"""Build the path graph of a permission answer, at most 200 nodes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.documents.shared_shapes import PermissionCheckItem, ReachItem
from answerable.presentation.id_labels import (
    get_id_account,
    shorten_identity,
    shorten_resource,
)
from answerable.presentation.permission_groups import (
    PermissionBlock,
    group_permissions_by_path,
)
from answerable.web.pages.reach.question import ReachQuestion
from answerable.web.svg.path_diagram import DiagramEdge, DiagramNode, draw_paths
from answerable.web.svg.svg_elements import SvgMarkup
from answerable.web.template_filters import entity_page, strip_kind

MAX_NODES = 200
# More rows at the end of a path are grouped by service.
_MAX_ROWS_PER_PATH = 6
_CALL_NODE = "the call"


@dataclass(slots=True)
class PathGraph:
    """Nodes and edges of a permission answer.

    Attributes:
        nodes: Nodes by key, in display order.
        edges: Edges by origin and target.
        omitted_paths: Number of paths left out.
    """

    nodes: dict[str, DiagramNode] = field(default_factory=dict)
    edges: dict[tuple[str, str], DiagramEdge] = field(default_factory=dict)
    omitted_paths: int = 0

    def add_path(
        self, nodes: Sequence[DiagramNode], edges: Sequence[DiagramEdge]
    ) -> None:
        """Add one path to the diagram, or none of it if it is too large."""
        new = [spot for spot in nodes if spot.key not in self.nodes]
        if len(self.nodes) + len(new) > MAX_NODES:
            self.omitted_paths += 1
            return
        for spot in nodes:
            self.nodes.setdefault(spot.key, spot)
        for step in edges:
            self.edges.setdefault((step.origin, step.target), step)

    @property
    def labelled_nodes(self) -> tuple[DiagramNode, ...]:
        """Return the nodes; labels name the account if there are several."""
        spots = tuple(self.nodes.values())
        accounts = {get_id_account(spot.key) for spot in spots} - {""}
        if len(accounts) < 2:
            return spots
        return tuple(
            replace(spot, text=f"{spot.text} ({get_id_account(spot.key)})")
            if get_id_account(spot.key)
            else spot
            for spot in spots
        )

    @property
    def svg_markup(self) -> SvgMarkup:
        """Draw the graph as SVG."""
        steps = tuple(self.edges.values())
        told = "; ".join(
            f"{self.nodes[step.origin].tooltip} - {step.via}"
            f"{' (only-if)' if step.is_conditional else ''} - {self.nodes[step.target].tooltip}"
            for step in steps
        )
        return draw_paths(self.labelled_nodes, steps, told)

    @property
    def items(self) -> Iterator[Mapping[str, object]]:
        """Yield nodes, then edges, as JSON items."""
        for spot in self.labelled_nodes:
            label = spot.text if len(spot.text) <= 64 else f"{spot.text[:63]}…"
            yield {
                "id": spot.key,
                "label": label,
                "kind": spot.kind,
                "whole": spot.tooltip,
                "href": spot.link,
            }
        for step in self.edges.values():
            yield {
                "from": step.origin,
                "to": step.target,
                "label": step.via,
                "open": step.is_conditional,
            }


def build_reach_graph(items: Sequence[ReachItem], question: ReachQuestion) -> PathGraph:
    """Build the graph of a reach answer, from the subject to resources."""
    graph = PathGraph()
    for blocks in group_permissions_by_path(items):
        first = blocks[0].item
        nodes, edges = _build_path_nodes(first, 0)
        end = nodes[-1]
        for node, edge in _build_end_nodes(end, blocks, question):
            graph.add_path([*nodes, node], [*edges, edge])
    return graph


def build_who_can_graph(
    items: Sequence[ReachItem], question: ReachQuestion
) -> PathGraph:
    """Build the graph of a who-can answer; all paths end in the call."""
    graph = PathGraph()
    longest = max((len(item["path"]) for item in items), default=0)
    for item in items:
        _add_call_path(graph, item, longest - len(item["path"]), question)
    return graph


def build_can_graph(item: PermissionCheckItem, question: ReachQuestion) -> PathGraph:
    """Build the graph of a can answer: one path to the call."""
    graph = PathGraph()
    _add_call_path(graph, item, 0, question)
    return graph


def _add_call_path(
    graph: PathGraph,
    item: ReachItem | PermissionCheckItem,
    first_column: int,
    question: ReachQuestion,
) -> None:
    """Add to the diagram the path from a subject to the call it may make."""
    nodes, edges = _build_path_nodes(item, first_column)
    end = nodes[-1]
    resource = item["resource"]
    link = question.link_to(
        "/who-can", action=item["action"], resource=resource, subject=""
    )
    call = DiagramNode(
        _CALL_NODE,
        shorten_resource(resource),
        resource,
        end.column + 1,
        "resource",
        link,
    )
    # Conditions of the steps are not conditions of the call.
    is_open = item["verdict"] != "always" and not any(
        step.is_conditional for step in edges
    )
    graph.add_path(
        [*nodes, call],
        [*edges, DiagramEdge(end.key, _CALL_NODE, item["action"], is_open)],
    )


def _build_path_nodes(
    item: ReachItem | PermissionCheckItem, first_column: int
) -> tuple[list[DiagramNode], list[DiagramEdge]]:
    """Return nodes and edges from a subject along its path."""
    subject = item["subject"]
    nodes = [_build_identity_node(subject, first_column, "subject")]
    edges: list[DiagramEdge] = []
    for number, step in enumerate(item["path"], first_column + 1):
        nodes.append(_build_identity_node(step["to"], number, "identity"))
        origin = nodes[-2].key
        edges.append(
            DiagramEdge(origin, step["to"], step["via"], bool(step["conditions"]))
        )
    return nodes, edges


def _build_identity_node(key: str, column: int, kind: str) -> DiagramNode:
    """Build the node of an identity with a link to its page."""
    return DiagramNode(
        key,
        shorten_identity(key) or strip_kind(key),
        key,
        column,
        kind,
        entity_page(key),
    )


def _build_end_nodes(
    end: DiagramNode, blocks: Sequence[PermissionBlock], question: ReachQuestion
) -> Iterator[tuple[DiagramNode, DiagramEdge]]:
    """Yield an end node per permission; more than six are grouped by service."""
    if len(blocks) <= _MAX_ROWS_PER_PATH:
        for block in blocks:
            yield _build_permission_node(end, block)
        return
    services: dict[str, list[PermissionBlock]] = defaultdict(list)
    for block in blocks:
        services[_get_service_prefix(block.actions[0])].append(block)
    for service, group in sorted(services.items()):
        actions = sum(len(block.actions) for block in group)
        places = len({block.item["resource"] for block in group})
        rows = f"{actions} actions on {places} resources"
        text = f"{service}: {rows}"
        pattern = "*" if service == "*" else f"{service}:*"
        link = question.link_to("/reach", action=pattern)
        node = DiagramNode(
            f"{end.key} {service}", text, text, end.column + 1, "group", link
        )
        is_conditional = all(block.item["verdict"] != "always" for block in group)
        yield node, DiagramEdge(end.key, node.key, service, is_conditional)


def _get_service_prefix(action: str) -> str:
    """Return the service prefix of an action, `*` without one."""
    return action.partition(":")[0] if ":" in action else "*"


def _build_permission_node(
    end: DiagramNode, block: PermissionBlock
) -> tuple[DiagramNode, DiagramEdge]:
    """Build the end node and edge of one permission."""
    resource = block.item["resource"]
    via = block.actions[0]
    if len(block.actions) > 1:
        via += f" +{len(block.actions) - 1}"
    whole = f"{', '.join(block.actions)} on {resource}"
    node = DiagramNode(
        f"{end.key} {whole}",
        shorten_resource(resource),
        whole,
        end.column + 1,
        "resource",
    )
    is_conditional = block.item["verdict"] != "always"
    return node, DiagramEdge(end.key, node.key, via, is_conditional)
