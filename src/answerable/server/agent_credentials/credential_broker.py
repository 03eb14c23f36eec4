"""Hand over an agent's credential: from the cache, or issued under its signed policy.

Kills are read at each request. The policy is read from the store whenever the store's
log has changed. A new credential is recorded as evidence before it is handed over. The
agent's environment decides nothing: profile, role, duration and document are signed.
"""

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.server.agent_credentials.credential_cache import (
    CachedCredential,
    CredentialCache,
)
from answerable.store.log_stamp import read_log_stamp

if TYPE_CHECKING:
    from answerable.model.credential_policy import CredentialPolicy, IssuedCredential
    from answerable.model.ids import AgentId
    from answerable.store.store import EvidenceStore

Issuer = Callable[["CredentialPolicy", str], "IssuedCredential"]

_MAX_MARGIN = 5 * 60 * 10**9  # nanoseconds before expiry at which it is renewed
_RETRY_PAUSE = 15 * 10**9  # nanoseconds after a failed renewal


class CredentialRevoked(EnvironmentFailure):
    """The agent, its run, its owner or its credential is killed."""


@dataclass(frozen=True, slots=True)
class CredentialRequest:
    """Request for the credential of an agent.

    Attributes:
        store: Folder of the store.
        platform: `aws`, `kubernetes` or `github`.
        run: Run that this process started; empty for none.
        reported_run: Run that the environment names, for the session name and the cache;
            it proves nothing.
    """

    store: Path
    agent: "AgentId"
    platform: str
    run: str = ""
    reported_run: str = ""


class CredentialBroker:
    """Credential of one agent on one platform, renewed in time.

    Args:
        request: Agent, platform and store.
        folder: Folder of the cache.
        issue: Asks the platform for a credential, under a policy and for a run.

    Attributes:
        agent: The agent.
    """

    def __init__(self, request: CredentialRequest, folder: Path, issue: Issuer) -> None:
        self._request, self._issue, self.agent = request, issue, request.agent
        run = request.run or request.reported_run
        self._run = run
        root = request.store
        self._cache = CredentialCache(
            folder, str(root), request.platform, request.agent, run
        )
        self._kill_folders = (root, root / "gateway", root / "sts")

    def get_credential(self) -> CachedCredential:
        """Return the credential, issued again if it ends soon.

        Raises:
            CredentialRevoked: It is killed.
            EnvironmentFailure: No policy is in force, or the platform refuses.
        """
        cached, now = self._cache.read(), time.time_ns()
        self._require_not_killed(cached)
        stamp = read_log_stamp(self._request.store)
        if cached is not None and cached.is_current(stamp, now):
            return cached
        usable = cached if cached and cached.is_usable(stamp, now) else None
        # An SDK waits two seconds for an answer, and a renewal may take longer.
        with self._cache.lock(wait=usable is None) as is_held:
            if usable is not None and not is_held:
                return usable
            cached, now = self._cache.read(), time.time_ns()
            self._require_not_killed(cached)
            stamp = read_log_stamp(self._request.store)
            if cached is not None and cached.is_current(stamp, now):
                return cached
            return self._renew_credential(cached, now)

    def forget_credential(self) -> None:
        """Remove the credential from the cache, at the end of its run."""
        self._cache.remove()

    def read_cached(self) -> CachedCredential | None:
        """Return the credential of the cache, whatever its state."""
        return self._cache.read()

    def _require_not_killed(
        self, cached: CachedCredential | None, person: str = ""
    ) -> None:
        """Refuse a killed agent, run, owner or credential."""
        subjects = [self._request.agent, f"run:{self._run}", person]
        subjects += [cached.person, cached.id] if cached is not None else []
        killed = _read_killed_subjects(self._kill_folders).intersection(subjects)
        if killed:
            raise CredentialRevoked(
                f"{min(killed)} is killed: no credential is issued",
                f"to allow it again: answerable revive {shlex.quote(min(killed))}",
            )

    def _renew_credential(
        self, cached: CachedCredential | None, now: int
    ) -> CachedCredential:
        """Verify the policy, issue a credential if it is time, record and keep it."""
        from answerable.store.store import EvidenceStore

        root = self._request.store
        with EvidenceStore.open(root, now=now, create=False) as store:
            policy = self._require_policy(store, now)
            self._require_not_killed(cached, policy.person)
            same = cached is not None and cached.policy == policy.digest
            if cached is None or not same or now >= cached.renew_at:
                try:
                    cached = self._issue_and_record(store, policy, now)
                except CredentialRevoked:
                    raise
                except AnswerableError:
                    # The platform may be away: the last one is valid until it ends.
                    now = time.time_ns()
                    if cached is None or not same or now >= cached.expires:
                        raise
                    self._require_not_killed(cached, policy.person)
                    cached = msgspec.structs.replace(
                        cached, renew_at=now + _RETRY_PAUSE
                    )
        kept = msgspec.structs.replace(
            cached, stamp=read_log_stamp(root), policy_expires=policy.expires
        )
        self._cache.write(kept)
        return kept

    def _require_policy(self, store: "EvidenceStore", now: int) -> "CredentialPolicy":
        """Return the signed policy in force."""
        from answerable.model.credential_policy import CredentialPlatform
        from answerable.services.statements.credential_policies import (
            find_credential_policy,
        )

        agent, platform = self._request.agent, self._request.platform
        found = find_credential_policy(store, agent, CredentialPlatform(platform), now)
        if found is None:
            self._cache.remove()
            policy = "--starter metadata" if platform == "aws" else "--policy FILE"
            raise EnvironmentFailure(
                f"{agent} has no credential policy for {platform} in force",
                f"its owner signs one: answerable credential-policies sign "
                f"{shlex.quote(agent)} --for {platform} {policy} --key KEY",
            )
        return found

    def _issue_and_record(
        self, store: "EvidenceStore", policy: "CredentialPolicy", now: int
    ) -> CachedCredential:
        """Issue a credential, and make its record durable before it is handed over."""
        from answerable.services.federation.credential_issuance import (
            build_issuance_event,
            list_policy_limits,
        )

        issued = self._issue(policy, self._run)
        self._require_not_killed(None, policy.person)
        if issued.expires <= now:
            raise EnvironmentFailure(
                f"the issued credential {issued.id} has already expired",
                "check the clock of this machine: timedatectl",
            )
        event = build_issuance_event(
            policy,
            issued,
            run=self._request.run,
            reported_run=self._request.reported_run,
            now=now,
        )
        store.append([event], now)
        self._cache.remove_expired(now)
        margin = min(_MAX_MARGIN, max(0, issued.expires - now) // 3)
        return CachedCredential(
            stamp="",
            policy=policy.digest,
            policy_expires=policy.expires,
            person=policy.person,
            renew_at=issued.expires - margin,
            expires=issued.expires,
            id=issued.id,
            notes=(*issued.notes, *list_policy_limits(policy)),
            fields=issued.fields,
        )


def _read_killed_subjects(folders: Sequence[Path]) -> frozenset[str]:
    """Read the killed subjects of a store; the parser is imported if there are any.

    Raises:
        EnvironmentFailure: A file may not be read, or a line is no subject.
    """
    if not any(map(_may_have_kills, folders)):
        return frozenset()
    from answerable.server.revocation_list import RevocationList

    return RevocationList(*folders).read_subjects()


def _may_have_kills(folder: Path) -> bool:
    """Return whether a folder has a file of kills with content; True if it is not known."""
    try:
        return (folder / "kills").stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
