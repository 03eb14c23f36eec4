"""Resource hierarchy of Google Cloud: organization, folders, projects, resources.

Source: https://docs.cloud.google.com/resource-manager/docs/cloud-platform-resource-hierarchy,
"IAM policy inheritance": the policies of a resource and of all its ancestors apply.
"""

from answerable.model.google_cloud_ids import (
    get_container,
    get_project_of_service_account,
)
from answerable.reach.gcp.estate_tables import ResourceTables

PROJECTS = "//cloudresourcemanager.googleapis.com/projects/"
_OBJECTS = "/objects/"
_STORAGE = "//storage.googleapis.com/"
_ACCOUNTS = "/serviceAccounts/"


class ResourceTree:
    """Hierarchy of resources, by full resource name with project ids.

    Attributes:
        resources: Collected resources by name.
        children: Collected children of each resource.
    """

    def __init__(self, tables: ResourceTables) -> None:
        self.resources, self.children = tables.resources, tables.children
        self._tables = tables
        self._spelled: dict[str, str] = {}
        self._chains: dict[str, tuple[str, ...]] = {}

    def get_project_id(self, project: str) -> str:
        """Return the id of a project for its id or number."""
        return self._tables.project_ids.get(project, project)

    def get_project_number(self, project: str) -> str:
        """Return the number of a project; empty if it is not known."""
        found = self._tables.project_numbers.get(self.get_project_id(project), "")
        return found or (project if project.isdigit() else "")

    def get_email(self, account: str) -> str:
        """Return the address of a service account for its address or unique id."""
        return self._tables.emails.get(account, account)

    def normalise(self, name: str) -> str:
        """Return a full resource name with project ids and addresses of accounts."""
        found = self._spelled.get(name)
        if found is None:
            found = self._spelled[name] = self._normalise_resource_name(name)
        return found

    def _normalise_resource_name(self, name: str) -> str:
        """Format a full resource name with project ids and addresses of accounts."""
        head, mark, rest = name.partition("/projects/")
        if mark:
            project, slash, tail = rest.partition("/")
            name = f"{head}{mark}{self.get_project_id(project)}{slash}{tail}"
        if _ACCOUNTS in name:
            head, mark, rest = name.partition(_ACCOUNTS)
            account, slash, tail = rest.partition("/")
            email = self.get_email(account).lower()
            if head.endswith("/projects/-"):
                project = self.get_project_id(get_project_of_service_account(email))
                head = f"{head[:-1]}{project}" if project else head
            name = f"{head}{mark}{email}{slash}{tail}"
        return name

    def get_account_resource(self, email: str, project: str) -> str:
        """Return the full resource name of a service account.

        Args:
            project: Its project; empty to derive it from the address.
        """
        return self.normalise(
            f"//iam.googleapis.com/projects/{project or '-'}{_ACCOUNTS}{email}"
        )

    def get_parent(self, name: str) -> str:
        """Return the next ancestor of a resource; empty if none is known."""
        found = self._tables.parents.get(name)
        return found if found is not None else _derive_parent(name)

    def get_chain(self, name: str) -> tuple[str, ...]:
        """Return a resource and its known ancestors, the nearest first."""
        found = self._chains.get(name)
        if found is None:
            parts: dict[str, None] = {}
            at = name
            while at and at not in parts:
                parts[at] = None
                at = self.get_parent(at)
            found = self._chains[name] = tuple(parts)
        return found

    def reaches_root(self, name: str) -> bool:
        """Return whether the chain of a resource ends at an organization or root."""
        last = self.get_chain(name)[-1]
        kind, _ = get_container(last)
        known = self.resources.get(last)
        return kind == "organizations" or (known is not None and known.is_root)

    def contains(self, ancestor: str, name: str) -> bool:
        """Return whether a resource is an ancestor of another, or the same."""
        return ancestor in self.get_chain(name)

    def list_below(self, name: str, kind: str) -> list[str]:
        """List the containers of a kind (`projects`) that are below a resource."""
        found: list[str] = []
        left = [name]
        while left:
            for child in self.children.get(left.pop(), ()):
                own, _ = get_container(child)
                if own:
                    left.append(child)
                    found += (child,) if own == kind else ()
        return found

    def get_project(self, name: str) -> str:
        """Return the project of a resource, as a full resource name."""
        found = (
            each
            for each in self.get_chain(name)
            if get_container(each)[0] == "projects"
        )
        return next(found, "")


def _derive_parent(name: str) -> str:
    """Derive the parent of a resource from its name."""
    if get_container(name)[0]:
        return ""
    if name.startswith(_STORAGE):
        bucket, mark, _ = name.partition(_OBJECTS)
        return bucket if mark else ""
    host, _, path = name.removeprefix("//").partition("/")
    parts = path.split("/")
    # `projects/P/global/networks/N`: a location without an id has no policy.
    above = parts[:-2]
    if len(above) > 3:
        return f"//{host}/{'/'.join(above)}"
    if parts[0] in ("projects", "folders", "organizations") and len(parts) > 2:
        return f"//cloudresourcemanager.googleapis.com/{parts[0]}/{parts[1]}"
    return ""
