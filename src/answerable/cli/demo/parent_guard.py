"""Exec a program that receives SIGTERM when its parent process dies (Linux).

python -m answerable.cli.demo.parent_guard PARENT_PID PROGRAM [ARG...]
"""

import os
import sys

from answerable.cli.demo.process_guard import die_with_parent


def main() -> None:
    """Request the parent-death signal, then exec the program."""
    _, parent, program, *rest = sys.argv
    die_with_parent(int(parent))
    os.execv(program, [program, *rest])  # noqa: S606 - our own program


if __name__ == "__main__":
    main()
