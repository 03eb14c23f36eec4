"""Parse Terraform plans (`terraform show -json PLAN`): IAM and RBAC resources.

Source: https://developer.hashicorp.com/terraform/internals/json-format; resources of
https://registry.terraform.io/providers/hashicorp/aws/latest/docs and
https://registry.terraform.io/providers/hashicorp/kubernetes/latest/docs. What the plan
knows only after the apply is resolved by the references of its configuration.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from answerable.connectors.formats.terraform_changes import (
    JsonObject,
    ResourceState,
    complete_states,
    get_nested_object,
    iterate_objects,
    list_resource_changes,
)
from answerable.model.errors import ParseError

NO_ACCOUNT = "000000000000"
_VERSION = "1."
# Types whose permissions are compared, by prefix of the provider.
AWS_TYPES = frozenset(
    str.split(
        "aws_iam_role aws_iam_role_policy aws_iam_role_policy_attachment aws_iam_policy "
        "aws_iam_user aws_iam_user_policy aws_iam_user_policy_attachment aws_iam_group "
        "aws_iam_group_policy aws_iam_group_policy_attachment aws_iam_group_membership "
        "aws_iam_user_group_membership aws_iam_policy_attachment"
    )
)
# Words in the name of a type that may grant access without being compared.
_ACCESS_WORDS = frozenset(
    str.split(
        "iam policy policies permission permissions grant grants access role member "
        "members membership binding assignment collaborator manifest helm"
    )
)


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """Resource of a plan or of its prior state.

    Attributes:
        address: `module.a.aws_iam_role.deployer`.
        type: `aws_iam_role`.
        values: Known values.
        references: Addresses that each value refers to, without indexes.
    """

    address: str
    type: str
    values: JsonObject
    references: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a value that is text; empty if it is not known."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """Return the texts of a list; empty if it is not known."""
        value = self.values.get(name)
        items = value if isinstance(value, list) else []
        return [each for each in items if isinstance(each, str)]

    def blocks(self, name: str) -> list[JsonObject]:
        """Return the blocks of a list."""
        value = self.values.get(name)
        items = value if isinstance(value, list) else []
        return [each for each in items if isinstance(each, dict)]


@dataclass(frozen=True, slots=True)
class TerraformPlan:
    """Resources of a plan, before and after it is applied.

    Attributes:
        uncompared: Addresses with changes that may grant access and are not compared, and
            parts of the plan that are missing.
    """

    before: tuple[PlannedResource, ...]
    after: tuple[PlannedResource, ...]
    uncompared: tuple[str, ...]


def parse_terraform_plan(data: bytes) -> TerraformPlan:
    """Parse the JSON of a plan.

    Raises:
        ParseError: It is not the JSON of a plan, or of another major version.
    """
    try:
        plan = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        kind = "a binary file" if b"\0" in data[:4096] else "not JSON"
        expected = "expected the output of terraform show -json"
        raise ParseError(f"{kind} ({expected})") from None
    if not isinstance(plan, dict) or "planned_values" not in plan:
        raise ParseError("not a Terraform plan: it has no planned_values")
    version = str(plan.get("format_version", ""))
    if not version.startswith(_VERSION):
        raise ParseError(f"format_version {version[:20]!r} (expected {_VERSION}x)")
    references = dict(
        _iterate_references(get_nested_object(plan, "configuration", "root_module"))
    )
    prior = get_nested_object(plan, "prior_state", "values", "root_module")
    planned = get_nested_object(plan, "planned_values", "root_module")
    changes = list_resource_changes(plan)
    before, after, missing = complete_states(
        dict(_iterate_resources(prior)), dict(_iterate_resources(planned)), changes
    )
    changed = (
        each for each in changes if each.is_change and not _is_compared(each.type)
    )
    uncompared = {
        each.address for each in (*missing, *changed) if _may_grant_access(each.type)
    }
    return TerraformPlan(
        _build_resources(before, references),
        _build_resources(after, references),
        (*sorted(uncompared), *_list_missing_parts(plan)),
    )


def _list_missing_parts(plan: JsonObject) -> Iterator[str]:
    """Name the parts that a plan states as missing.

    Source: https://developer.hashicorp.com/terraform/internals/json-format, `errored`,
    `complete` and `deferred_changes`. `-target` also makes a plan incomplete.
    """
    if plan.get("errored") is True:
        yield "resources of a plan that ended with an error"
    elif plan.get("complete") is False:
        yield "resources of a plan that is not complete"
    if not isinstance(plan.get("resource_changes", []), list):
        yield "resource_changes"


def _iterate_resources(module: JsonObject) -> Iterator[tuple[str, ResourceState]]:
    """Yield the managed resources of a module and of its child modules, by address."""
    for each in iterate_objects(module, "resources"):
        values, address = each.get("values"), str(each.get("address", ""))
        if each.get("mode") == "managed" and isinstance(values, dict):
            yield address, ResourceState(str(each.get("type", "")), values)
    for child in iterate_objects(module, "child_modules"):
        yield from _iterate_resources(child)


def _build_resources(
    state: Mapping[str, ResourceState],
    references: Mapping[str, Mapping[str, Sequence[str]]],
) -> tuple[PlannedResource, ...]:
    """Build the resources of a state, with what their values refer to."""
    return tuple(
        PlannedResource(
            address,
            each.type,
            each.values,
            references.get(_drop_indexes(address), {}),
        )
        for address, each in state.items()
    )


def _iterate_references(
    module: JsonObject, prefix: str = ""
) -> Iterator[tuple[str, Mapping[str, Sequence[str]]]]:
    """Yield the address of each configured resource, with what its values refer to."""
    for each in iterate_objects(module, "resources"):
        found: dict[str, list[str]] = {}
        for name, value in get_nested_object(each, "expressions").items():
            texts = value.get("references") if isinstance(value, dict) else None
            found[name] = [
                prefix + ".".join(str(text).split(".")[:2])
                for text in (texts if isinstance(texts, list) else ())
            ]
        yield prefix + str(each.get("address", "")), found
    for name, call in get_nested_object(module, "module_calls").items():
        yield from _iterate_references(
            get_nested_object(call, "module"), f"{prefix}module.{name}."
        )


def _drop_indexes(address: str) -> str:
    """Return an address without `[0]` and `["key"]`."""
    parts: list[str] = []
    depth = 0
    for letter in address:
        depth += letter == "["
        if not depth:
            parts.append(letter)
        depth -= letter == "]"
    return "".join(parts)


def _is_compared(kind: str) -> bool:
    """Return whether the permissions of a type are compared."""
    return kind in AWS_TYPES or kind.startswith("kubernetes_")


def _may_grant_access(kind: str) -> bool:
    """Return whether a type may grant access, by its name."""
    account = kind.startswith("kubernetes_service_account")
    return account or not _ACCESS_WORDS.isdisjoint(kind.split("_"))
