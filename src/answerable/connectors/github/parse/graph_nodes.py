"""Read the nodes of a graph export about the organization, with their edges."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from answerable.connectors.formats.redaction import redact_name
from answerable.connectors.github.parse.graph_index import (
    GraphIndex,
    GraphNode,
    NodeProperties,
)
from answerable.connectors.github.parse.organization_builder import OrganizationBuilder
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.reach.github.catalogue import (
    ROLES,
    AccessToken,
    AppInstallation,
    Member,
    OrganizationRole,
    SharedSecret,
    Team,
)

# Kinds that an export holds completely. Rulesets, deploy keys, runner groups, reviewers
# of environments, CODEOWNERS and OIDC templates are in none.
COVERED_KINDS = (
    "organization",
    "members",
    "teams",
    "organization-roles",
    "repository-roles",
    "repositories",
    "collaborators",
    "repository-teams",
    "branches",
    "branch-protections",
    "secrets",
    "workflows",
    "installations",
    "fine-grained-tokens",
)
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ROLE_EDGES = frozenset(("GH_HasBaseRole", "GH_HasRole", "GH_MemberOf", "GH_AddMember"))
NodeReader = Callable[[OrganizationBuilder, GraphIndex], None]


def get_role_name(properties: NodeProperties) -> str:
    """Return the short name of a role: custom organization roles have a long one only."""
    stated = properties.text("short_name")
    return stated or properties.text("name").rpartition("/")[2]


def list_permissions(index: GraphIndex, role: str) -> tuple[str, ...]:
    """List the permissions that a role's edges grant, as the REST API names them."""
    kinds = {e.kind for e in index.starting.get(role, ()) if e.kind not in _ROLE_EDGES}
    names = (_WORD.sub("_", kind.removeprefix("GH_")).lower() for kind in kinds)
    return tuple(sorted(names))


def _read_settings(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read the organization's settings."""
    for _, found in index.list_nodes("GH_Organization"):
        builder.settings = replace(
            builder.settings,
            base_role=found.text("default_repository_permission"),
            default_token_permission=found.text("default_workflow_permissions"),
        )


def _read_organization_roles(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read the organization roles with the repository role that each includes."""
    for node, found in index.list_nodes("GH_OrgRole"):
        name = get_role_name(found)
        if name in ("owners", "members"):
            continue
        roles = {
            get_role_name(NodeProperties(each.properties))
            for kind in ("GH_HasBaseRole", "GH_HasRole")
            for holder in _iter_base_roles(index, node)
            for each in index.find_ends(holder.id, kind)
            if each.kinds[0] == "GH_RepoRole"
        }
        builder.organization_roles[name] = OrganizationRole(
            name,
            list_permissions(index, node.id),
            max(roles & set(ROLES), key=ROLES.index, default=""),
        )


def _iter_base_roles(index: GraphIndex, node: GraphNode) -> Iterator[GraphNode]:
    """Yield an organization role and the roles that it is based on."""
    seen = {node.id}
    stack = [node]
    while stack:
        role = stack.pop()
        yield role
        for each in index.find_ends(role.id, "GH_HasBaseRole"):
            if each.kinds[0] == "GH_OrgRole" and each.id not in seen:
                seen.add(each.id)
                stack.append(each)


def _read_users(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read users: members by their organization role, others are outsiders."""
    for node, found in index.list_nodes("GH_User"):
        held = [
            get_role_name(NodeProperties(each.properties))
            for each in index.find_ends(node.id, "GH_HasRole")
            if each.kinds[0] == "GH_OrgRole"
        ]
        role = "owner" if "owners" in held else "member" if held else "outside"
        builder.add_member(
            Member(
                login=found.text("login").lower(),
                role=role,
                email=found.text("email"),
                organization_roles=tuple(
                    each for each in held if each not in ("owners", "members")
                ),
                place=f"{index.place}#{node.id}",
            )
        )


def _read_teams(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read teams with parents, members and organization roles."""
    for node, found in index.list_nodes("GH_Team"):
        parents = [
            NodeProperties(each.properties).text("slug").lower()
            for each in index.find_ends(node.id, "GH_MemberOf")
            if each.kinds[0] == "GH_Team"
        ]
        members: dict[str, str] = {}
        for role in index.find_starts(node.id, "GH_MemberOf"):
            if role.kinds[0] != "GH_TeamRole":
                continue
            name = get_role_name(NodeProperties(role.properties)).removesuffix("s")
            for user in index.find_starts(role.id, "GH_HasRole"):
                login = NodeProperties(user.properties).text("login").lower()
                if members.get(login) != "maintainer":
                    members[login] = name
        builder.teams[found.text("slug").lower()] = Team(
            slug=found.text("slug").lower(),
            parent=parents[0] if parents else "",
            members=tuple(sorted(members.items())),
            organization_roles=tuple(
                get_role_name(NodeProperties(each.properties))
                for each in index.find_ends(node.id, "GH_HasRole")
                if each.kinds[0] == "GH_OrgRole"
            ),
            place=f"{index.place}#{node.id}",
        )


def _read_secrets(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read the organization's secrets with the repositories that may use them."""
    for node, found in index.list_nodes("GH_OrgSecret"):
        users = tuple(
            NodeProperties(each.properties).text("name")
            for each in index.find_starts(node.id, "GH_HasSecret")
        )
        name = redact_name(found.text("name"))
        builder.secrets[name] = SharedSecret(
            name, found.text("visibility"), users, f"{index.place}#{node.id}"
        )


def _read_installations(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read installations; the export's `app_id` is the id of the installation."""
    apps = {p.text("client_id"): p for _, p in index.list_nodes("GH_App")}
    for node, found in index.list_nodes("GH_AppInstallation"):
        slug = found.text("app_slug").lower()
        app = apps.get(found.text("client_id"))
        permissions = found.parse_json_object("permissions")
        builder.installations[slug] = AppInstallation(
            slug=slug,
            app_id=app.number("id") if app else 0,
            permissions=tuple(sorted((str(k), str(v)) for k, v in permissions.items())),
            selection=found.text("repository_selection"),
            suspended=bool(found.text("suspended_at")),
            installation_id=found.number("app_id"),
            created_at=found.time("created_at"),
            place=f"{index.place}#{node.id}",
        )
        if app and app.text("owner_login"):
            owner = (app.text("owner_login").lower(), app.text("owner_type"))
            builder.app_owners[slug] = owner


def _read_tokens(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Read fine-grained personal access tokens and requests."""
    kinds = ("GH_PersonalAccessToken", "GH_PersonalAccessTokenRequest")
    for kind in kinds:
        for node, found in index.list_nodes(kind):
            number = node.id.rpartition("_")[2]
            key = int(number) if number.isdigit() else found.number("token_id")
            groups = found.parse_json_object("permissions").values()
            pairs = {
                (str(name), str(access))
                for group in groups
                if isinstance(group, dict)
                for name, access in group.items()
            }
            builder.tokens[key] = AccessToken(
                id=key,
                owner=found.text("owner_login").lower(),
                permissions=tuple(sorted(pairs)),
                selection=found.text("repository_selection"),
                name=redact_name(found.text("token_name"))
                if found.text("token_name")
                else "",
                pending=kind != kinds[0],
                expires_at=found.time("token_expires_at"),
                last_used_at=found.time("token_last_used_at"),
                place=f"{index.place}#{node.id}",
                token_id=found.number("token_id"),
                expired=found.flag("token_expired"),
            )


def _report_unknown_ends(builder: OrganizationBuilder, index: GraphIndex) -> None:
    """Add one problem per kind of edge whose end is not in the export."""
    found: dict[str, int] = {}
    for edges in index.starting.values():
        for edge in edges:
            if not {edge.start.value, edge.end.value} <= index.nodes.keys():
                found[edge.kind] = found.get(edge.kind, 0) + 1
    for kind, count in found.items():
        what = f"{count} edges of {kind} refer to a node that is not in the export"
        builder.problems.append(
            ReadProblem(ReadProblemKind.UNREADABLE, index.place, what)
        )


NODE_READERS: tuple[NodeReader, ...] = (
    _read_settings,
    _read_organization_roles,
    _read_users,
    _read_teams,
    _read_secrets,
    _read_installations,
    _read_tokens,
    _report_unknown_ends,
)
