"""Read projects, folders, service accounts, keys, pools, workloads and agents."""

from collections.abc import Iterator

from answerable.connectors.formats.document_node import RawValue
from answerable.connectors.formats.google_api_responses import (
    RawObject,
    get_text,
    get_value,
    list_texts,
    read_role,
)
from answerable.connectors.gcp.parse.estate_builder import (
    EstateBuilder,
    GeminiAgent,
    ReasoningEngine,
    ServiceAccountKey,
)
from answerable.model.google_cloud_ids import (
    expand_resource_name,
    get_container,
    is_service_account,
)
from answerable.reach.gcp.catalogue import (
    GooglePoolProvider,
    GoogleResource,
    GoogleServiceAccount,
    GoogleTag,
)

_CONTAINER_KIND = "cloudresourcemanager.googleapis.com/"
_ACCOUNT_FIELDS = frozenset(
    str.split(
        "serviceAccount serviceAccountEmail serviceAccountName serviceAccountAddress "
        "service_account email"
    )
)
_DEFINITION = ("AgentDefinition", "agent_definition")
_ENGINE = "aiplatform.googleapis.com/ReasoningEngine"
_PARENT_KINDS = {"organization": "organizations", "folder": "folders"}
_MAX_DEPTH = 12


def read_asset(builder: EstateBuilder, raw: RawObject, place: str) -> None:
    """Read an asset of Cloud Asset Inventory with its resource."""
    name, kind = get_text(raw, "name"), get_text(raw, "assetType")
    resource = get_value(raw, "resource")
    data = get_value(resource, "data")
    fields = data if isinstance(data, dict) else {}
    builder.add_ancestors(name, list_texts(raw, "ancestors"))
    reader = _READERS.get(kind.rpartition("/")[2])
    if reader is not None and kind.startswith((_CONTAINER_KIND, "iam.")):
        reader(builder, fields, name, place)
        return
    builder.collected.add("resources")
    parent = get_text(resource, "parent")
    project = get_text(raw, "project")
    if not parent and project and "/projects/" not in name:
        parent = project
    accounts = tuple(dict.fromkeys(_find_accounts(fields)))
    builder.add_resource(
        GoogleResource(
            name, kind, expand_resource_name(parent) if parent else "", runs_as=accounts
        )
    )
    if kind == _ENGINE:
        _read_engine(builder, fields, name, place)


def read_ancestors(builder: EstateBuilder, raw: RawObject) -> None:
    """Read the place of an asset in the hierarchy."""
    builder.add_ancestors(get_text(raw, "name"), list_texts(raw, "ancestors"))


def _find_accounts(raw: RawValue, depth: int = 0) -> Iterator[str]:
    """Yield the addresses of service accounts in the fields that attach them."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(raw, dict):
        for key, value in raw.items():
            if isinstance(value, str):
                address = value.rpartition("/")[2].lower()
                if key in _ACCOUNT_FIELDS and is_service_account(address):
                    yield address
            else:
                yield from _find_accounts(value, depth + 1)
    elif isinstance(raw, list):
        for each in raw:
            yield from _find_accounts(each, depth + 1)


def _read_engine(
    builder: EstateBuilder, fields: RawObject, name: str, place: str
) -> None:
    """Read an agent of Vertex AI Agent Engine.

    Source: https://docs.cloud.google.com/agent-builder/agent-engine/set-up: it runs as
    `spec.serviceAccount`, or its agent identity, or the service agent of the project.
    """
    spec = get_value(fields, "spec")
    runs_as = get_text(spec, "serviceAccount", "effectiveIdentity").lower()
    if runs_as and not is_service_account(runs_as):
        runs_as = f"principal://{runs_as.removeprefix('principal://')}"
    project = name.partition("/projects/")[2].partition("/")[0]
    title = get_text(fields, "displayName") or name.rpartition("/")[2]
    own = get_text(spec, "identityType") == "AGENT_IDENTITY"
    builder.engines.append(ReasoningEngine(name, title, runs_as, project, place, own))


def read_gemini_agent(
    builder: EstateBuilder, raw: RawObject, name: str = "", place: str = ""
) -> None:
    """Read an agent of a Gemini Enterprise app.

    Source: https://docs.cloud.google.com/gemini/enterprise/docs/reference/rest/v1alpha/projects.locations.collections.engines.assistants.agents
    """
    form = next((each for each in raw if each.endswith(_DEFINITION)), "")
    engine = get_value(raw, form, "provisionedReasoningEngine") if form else None
    own = get_text(raw, "name")
    builder.gemini_agents[own] = GeminiAgent(
        own,
        get_text(raw, "displayName") or own.rpartition("/")[2],
        form,
        get_text(engine, "reasoningEngine"),
        get_text(raw, "state") in ("DISABLED", "SUSPENDED"),
        place,
    )


def read_container(
    builder: EstateBuilder, raw: RawObject, name: str = "", place: str = ""
) -> None:
    """Read a project, folder or organization."""
    project = get_text(raw, "projectId")
    own = get_text(raw, "name")
    number = get_text(raw, "projectNumber")
    if project:
        full = expand_resource_name(f"projects/{project}")
        number = number or own.removeprefix("projects/")
    else:
        full = name or expand_resource_name(own)
    kind, _ = get_container(full)
    if not kind:
        return
    parent = get_value(raw, "parent")
    text = parent if isinstance(parent, str) else ""
    if isinstance(parent, dict):
        word = get_text(parent, "type")
        text = f"{_PARENT_KINDS.get(word, word)}/{get_text(parent, 'id')}"
    title = get_text(raw, "displayName")
    owner = get_text(get_value(raw, "owner"), "directoryCustomerId")
    is_organization = kind == "organizations"
    builder.add_resource(
        GoogleResource(
            full,
            kind=f"{_CONTAINER_KIND}{kind[:-1].capitalize()}",
            parent=expand_resource_name(text) if text else "",
            number=number if number.isdigit() else "",
            domain=title.lower() if is_organization and "." in title else "",
            customer=owner or get_text(raw, "directoryCustomerId"),
            is_root=is_organization
            or (kind == "projects" and bool(project) and not text),
        )
    )


def read_account(
    builder: EstateBuilder, raw: RawObject, name: str = "", place: str = ""
) -> None:
    """Read a service account."""
    builder.collected.add("service-accounts")
    email = get_text(raw, "email").lower()
    path = get_text(raw, "name") or name
    project = get_text(raw, "projectId")
    project = project or path.partition("projects/")[2].partition("/")[0]
    if is_service_account(email):
        builder.accounts[email] = GoogleServiceAccount(
            email,
            project,
            get_text(raw, "uniqueId"),
            raw.get("disabled") is True,
            place,
            get_text(raw, "displayName"),
        )


def read_key(
    builder: EstateBuilder, raw: RawObject, name: str = "", place: str = ""
) -> None:
    """Read a key of a service account; Google's own keys never leave it."""
    builder.collected.add("service-account-keys")
    path = get_text(raw, "name") or name
    account, _, key = path.partition("/serviceAccounts/")[2].partition("/keys/")
    if key and get_text(raw, "keyType") != "SYSTEM_MANAGED":
        builder.keys.append(
            ServiceAccountKey(
                account.lower(),
                key,
                get_text(raw, "validAfterTime"),
                get_text(raw, "validBeforeTime"),
                raw.get("disabled") is True,
                place,
            )
        )


def read_pool(
    builder: EstateBuilder, raw: RawObject, name: str = "", place: str = ""
) -> None:
    """Read a workload identity pool."""
    builder.collected.add("workload-pools")
    path = _strip_host(get_text(raw, "name") or name)
    if _is_disabled(raw):
        builder.disabled_pools.append(path)


def read_provider(
    builder: EstateBuilder, raw: RawObject, name: str = "", place: str = ""
) -> None:
    """Read a provider of a workload identity pool."""
    builder.collected.add("workload-pools")
    path = _strip_host(get_text(raw, "name") or name)
    mapping = get_value(raw, "attributeMapping")
    pairs = mapping.items() if isinstance(mapping, dict) else ()
    oidc = get_value(raw, "oidc")
    builder.providers[path] = GooglePoolProvider(
        path,
        path.partition("/providers/")[0],
        issuer=get_text(oidc, "issuerUri"),
        aws_account=get_text(get_value(raw, "aws"), "accountId"),
        audiences=list_texts(oidc, "allowedAudiences"),
        mapping=tuple((key, value) for key, value in pairs if isinstance(value, str)),
        condition=get_text(raw, "attributeCondition"),
        disabled=_is_disabled(raw),
    )


def _strip_host(name: str) -> str:
    """Return a name without the host of its service."""
    return name.removeprefix("//iam.googleapis.com/")


def _is_disabled(raw: RawObject) -> bool:
    """Return whether a pool or provider is disabled or deleted."""
    return raw.get("disabled") is True or get_text(raw, "state") == "DELETED"


def read_asset_role(
    builder: EstateBuilder, raw: RawObject, name: str = "", place: str = ""
) -> None:
    """Read a custom role of an asset."""
    builder.collected.add("custom-roles")
    role = read_role({**raw, "name": get_text(raw, "name") or name})
    if role is not None:
        builder.roles[role.name] = role


def read_tag_binding(
    builder: EstateBuilder, raw: RawObject, name: str = "", place: str = ""
) -> None:
    """Read the asset of a tag binding, which may name its value by id alone."""
    builder.collected.add("tags")
    spelled = get_text(raw, "tagValueNamespacedName")
    key, _, value = spelled.rpartition("/")
    resource = get_text(raw, "parent")
    if resource:
        builder.tags.append(GoogleTag(resource, key, value, get_text(raw, "tagValue")))


def read_tag_value(
    builder: EstateBuilder, raw: RawObject, name: str = "", place: str = ""
) -> None:
    """Read the asset of a tag value: its id and its namespaced name."""
    builder.tag_values[get_text(raw, "name")] = get_text(raw, "namespacedName")


_READERS = {
    "Project": read_container,
    "Folder": read_container,
    "Organization": read_container,
    "ServiceAccount": read_account,
    "ServiceAccountKey": read_key,
    "WorkloadIdentityPool": read_pool,
    "WorkloadIdentityPoolProvider": read_provider,
    "Role": read_asset_role,
    "TagBinding": read_tag_binding,
    "TagValue": read_tag_value,
}
