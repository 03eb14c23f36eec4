"""Configure garbage collection of a server: never scan the objects of the start."""

import gc


def freeze_startup_objects() -> None:
    """Freeze the objects of the start: garbage collection scans only later ones.

    They live as long as the process, and a request leaves no cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
