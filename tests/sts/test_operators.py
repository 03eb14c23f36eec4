"""Who is an operator at the unix socket."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from answerable.server.connection_info import ConnectionInfo, UnixPeer
from answerable.sts.endpoints.admin import is_operator_request

OURS, NAMED, OTHER = 4242, 4243, 4244  # user ids


@pytest.mark.parametrize(
    ("uid", "is_one"),
    [(OURS, True), (NAMED, True), (0, True), (OTHER, False), (None, False)],
)
def test_our_own_user_and_root_and_who_is_named_are_operators(
    uid: int | None, is_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: OURS)
    peer = None if uid is None else UnixPeer(pid=1, uid=uid, gid=1, unit="", start=1)
    asked: Any = SimpleNamespace(link=ConnectionInfo(peer=peer))
    assert is_operator_request(asked, (NAMED,)) is is_one
