"""A server over standard streams that does what the tool that is called says.

Plain reading and writing of lines, so that tests see and send every byte. It writes
nothing to standard error but what a tool has it write.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

HEARD: list[str] = []
ASKED: dict[str, Any] = {}
LOCK = threading.Lock()


def write(data: bytes) -> None:
    with LOCK:
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]


def say(message: dict[str, Any]) -> None:
    write(json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n")


def text(said: object) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": json.dumps(said)}]}


def answer(id: object, said: object) -> None:
    say({"id": id, "result": text(said)})


def echo(id: object, given: dict[str, Any]) -> None:
    answer(id, {"pid": os.getpid(), "line": HEARD[-1]})


def heard(id: object, given: dict[str, Any]) -> None:
    answer(id, HEARD)


def environment(id: object, given: dict[str, Any]) -> None:
    answer(id, dict(os.environ))


def digest(id: object, given: dict[str, Any]) -> None:
    value = os.environ.get(given["variable"], "")
    answer(id, hashlib.sha256(value.encode()).hexdigest())


def wait(id: object, given: dict[str, Any]) -> None:
    """It never answers."""


def slow(id: object, given: dict[str, Any]) -> None:
    threading.Timer(given["seconds"], answer, (id, "slow")).start()


def progress(id: object, given: dict[str, Any]) -> None:
    token = json.loads(HEARD[-1])["params"]["_meta"]["progressToken"]
    params = {"progressToken": token, "progress": 1}

    def now() -> None:
        say({"method": "notifications/progress", "params": params})
        answer(id, token)

    threading.Timer(given.get("seconds", 0), now).start()


def ask(id: object, given: dict[str, Any]) -> None:
    ASKED["q"] = id
    say({"id": "q", "method": given["method"], "params": {"message": "?"}})


def junk(id: object, given: dict[str, Any]) -> None:
    write(b"starting up...\n\xff\xfe\n{\n[]\n{}\nnull\n")
    write(b'[{"jsonrpc":"2.0","id":%d,"result":{}}]\n' % id)
    say({"id": 77777, "result": {}})
    say({"error": {"code": -32700, "message": "?"}})
    write(b'{"jsonrpc":"2.0","method":"notifications/message","method":"x"}\n')
    answer(id, "after junk")


def repeated(id: object, given: dict[str, Any]) -> None:
    write(b'{"jsonrpc":"2.0","id":%d,"result":{"isError":false,"isError":true}}\n' % id)


def spelled(id: object, given: dict[str, Any]) -> None:
    write(
        b'{ "result" : {"content":[],\t"n": 1.0e2} , "id":%d, "jsonrpc":"2.0"}\n' % id
    )


def raw(id: object, given: dict[str, Any]) -> None:
    write(bytes.fromhex(given["line"]) + b"\n")


def fail(id: object, given: dict[str, Any]) -> None:
    say({"id": id, "error": {"code": given["code"], "message": "?"}})


def big(id: object, given: dict[str, Any]) -> None:
    answer(id, "x" * given["size"])


def crash(id: object, given: dict[str, Any]) -> None:
    os._exit(given.get("code", 3))


def complain(id: object, given: dict[str, Any]) -> None:
    secret = os.environ.get(given.get("variable", ""), "")
    if given.get("form") == "hex":
        secret = secret.encode().hex()
    words = " ".join(filter(None, ("the server complains", secret)))
    sys.stderr.write(words + "\n" + "x" * given.get("long", 0))
    sys.stderr.flush()
    answer(id, "")


def stubborn(id: object, given: dict[str, Any]) -> None:
    """Outlive every request to end, and have a child do so, too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    ASKED["stays"] = subprocess.Popen(sleeper, stdout=subprocess.DEVNULL)
    answer(id, [os.getpid(), ASKED["stays"].pid])


def polite(id: object, given: dict[str, Any]) -> None:
    def told(number: int, frame: object) -> None:
        os._exit(40 + number)

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    answer(id, os.getpid())


TOOLS = {
    tool.__name__: tool
    for tool in (
        *(echo, heard, environment, digest, wait, slow, progress, ask, junk, repeated),
        *(spelled, raw, fail, big, crash, complain, stubborn, polite),
    )
}


def take(message: dict[str, Any]) -> None:
    method, id = message.get("method"), message.get("id")
    if method == "tools/call":
        params = message["params"]
        TOOLS[params["name"]](id, params.get("arguments", {}))
    elif method == "tools/list":
        say({"id": id, "result": {"tools": [{"name": name} for name in TOOLS]}})
    elif method == "initialize":
        version = message["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {}}
        say(
            {"id": id, "result": result | {"serverInfo": {"name": "s", "version": "1"}}}
        )
    elif method is None and id == "q" and "q" in ASKED:
        answer(ASKED.pop("q"), message)
    elif method is not None and id is not None:
        say({"id": id, "error": {"code": -32601, "message": "Method not found"}})


def main() -> None:
    if "--talk" in sys.argv:
        write(
            b'{"jsonrpc":"2.0","id":"q","method":"roots/list"}\n'
            b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}\n'
            b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n'
        )
    for line in sys.stdin:
        HEARD.append(line.rstrip("\n"))
        take(json.loads(line))
    while "stays" in ASKED:
        time.sleep(1)
    sys.exit(7 if "--seven" in sys.argv else 0)


if __name__ == "__main__":
    main()
