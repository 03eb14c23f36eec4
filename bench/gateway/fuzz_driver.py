"""Fuzz driver of one law: `python -m bench.gateway.fuzz_driver LAW SECONDS CORPUS`.

Nothing of the gateway may be imported before the engine can watch it.
"""

import sys

import atheris

with atheris.instrument_imports(
    include=[
        "answerable.gateway.wire",
        "answerable.server.wire",
        "answerable.connectors.config",
    ]
):
    from bench.gateway.parser_laws import LAWS

MAX_INPUT = 4096  # bytes of an input; what is larger only takes longer
SLOW = 10  # seconds that one input may take

if __name__ == "__main__":
    name, seconds, corpus = sys.argv[1:]
    limits = (f"-max_total_time={seconds}", f"-max_len={MAX_INPUT}", f"-timeout={SLOW}")
    words = (f"-artifact_prefix={corpus}/", corpus)
    atheris.Setup([sys.argv[0], *limits, *words], LAWS[name])
    atheris.Fuzz()
