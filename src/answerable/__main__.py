"""`python -m answerable`, and the command `answerable`.

Until the command line is imported, Ctrl-C ends the process without a word, as it does
once the exit code is known: there is nothing to clean up, and no error to report.
"""

# Not `signal`, which imports `enum` first: in that time Ctrl-C would print a traceback.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys


def run() -> int:
    """Run the command line; return the exit code."""
    _open_streams()
    handles = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if handles:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from answerable.cli.main import main

    try:
        if handles:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return main()
    except KeyboardInterrupt:  # a second one, while the first was reported
        return 130
    finally:
        if handles:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _open_streams() -> None:
    """Open /dev/null for each standard stream that was closed (`answerable ... >&-`).

    Otherwise the next file that is opened gets the stream's number, and is written to.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(run())
