"""Answers from stored tables equal those of compiled ones."""

from pathlib import Path

import pytest

from answerable.connectors.gcp_roles.fetch import load_predefined_roles
from answerable.model.ids import IdentityId
from answerable.reach.gcp import stored_tables
from answerable.reach.gcp.estate_access import EstateAccess
from answerable.reach.gcp.estate_index import GoogleCloudIndex
from answerable.reach.gcp.evaluator import GcpEvaluator
from answerable.reach.platform import AnswerList, PageBounds, Question, SubjectIdentity
from answerable.store.block_file import BlockFile, encode_block_file
from tests.reach.gcp.estates import ask, build_estate_access
from tests.reach.gcp.random_estates import ACCOUNTS, CALLS, USERS, build_row, seeded


def store_and_restore(access: EstateAccess, folder: Path) -> EstateAccess:
    """Write the tables of an estate to a file, and read them again."""
    tables = stored_tables.encode_tables(access.index.tables)
    path = folder / "google_cloud.blocks"
    path.write_bytes(b"".join(encode_block_file("1", tables, b"k")))
    restored = stored_tables.restore_tables(BlockFile(path, "1", b"k"))
    return EstateAccess(GoogleCloudIndex(restored, load_predefined_roles()))


def list_rows(access: EstateAccess, principal: str) -> AnswerList:
    """List everything that a principal can do."""
    start = SubjectIdentity(principal, IdentityId(principal))
    question = Question(1, principal, "*", "*", identities=(start,))
    return GcpEvaluator(access).list_permissions(question, PageBounds())


@pytest.mark.parametrize("known", [True, False])
def test_stored_tables_give_the_answers_of_compiled_ones(
    tmp_path: Path, known: bool
) -> None:
    for seed in range(12):
        compiled = build_estate_access(build_row(seeded(seed), known=known))
        restored = store_and_restore(compiled, tmp_path)
        for principal in (*USERS, *ACCOUNTS):
            assert list_rows(restored, principal) == list_rows(compiled, principal)
            for call in CALLS:
                words = principal, *call
                for direct in (True, False):
                    got = ask(restored, words, direct=direct)
                    assert got == ask(compiled, words, direct=direct), (seed, words)
        evaluators = GcpEvaluator(restored), GcpEvaluator(compiled)
        for permission, resource in CALLS:
            lists = [
                each.list_callers(
                    Question(1, "", permission, each.normalise_resource(resource)),
                    PageBounds(),
                )
                for each in evaluators
            ]
            assert lists[0] == lists[1]
        scopes = [each.describe_scope() for each in evaluators]
        assert scopes[0] == scopes[1]
