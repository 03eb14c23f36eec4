"""Issue a token of a Kubernetes service account (TokenRequest), as the person may.

Source: Kubernetes API reference, TokenRequest: at least 10 minutes; the server may
return another expiry. A token has all permissions of its service account.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import msgspec
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from answerable.model.credential_policy import CredentialPolicy, IssuedCredential
from answerable.model.errors import EnvironmentFailure

_MIN_SECONDS = 600
_KUBECONFIG = "~/.kube/config"  # whatever the agent's environment names
_NOTE = "the token has all permissions of the service account: narrow its roles"


class _TokenClaims(msgspec.Struct):
    """Claim that the audit log of the cluster names as the credential id."""

    jti: str = ""


def issue_service_account_token(policy: CredentialPolicy) -> IssuedCredential:
    """Issue a token of the service account that the policy names.

    Raises:
        EnvironmentFailure: The context does not exist, or the cluster refuses.
    """
    wanted = cast("Mapping[str, Any]", json.loads(policy.document))
    spec: dict[str, object] = {
        "expirationSeconds": max(_MIN_SECONDS, policy.duration),
        "audiences": wanted.get("audiences", []),
    }
    try:
        api = config.new_client_from_config(
            config_file=_KUBECONFIG,
            context=wanted["context"],
            persist_config=False,
        )
        made = client.CoreV1Api(api).create_namespaced_service_account_token(
            wanted["service_account"], wanted["namespace"], {"spec": spec}
        )
    except ConfigException:
        raise EnvironmentFailure(
            f"the kubeconfig has no usable context {wanted['context'][:80]!r}",
            "list the contexts: kubectl config get-contexts",
        ) from None
    except (ApiException, HTTPError, OSError) as error:
        why = getattr(error, "status", None) or type(error).__name__
        raise EnvironmentFailure(
            f"the cluster refused a token of {wanted['service_account']} (got {why})",
            "you need permission to create serviceaccounts/token in its namespace",
        ) from None
    token, until = str(made.status.token), made.status.expiration_timestamp
    jti = _read_token_id(token)
    account = f"{wanted['namespace']}/serviceaccount/{wanted['service_account']}"
    return IssuedCredential(
        fields={"token": token},
        id=f"cred:k8s-jti/{jti}" if jti else "",
        identity=f"k8s:{_find_cluster(wanted['context'])}/{account}",
        expires=int(cast("datetime", until).timestamp()) * 10**9,
        method="k8s:CreateServiceAccountToken",
        parent="",
        notes=(_NOTE,),
    )


def _find_cluster(context: str) -> str:
    """Return the name of the cluster of a context."""
    contexts, _ = config.list_kube_config_contexts(config_file=_KUBECONFIG)
    found: dict[str, Any] = next(
        (each for each in contexts if each.get("name") == context), {}
    )
    return str(found.get("context", {}).get("cluster", context))


def _read_token_id(token: str) -> str:
    """Read the id of a token; empty if it has none. It is not verified here."""
    body = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        data = urlsafe_b64decode(body + "=" * (-len(body) % 4))
        return msgspec.json.decode(data, type=_TokenClaims).jti
    except (ValueError, msgspec.DecodeError):
        return ""
