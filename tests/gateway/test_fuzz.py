import pytest

from bench.gateway.fuzz import write_seeds
from bench.gateway.parser_laws import LAWS

SEEDS = [(name, seed) for name, given in write_seeds().items() for seed in given]


def test_every_law_has_texts_to_begin_with() -> None:
    assert write_seeds().keys() == LAWS.keys()


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_what_fuzzing_begins_with_keeps_its_law_wherever_it_is_cut(
    name: str, seed: bytes
) -> None:
    for cut in range(0, len(seed), 7):
        LAWS[name](cut.to_bytes(2, "big") + seed[2:])
        LAWS[name](seed[:cut])
