"""What cannot be learned is told for what it is."""

from pathlib import Path

import pytest

from answerable.model.baseline import BaselineSubject
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.services.baseline import profile_learning
from answerable.store.store import EvidenceStore
from answerable.usecases.baseline import manage_profiles
from tests.inventory.fact_builders import DAY, NOW

AGENT, ROLE = AgentId("agent:declared/one"), "arn:aws:iam::111122223333:role/r"


def test_what_was_not_asked_for_is_told_apart_from_what_was_not_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(store: EvidenceStore) -> UsageError:
        with pytest.raises(UsageError, match="no recorded call of") as told:
            manage_profiles.learn_profiles(
                store, AGENT, server="mail", since=NOW - DAY, now=NOW
            )
        return told.value

    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        assert "the store has no" in said(store).message
        known = [
            BaselineSubject("", AGENT, "files"),
            BaselineSubject(ROLE, AGENT, "s3"),
        ]
        monkeypatch.setattr(
            profile_learning, "list_profile_subjects", lambda found: known
        )
        assert "went to that server as that identity" in said(store).message
        assert (
            said(store).hint
            == f"servers and identities with calls: files, s3 as {ROLE}"
        )
