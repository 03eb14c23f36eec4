"""Convert an inventory to a CycloneDX 1.6 bill of materials.

Source: https://cyclonedx.org/docs/1.6/json/. Agents are applications, servers are
services, packages that they start are libraries, and credentials are cryptographic
assets; no value of a credential is in it.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from answerable.export.document_fields import (
    Item,
    get_list,
    get_owner,
    iterate_objects,
)

SPECIFICATION = "1.6"
_REMOTE = ("http", "sse")
_MATERIAL = {
    "password": "password",
    "private-key": "private-key",
    "bearer-token": "token",
    "oauth-token": "token",
    "github-token": "token",
    "npm-token": "token",
}
# `npx -y @scope/name@1.2.3`, `uvx name==1.2.3`: the package that a command starts.
_NPM = re.compile(r"(?:^|/)npx\s+(?:-\S+\s+)*((?:@[\w.-]+/)?[\w.-]+)(?:@([\w.^~-]+))?")
_PYPI = re.compile(r"(?:^|/)uvx\s+(?:-\S+\s+)*([\w.-]+)(?:(?:==|@)([\w.]+))?")


def build_cyclonedx(
    agents: Iterable[Item],
    credentials: Iterable[Item],
    identities: Iterable[Item],
    *,
    timestamp: str,
    version: str,
) -> Mapping[str, object]:
    """Build the bill of materials.

    Args:
        agents: Items of the document `agents`; the others likewise.
        timestamp: RFC 3339 UTC.
        version: Version of this product.
    """
    components: dict[str, Item] = {}
    services: dict[str, Item] = {}
    depends: dict[str, set[str]] = {}
    for each in identities:
        _add_component(components, each, "data", f"identity of kind {each['kind']}")
    for each in credentials:
        kind = _MATERIAL.get(str(each["kind"]), "credential")
        component = _add_component(
            components, each, "cryptographic-asset", str(each["kind"])
        )
        component["cryptoProperties"] = {
            "assetType": "related-crypto-material",
            "relatedCryptoMaterialProperties": {"type": kind},
        }
        if each["identity"]:
            depends.setdefault(str(each["id"]), set()).add(str(each["identity"]))
    for each in agents:
        _add_component(components, each, "application", f"agent of kind {each['kind']}")
        used = depends.setdefault(str(each["id"]), set())
        used.update(str(one) for one in get_list(each, "identities"))
        for tool in iterate_objects(each, "tools"):
            service = _build_service(tool)
            services[str(service["bom-ref"])] = service
            used.add(str(service["bom-ref"]))
            used.update(str(one["id"]) for one in iterate_objects(tool, "credentials"))
            package = _find_package(str(tool["target"]))
            if package is not None:
                components[str(package["bom-ref"])] = package
                held = depends.setdefault(str(service["bom-ref"]), set())
                held.add(str(package["bom-ref"]))
    known = {*components, *services}
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {
            "timestamp": timestamp,
            "tools": {
                "components": [
                    {"type": "application", "name": "answerable", "version": version}
                ]
            },
        },
        "components": list(components.values()),
        "services": list(services.values()),
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(on & known)}
            for ref, on in sorted(depends.items())
        ],
    }


def _add_component(
    components: dict[str, Item], item: Item, kind: str, description: str
) -> dict[str, object]:
    """Add a component with its owner."""
    key = str(item["id"])
    person = get_owner(item)
    component: dict[str, object] = {
        "type": kind,
        "bom-ref": key,
        "name": str(item.get("name") or key),
        "description": description,
    }
    if person:
        component["properties"] = [{"name": "answerable:owner", "value": person}]
    components[key] = component
    return component


def _build_service(tool: Item) -> Item:
    """Build the service of a tool; a remote one has its URL."""
    service: dict[str, object] = {
        "bom-ref": f"{tool['id']} {tool['target']}",
        "name": str(tool["server"]),
        "description": f"{tool['transport']} {tool['target']}",
    }
    if tool["transport"] in _REMOTE:
        service["endpoints"] = [quote(str(tool["target"]), safe=":/?&=%#.-_~@*")]
    return service


def _find_package(target: str) -> Item | None:
    """Find the package that a command starts; None if it names none."""
    for ecosystem, pattern in (("npm", _NPM), ("pypi", _PYPI)):
        found = pattern.search(target)
        if found is None:
            continue
        name, version = found.group(1), found.group(2) or ""
        purl = f"pkg:{ecosystem}/{quote(name, safe='/')}"
        purl += f"@{quote(version)}" if version else ""
        package = {"type": "library", "bom-ref": purl, "name": name, "purl": purl}
        return {**package, "version": version} if version else package
    return None
