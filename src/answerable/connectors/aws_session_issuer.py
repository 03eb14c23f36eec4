"""Issue an AWS session that a session policy narrows, from a person's own credential.

Three operations can narrow, by the kind of the credential: `GetScopedCredentials` for
temporary credentials, `AssumeRole` for a role that may be assumed, `GetFederationToken`
for the key of an IAM user. An operation that AWS refuses leaves the next one; the
person's own credential is never handed on.

Source: AWS STS API Reference, the three operations. `GetScopedCredentials` exists at
regional endpoints only, and not for keys of users.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
)
from botocore.parsers import ResponseParserError

from answerable.model.credential_policy import CredentialPolicy, IssuedCredential
from answerable.model.errors import (
    AnswerableError,
    EnvironmentFailure,
    SessionExpired,
    UsageError,
)

_DEFAULT_REGION = "us-east-1"
_MIN_ROLE_SESSION = 900  # seconds; of AssumeRole and GetFederationToken
_MAX_CHAINED_SESSION = 3600  # seconds; of a role assumed from a session
_MAX_FEDERATED_NAME = 32
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=5,
    read_timeout=10,
    user_agent_extra="answerable",
)
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InsufficientSessionLifetime")
_BAD_POLICY = ("MalformedPolicyDocument", "PackedPolicyTooLarge")

_NOT_OFFERED = {"Error": {"Code": "unknown to this version of boto3"}}

SCOPED_NOTE = (
    "AWS logs the session under your own name and ARN; `trace` finds its calls by the "
    "access key id"
)
FEDERATED_NOTE = (
    "a federated session cannot call IAM, or STS except GetCallerIdentity, regardless "
    "of its policy"
)
_UNNAMED_NOTE = (
    "the role does not let you set a source identity: CloudTrail names the agent and "
    "the run, not you"
)
_LONGER_NOTE = (
    f"AWS issues such sessions for at least {_MIN_ROLE_SESSION // 60} minutes"
)

_CHECK_PROFILE = (
    "check ~/.aws/config and ~/.aws/credentials: aws sts get-caller-identity"
)
_REQUEST_ERRORS: tuple[tuple[type[Exception], str, str], ...] = (
    (ConfigParseError, "a file in ~/.aws is not an AWS settings file", _CHECK_PROFILE),
    (
        CredentialRetrievalError,
        "the credential_process of your own AWS profile failed",
        "run it by hand; it must not be `answerable aws credential-process` itself: sign "
        "the policy with --profile NAME of your own profile",
    ),
    (
        EndpointConnectionError,
        "AWS STS cannot be reached",
        "check the network, the region and `endpoint_url` of the profile",
    ),
    (ResponseParserError, "the answer was not one of AWS STS", _CHECK_PROFILE),
    (KeyError, "the answer of AWS STS had no session", _CHECK_PROFILE),
    (ValueError, "the AWS settings have an invalid endpoint or region", _CHECK_PROFILE),
)


@dataclass(frozen=True, slots=True)
class SessionNames:
    """Names of a session in CloudTrail, where the operation sets them.

    Attributes:
        session: Name of the session: agent and run.
        source_identity: The person.
    """

    session: str
    source_identity: str


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Operation that may narrow, and the call of it."""

    operation: str
    call: Callable[[], IssuedCredential]


def issue_aws_session(
    policy: CredentialPolicy, names: SessionNames
) -> IssuedCredential:
    """Issue a session that is limited by the session policy of an agent.

    Raises:
        UsageError: The profile does not exist, or AWS does not accept the policy.
        SessionExpired: The person's own session has expired.
        EnvironmentFailure: No operation is possible; the message has each reason.
    """
    try:
        session = botocore.session.Session(profile=policy.profile or None)
        session.set_config_variable("sts_regional_endpoints", "regional")
        return _issue_by_first_accepted(_SessionIssuer(session, policy, names))
    except ProfileNotFound as error:  # of the policy, or of AWS_PROFILE
        profile = str(error.kwargs.get("profile", policy.profile))
        raise UsageError(
            f"no such AWS profile (got {profile!r})",
            "list the profiles: aws configure list-profiles",
        ) from None
    except NoCredentialsError:
        raise EnvironmentFailure(
            "no AWS credential was found from which a session can be issued",
            "sign in first: aws login, aws sso login, or aws configure",
        ) from None
    except ClientError as error:  # of the profile's own role
        code = _get_error_code(error)
        _raise_if_final(code)
        raise EnvironmentFailure(
            f"AWS refused your own credential (got {code})",
            "check it with: aws sts get-caller-identity",
        ) from None
    except (BotoCoreError, ResponseParserError, KeyError, ValueError) as error:
        raise _build_request_error(error) from None


def _build_request_error(error: Exception) -> EnvironmentFailure:
    """Build the error of a request without an answer of AWS; never with its text."""
    for kind, message, hint in _REQUEST_ERRORS:
        if isinstance(error, kind):
            return EnvironmentFailure(message, hint)
    return EnvironmentFailure(
        f"the request to AWS STS failed: {type(error).__name__}",
        "check the network and the profile, and sign in again if it has expired",
    )


def _issue_by_first_accepted(issuer: "_SessionIssuer") -> IssuedCredential:
    """Call the possible operations in order, and return the first session."""
    refusals = []
    for attempt in issuer.plan_attempts():
        try:
            return attempt.call()
        except ClientError as error:
            code = _get_error_code(error)
            _raise_if_final(code)
            refusals.append(f"{attempt.operation}: {code}")
    why = "; ".join(refusals) or "a credential of this kind cannot be narrowed"
    raise EnvironmentFailure(
        f"no narrowed session can be issued from your AWS credential ({why})",
        "name a role that you may assume, in a new policy: answerable "
        "credential-policies sign AGENT --for aws --role ARN",
    )


def _raise_if_final(code: str) -> None:
    """Raise the error that no other operation would change."""
    if code in _EXPIRED:
        raise SessionExpired(
            f"your AWS session has expired or expires too soon (got {code})",
            "sign in again: aws login, or aws sso login",
        )
    if code in _BAD_POLICY:
        raise UsageError(
            f"AWS rejected the session policy (got {code})",
            "sign a smaller one: answerable credential-policies sign AGENT --for aws",
        )


def _get_error_code(error: ClientError) -> str:
    """Return the error code of an AWS response, without `Exception`; never its text."""
    code = str(error.response.get("Error", {}).get("Code", "unknown error"))
    return code.removesuffix("Exception")


class _SessionIssuer:
    """Operations that narrow the credential of one botocore session."""

    def __init__(
        self, session: Any, policy: CredentialPolicy, names: SessionNames
    ) -> None:
        self._session, self._policy, self._names = session, policy, names
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        self._own = credentials.get_frozen_credentials()
        region = session.get_config_variable("region") or _DEFAULT_REGION
        self._region = region

    def plan_attempts(self) -> Iterator[_Attempt]:
        """Yield the operations that fit the credential, in order of preference."""
        if self._policy.role:
            yield _Attempt(
                "AssumeRole", lambda: self._assume_role(self._policy.role, self._own)
            )
            return
        if not self._own.token:
            yield _Attempt("GetFederationToken", self._issue_federated_session)
            return
        yield _Attempt("GetScopedCredentials", self._narrow_temporary_credentials)
        role, source, external_id = self._find_role_of_profile()
        if role and source is not None:
            yield _Attempt(
                "AssumeRole", lambda: self._assume_role(role, source, external_id)
            )

    def _narrow_temporary_credentials(self) -> IssuedCredential:
        """Narrow temporary credentials."""
        client = self._open_client(self._own)
        if not hasattr(client, "get_scoped_credentials"):
            raise ClientError(_NOT_OFFERED, "GetScopedCredentials")
        answer = client.get_scoped_credentials(
            Policy=self._policy.document, DurationSeconds=self._policy.duration
        )
        arn = str(answer.get("SessionInfo", {}).get("Arn", ""))
        return self._build_credential(
            answer, "GetScopedCredentials", arn, self._own, (SCOPED_NOTE,)
        )

    def _assume_role(
        self, role: str, parent: Any, external_id: str = ""
    ) -> IssuedCredential:
        """Assume a role; without a source identity where its trust forbids to set one."""
        duration = max(self._policy.duration, _MIN_ROLE_SESSION)
        if parent.token:
            duration = min(duration, _MAX_CHAINED_SESSION)
        notes = self._list_duration_notes(duration)
        arguments: dict[str, object] = {
            "RoleArn": role,
            "RoleSessionName": self._names.session,
            "DurationSeconds": duration,
            "Policy": self._policy.document,
        }
        if external_id:
            arguments["ExternalId"] = external_id
        client = self._open_client(parent)
        try:
            answer = client.assume_role(
                **arguments, SourceIdentity=self._names.source_identity
            )
        except ClientError as error:
            if _get_error_code(error) != "AccessDenied":
                raise
            answer = client.assume_role(**arguments)
            notes = (*notes, _UNNAMED_NOTE)
        return self._build_credential(answer, "AssumeRole", role, parent, notes)

    def _issue_federated_session(self) -> IssuedCredential:
        """Issue a federated session of the user whose key it is."""
        duration = max(self._policy.duration, _MIN_ROLE_SESSION)
        answer = self._open_client(self._own).get_federation_token(
            Name=self._names.session[:_MAX_FEDERATED_NAME],
            Policy=self._policy.document,
            DurationSeconds=duration,
        )
        notes = (FEDERATED_NOTE, *self._list_duration_notes(duration))
        return self._build_credential(
            answer, "GetFederationToken", "", self._own, notes
        )

    def _find_role_of_profile(self) -> tuple[str, Any, str]:
        """Return the role of the profile, the credential for it, and its external id."""
        settings = self._session.get_scoped_config()
        role, source = settings.get("role_arn", ""), settings.get("source_profile", "")
        if not role or not source or "mfa_serial" in settings:
            return "", None, ""
        own = botocore.session.Session(profile=source).get_credentials()
        frozen = None if own is None else own.get_frozen_credentials()
        return role, frozen, settings.get("external_id", "")

    def _list_duration_notes(self, duration: int) -> tuple[str, ...]:
        """Return the note on a session that is longer than the policy states."""
        return (_LONGER_NOTE,) if duration > self._policy.duration else ()

    def _open_client(self, credential: Any) -> Any:
        """Open an STS client of the region, as one credential."""
        return self._session.create_client(
            "sts",
            region_name=self._region,
            aws_access_key_id=credential.access_key,
            aws_secret_access_key=credential.secret_key,
            aws_session_token=credential.token,
            config=_CONFIG,
        )

    def _build_credential(
        self,
        answer: dict[str, Any],
        operation: str,
        identity: str,
        parent: Any,
        notes: tuple[str, ...],
    ) -> IssuedCredential:
        """Build the credential from the answer of an operation."""
        given = answer["Credentials"]
        until: datetime = given["Expiration"]
        key = str(given["AccessKeyId"])
        if key == parent.access_key:
            raise AnswerableError(
                "AWS returned your own credential instead of a session", _CHECK_PROFILE
            )
        return IssuedCredential(
            fields={
                "AccessKeyId": key,
                "SecretAccessKey": str(given["SecretAccessKey"]),
                "SessionToken": str(given["SessionToken"]),
                "Region": self._region,
            },
            id=f"cred:aws/{key}",
            identity=identity,
            expires=int(until.timestamp()) * 10**9,
            method=f"sts:{operation}",
            parent=f"cred:aws/{parent.access_key}",
            notes=notes,
        )
