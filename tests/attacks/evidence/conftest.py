"""Stores to attack: those of `tests/store`."""

from tests.store.conftest import _no_hook, _quick_disk, copied, make, now, place, whole

__all__ = ["_no_hook", "_quick_disk", "copied", "make", "now", "place", "whole"]
