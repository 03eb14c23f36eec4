"""Read pod specifications: service account, secrets by name, and security facts.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from collections.abc import Iterator, Mapping

from answerable.connectors.kubernetes.parse.object_fields import (
    ContainerFields,
    PodSpec,
    SecurityContext,
    Volume,
)
from answerable.reach.kubernetes.catalogue import Container, HostMount

_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
_NO_CONTEXT = SecurityContext()


def get_service_account_name(spec: PodSpec) -> str:
    """Return the service account of a pod; `serviceAccount` is its older name."""
    return spec.service_account_name or spec.service_account or "default"


def list_pull_secrets(spec: PodSpec) -> tuple[str, ...]:
    """List the image pull secrets of a pod by name."""
    return tuple(each.name for each in spec.image_pull_secrets or () if each.name)


def build_containers(spec: PodSpec, *, admitted: bool) -> tuple[Container, ...]:
    """Build the containers of a pod, init and ephemeral ones included.

    Args:
        spec: Specification of the pod.
        admitted: Whether it is a pod of the API server: admission has added the token
            volume then, so a pod without one has no token.
    """
    volumes = {each.name: each for each in spec.volumes or ()}
    every = (
        *(spec.containers or ()),
        *(spec.init_containers or ()),
        *(spec.ephemeral_containers or ()),
    )
    return tuple(_build_container(each, spec, volumes, admitted) for each in every)


def _build_container(
    fields: ContainerFields,
    spec: PodSpec,
    volumes: Mapping[str, Volume],
    admitted: bool,
) -> Container:
    """Build one container."""
    context = fields.security_context or _NO_CONTEXT
    pod_context = spec.security_context or _NO_CONTEXT
    added = (context.capabilities.add if context.capabilities else None) or ()
    return Container(
        name=fields.name,
        image=fields.image,
        privileged=bool(context.privileged),
        privilege_escalation=context.allow_privilege_escalation,
        capabilities=tuple(sorted(each.removeprefix("CAP_") for each in added)),
        run_as_root=_find_root_use(context, pod_context),
        secrets=tuple(sorted(set(_iter_secret_names(fields, volumes)))),
        host_mounts=tuple(
            HostMount(volume.host_path.path, bool(mount.read_only))
            for mount in fields.volume_mounts or ()
            if (volume := volumes.get(mount.name)) and volume.host_path
        ),
        tokens_mounted=_has_token(fields, spec, volumes, admitted),
    )


def _find_root_use(context: SecurityContext, pod: SecurityContext) -> bool | None:
    """Return whether a container runs as root; None where its image decides."""
    user = context.run_as_user if context.run_as_user is not None else pod.run_as_user
    if user is not None:
        return user == 0
    forbidden = context.run_as_non_root
    if forbidden is None:
        forbidden = pod.run_as_non_root
    return False if forbidden else None


def _iter_secret_names(
    fields: ContainerFields, volumes: Mapping[str, Volume]
) -> Iterator[str]:
    """Yield the secrets in the environment and the mounted volumes of a container."""
    for variable in fields.env or ():
        source = variable.value_from.secret_key_ref if variable.value_from else None
        if source and source.name:
            yield source.name
    for each in fields.env_from or ():
        if each.secret_ref and each.secret_ref.name:
            yield each.secret_ref.name
    for mount in fields.volume_mounts or ():
        volume = volumes.get(mount.name)
        if volume is not None:
            yield from _iter_secrets_of_volume(volume)


def _iter_secrets_of_volume(volume: Volume) -> Iterator[str]:
    """Yield the secrets of a volume."""
    if volume.secret and volume.secret.secret_name:
        yield volume.secret.secret_name
    for source in (volume.projected.sources if volume.projected else None) or ():
        if source.secret and source.secret.name:
            yield source.secret.name


def _has_token(
    fields: ContainerFields,
    spec: PodSpec,
    volumes: Mapping[str, Volume],
    admitted: bool,
) -> bool:
    """Return whether a token of the service account is mounted in a container."""
    for mount in fields.volume_mounts or ():
        volume = volumes.get(mount.name)
        sources = (
            volume.projected.sources if volume and volume.projected else ()
        ) or ()
        projected = any(each.service_account_token is not None for each in sources)
        if projected or mount.mount_path.rstrip("/") == _TOKEN_PATH:
            return True
    return not admitted and spec.automount_service_account_token is not False
