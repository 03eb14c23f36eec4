"""`python -m answerable`, and the command `answerable`.

Until the command line is imported, Ctrl-C ends the process without a word, as it does
once the exit code is known: there is nothing to clean up, and no error to report.
"""

# Not `signal`, which imports `enum` first: in that time Ctrl-C would print a traceback.
import _signal as signal  # type: ignore[import-not-found]
import atexit
import gc
import os
import sys

_HOOK_CLIENTS = ("claude-code", "cursor")
# A command keeps what it reads until it ends; a server sets its own threshold.
_OBJECTS_PER_COLLECTION = 200_000
_BLOCK = 2  # the one exit code that these clients take for a no
_ENDING = (
    signal.SIGALRM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
)


def run_and_exit() -> None:
    """Run the command line, and end the process with its exit code."""
    ended: list[int] = []
    atexit.register(_exit_without_teardown, ended)  # the first one runs last
    ended.append(run())
    sys.exit(ended[0])


def _exit_without_teardown(ended: list[int]) -> None:
    """End the process when threads and all other exit handlers have ended.

    The interpreter would free each object and module before: a tenth of the time of a
    question. After an error it does.
    """
    if not ended:
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # the interpreter reports it
        return
    os._exit(ended[0])


def run() -> int:
    """Run the command line; return the exit code."""
    if "hook" in sys.argv and any(each in sys.argv for each in _HOOK_CLIENTS):
        return _run_hook()
    gc.set_threshold(_OBJECTS_PER_COLLECTION, 20, 100)
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
        # The interpreter's last collection would traverse all results of the command.
        gc.disable()
        # A command that ignores Ctrl-C to its end (`demo`) keeps ignoring it.
        if handles and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _run_hook() -> int:
    """Run a client's hook: 0 if it answered, 2 after any failure."""
    for number in _ENDING:
        signal.signal(number, _exit_with_blocking_code)
    try:
        # Without standard output, an answer that says no could not be read.
        if sys.stdout is not None:
            _open_streams()
            from answerable.cli.main import main

            if main() == 0:
                return 0
    except BaseException:  # noqa: BLE001 - any failure is a denial
        _exit_with_blocking_code()
    _exit_with_blocking_code()
    return _BLOCK


def _exit_with_blocking_code(*_: object) -> None:
    # At once: after a KeyboardInterrupt in `exec` Python may end itself by a signal.
    os._exit(_BLOCK)


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
    run_and_exit()
