"""The law of a removed source notices planted faults in documents about edits."""

from typing import Any

from tests.laws.removal import faults


def test_the_law_notices_a_stronger_no_of_an_edit() -> None:
    covered = {"not_collected": [], "sources": [1]}

    def document(*items: object) -> dict[str, Any]:
        return {"items": list(items), "coverage": covered}

    change = {"kind": "permission", "subject": "a", "action": "b", "resource": "c"}
    weaker = {**change, "before": "always", "after": "only-if", "assuming": ["scp"]}
    gone = {**weaker, "after": "never"}
    open_ = {**weaker, "action": "*", "after": "not-known", "unknown": [{}]}
    assert faults("what-if", document(weaker), document())
    assert faults("what-if", document(weaker, gone | {"action": "d"}), document(weaker))
    assert faults("what-if", document(weaker), document(gone))
    assert faults("what-if", document(gone), document(gone | {"assuming": []}))
    assert faults("what-if", document(weaker), document(weaker, gone | {"action": "d"}))
    assert not faults("what-if", document(gone), document(weaker))
    assert not faults("what-if", document(weaker), document(open_))

    def cut(used: object, *ids: str) -> dict[str, Any]:
        statements = [{"id": each} for each in ids]
        return {"verdict": "never", "assuming": ["scp"]} | {
            "statements": statements,
            "breaks": {"used": used},
        }

    both = cut([{"count": 3}], "1", "2")
    assert faults("what-if-cuts", document(both), document())
    assert faults("what-if-cuts", document(both), document(cut(None, "1")))
    assert faults("what-if-cuts", document(both), document(both | {"assuming": []}))
    assert faults("what-if-cuts", document(both), document(cut([], "1", "2")))
    assert not faults("what-if-cuts", document(both), document(cut(None, "1", "2")))

    sure = {"admin": "always", "public": "never", "external": "only-if", "becomes": 2}
    grave = {"subject": "a", **sure}
    assert faults("reach-all", document(grave), document())
    assert faults("reach-all", document(grave), document({**grave, "subject": "b"}))
    assert faults("reach-all", document(grave), document({**grave, "admin": "never"}))
    assert faults("reach-all", document(grave), document({**grave, "becomes": 0}))
    unknown = {**grave, "admin": "not-known", "becomes": None, "unknown": [{}]}
    assert not faults("reach-all", document(grave), document(unknown))
