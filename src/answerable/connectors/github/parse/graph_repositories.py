"""Read the nodes of a graph export about repositories, with their edges."""

from answerable.connectors.formats.redaction import redact_name
from answerable.connectors.github.parse.graph_index import GraphIndex, NodeProperties
from answerable.connectors.github.parse.graph_nodes import (
    NodeReader,
    get_role_name,
    list_permissions,
)
from answerable.connectors.github.parse.organization_builder import OrganizationBuilder
from answerable.connectors.github.parse.repository_responses import add_workflow_file
from answerable.reach.github.catalogue import (
    BranchProtection,
    Environment,
    RepositoryRole,
    Workflow,
)


def _read_repositories(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read repositories with their branches and secrets."""
    for node, found in index.list_nodes("GH_Repository"):
        builder.update_repository(
            found.text("name"),
            name=found.text("name"),
            visibility=found.text("visibility"),
            archived=found.flag("archived"),
            default_branch=found.text("default_branch"),
            created_at=found.time("created_at"),
            actions_enabled=found.raw.get("actions_enabled"),
            branches=tuple(
                NodeProperties(each.properties).text("short_name")
                for each in index.find_ends(node.id, "GH_HasBranch")
            ),
            secrets=tuple(
                redact_name(NodeProperties(each.properties).text("name"))
                for each in index.find_ends(node.id, "GH_HasSecret")
                if each.kinds[0] == "GH_RepoSecret"
            ),
            protections=(),
            collaborators=(),
            teams=(),
            place=f"{index.place}#{node.id}",
        )
        parts = builder.get_parts(found.text("name"))
        parts.workflows = parts.workflows or {}


def _read_repository_roles(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read custom roles, and the users and teams that hold a role on a repository."""
    grants: dict[str, tuple[set[tuple[str, str]], set[tuple[str, str]]]] = {}
    for node, found in index.list_nodes("GH_RepoRole"):
        name = get_role_name(found)
        if found.text("type") == "custom":
            bases = [
                get_role_name(NodeProperties(each.properties))
                for each in index.find_ends(node.id, "GH_HasBaseRole")
            ]
            builder.repository_roles[name] = RepositoryRole(
                name, bases[0] if bases else "", list_permissions(index, node.id)
            )
        users, teams = grants.setdefault(found.text("repository_name"), (set(), set()))
        for holder in index.find_starts(node.id, "GH_HasRole"):
            properties = NodeProperties(holder.properties)
            if holder.kinds[0] == "GH_User":
                users.add((properties.text("login").lower(), name))
            elif holder.kinds[0] == "GH_Team":
                teams.add((properties.text("slug").lower(), name))
    for repository, (users, teams) in grants.items():
        builder.update_repository(
            repository,
            collaborators=tuple(sorted(users)),
            teams=tuple(sorted(teams)),
        )


def _read_protections(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read branch protection rules with their allowances."""
    for node, found in index.list_nodes("GH_BranchProtectionRule"):
        name = found.text("repository_name")
        rule = BranchProtection(
            pattern=found.text("pattern"),
            requires_reviews=found.flag("required_pull_request_reviews"),
            reviews_count=found.number("required_approving_review_count"),
            requires_code_owner_reviews=found.flag("require_code_owner_reviews"),
            requires_status_checks=found.flag("requires_status_checks"),
            lock=found.flag("lock_branch"),
            enforce_admins=found.flag("enforce_admins"),
            restricts_pushes=found.flag("push_restrictions"),
            blocks_creations=found.flag("blocks_creations"),
            allows_force_pushes=found.flag("allows_force_pushes"),
            allows_deletions=found.flag("allows_deletions"),
            review_bypass=_list_actors(
                index, node.id, "GH_BypassPullRequestAllowances"
            ),
            push_allowances=_list_actors(index, node.id, "GH_RestrictionsCanPush"),
            place=f"{index.place}#{node.id}",
        )
        known = builder.get_repository(name).protections or ()
        builder.update_repository(name, protections=(*known, rule))


def _list_actors(index: GraphIndex, rule: str, kind: str) -> tuple[str, ...]:
    """List the actors with an allowance of a rule."""
    return tuple(
        f"user/{NodeProperties(each.properties).text('login').lower()}"
        if each.kinds[0] == "GH_User"
        else f"team/{NodeProperties(each.properties).text('slug').lower()}"
        for each in index.find_starts(rule, kind)
    )


def _get_repository_name(index: GraphIndex, found: NodeProperties) -> str:
    """Return the name of the repository that a node belongs to."""
    owner = index.nodes.get(found.text("repository_id"))
    return NodeProperties(owner.properties).text("name") if owner else ""


def _read_environments(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read environments; reviewers are in no export, branches only by name."""
    for node, found in index.list_nodes("GH_Environment"):
        repository = _get_repository_name(index, found)
        place = f"{index.place}#{node.id}"
        if not repository:
            builder.add_problem(place, "the repository of an environment is missing")
            continue
        parts = builder.get_parts(repository)
        environments = parts.environments = parts.environments or {}
        name = found.text("short_name")
        environments[name] = Environment(
            name=name,
            admins_bypass=found.raw.get("can_admins_bypass") is not False,
            secrets=tuple(
                redact_name(NodeProperties(each.properties).text("name"))
                for each in index.find_ends(node.id, "GH_Contains")
            ),
            place=place,
            protection_collected=False,
        )


def _read_workflows(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read workflows with their contents."""
    for node, found in index.list_nodes("GH_Workflow"):
        repository = _get_repository_name(index, found)
        place = f"{index.place}#{node.id}"
        path, branch = found.text("path"), found.text("branch")
        if not repository:
            builder.add_problem(place, "the repository of a workflow is missing")
            continue
        parts = builder.get_parts(repository)
        workflows = parts.workflows = parts.workflows or {}
        workflows[path, branch] = Workflow(
            path,
            branch,
            (),
            place=place,
            contents_collected=False,
            disabled=found.text("state") != "active",
        )
        if contents := found.text("contents"):
            data = contents.encode()
            add_workflow_file(builder, repository, path, branch, data, place)


NODE_READERS: tuple[NodeReader, ...] = (
    _read_repositories,
    _read_repository_roles,
    _read_protections,
    _read_environments,
    _read_workflows,
)
