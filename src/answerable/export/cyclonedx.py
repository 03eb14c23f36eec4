"""Convert an inventory to a CycloneDX 1.6 bill of materials.

Source: https://cyclonedx.org/docs/1.6/json/. Agents are applications, servers are
services, packages that they start are libraries, and credentials are cryptographic
assets; no value of a credential is in it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
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
    """Build the bill of materials, whose lists are built while they are read, in order.

    Args:
        agents: Items of the document `agents`; the others likewise. They are iterated
            twice.
        timestamp: RFC 3339 UTC.
        version: Version of this product.
    """
    relations = _Relations()
    for each in credentials:
        relations.add_credential(each)
    for each in agents:
        relations.add_agent(each)

    def iterate_components() -> Iterator[Item]:
        for each in identities:
            yield _build_component(each, "data", f"identity of kind {each['kind']}")
            relations.mark_known(str(each["id"]))
        for each in credentials:
            yield _build_credential(each)
        for each in agents:
            kind = f"agent of kind {each['kind']}"
            yield _build_component(each, "application", kind)
        yield from relations.packages.values()

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
        "components": iterate_components(),
        "services": iter(relations.services.values()),
        "dependencies": relations.iterate_dependencies(),
    }


class _Relations:
    """Dependencies of credentials and agents, and services and packages of agents."""

    def __init__(self) -> None:
        self.services: dict[str, Item] = {}
        self.packages: dict[str, Item] = {}
        self._depends: dict[str, set[str]] = {}
        self._wanted: set[str] = set()
        self._known: set[str] = set()

    def add_credential(self, item: Item) -> None:
        """Add a credential with the identity that it proves."""
        key = str(item["id"])
        self._known.add(key)
        if item["identity"]:
            self._add(key, str(item["identity"]))

    def add_agent(self, item: Item) -> None:
        """Add an agent with its identities, its tools and their packages."""
        key = str(item["id"])
        self._known.add(key)
        self._add(key, *map(str, get_list(item, "identities")))
        for tool in iterate_objects(item, "tools"):
            service = _build_service(tool)
            name = str(service["bom-ref"])
            self.services[name] = service
            self._known.add(name)
            held = (str(one["id"]) for one in iterate_objects(tool, "credentials"))
            self._add(key, name, *held)
            package = _find_package(str(tool["target"]))
            if package is not None:
                reference = str(package["bom-ref"])
                self.packages[reference] = package
                self._known.add(reference)
                self._add(name, reference)

    def _add(self, key: str, *needed: str) -> None:
        """Add what something depends on."""
        self._depends.setdefault(key, set()).update(needed)
        self._wanted.update(needed)

    def mark_known(self, identity: str) -> None:
        """Note that an identity is a component, if something depends on it."""
        if identity in self._wanted:
            self._known.add(identity)

    def iterate_dependencies(self) -> Iterator[Item]:
        """Yield the dependencies, after all components."""
        for key, needed in sorted(self._depends.items()):
            yield {"ref": key, "dependsOn": sorted(needed & self._known)}


def _build_credential(item: Item) -> Item:
    """Build the component of a credential."""
    kind = _MATERIAL.get(str(item["kind"]), "credential")
    return {
        **_build_component(item, "cryptographic-asset", str(item["kind"])),
        "cryptoProperties": {
            "assetType": "related-crypto-material",
            "relatedCryptoMaterialProperties": {"type": kind},
        },
    }


def _build_component(item: Item, kind: str, description: str) -> Item:
    """Build a component with its owner."""
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
