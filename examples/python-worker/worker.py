"""A worker for a Runnel server, in Python's standard library: docs/worker-protocol.md.

    RUNNEL_SERVER=http://127.0.0.1:7733 RUNNEL_TOKEN=… python3 worker.py
"""
from __future__ import annotations

import json, os, signal, sys, threading, time, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

SERVER = os.environ.get("RUNNEL_SERVER", "http://127.0.0.1:7733").rstrip("/") + "/api/v1"
TOKEN = os.environ.get("RUNNEL_TOKEN", "")
SLOTS = int(os.environ.get("RUNNEL_SLOTS", "4"))


class Attempt:
    """One attempt of a task run, while its body runs here."""

    def __init__(self, worker: str, given: dict[str, Any]) -> None:
        self.worker, self.id, self.given = worker, given["attempt"], given
        self.stopped = threading.Event()  # a body looks at it, and ends

    def log(self, text: str, level: str = "INFO") -> None:
        line = {"attempt": self.id, "level": level, "text": text}
        call("POST", f"/workers/{self.worker}/logs", {"lines": [line]})


# The tasks, each with the JSON kinds of its parameters.

def word_count(attempt: Attempt, text: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    attempt.log(f"{len(counts)} words")
    return counts


def wait(attempt: Attempt, seconds: float) -> str:
    return "stopped" if attempt.stopped.wait(seconds) else "waited"


def refuse(attempt: Attempt, why: str) -> None:
    if attempt.given["number"] < 3:
        raise ValueError(why)


TASKS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "py.word_count": (word_count, {"params": ["string"], "result": "object"}),
    "py.wait": (wait, {"params": ["number"], "result": "string"}),
    "py.refuse": (refuse, {"params": ["string"], "options": {"retry": {"max": 2}}}),
}


class WorkerLost(Exception):
    """The server does not know this worker any more."""


def call(method: str, path: str, body: Any = None) -> Any:
    """Sends a request until the server has answered it."""
    pause = 0.05
    while True:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(SERVER + path, data, {"Content-Type": "application/json"}, method=method)
        if TOKEN:
            request.add_header("Authorization", "Bearer " + TOKEN)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as e:
            text = e.read().decode(errors="replace")
            if e.code == 404 and "worker_lost" in text:
                raise WorkerLost from e
            if e.code < 500 and e.code != 429:
                raise RuntimeError(text) from e
        except OSError as e:  # it can't be reached
            print("trying again:", e, file=sys.stderr)
        time.sleep(pause)
        pause = min(2 * pause, 2)


def run(attempt: Attempt, done: Callable[[], None]) -> None:
    finish: dict[str, Any] = {"attempt": attempt.id}
    try:
        finish["result"] = TASKS[attempt.given["task"]][0](attempt, *attempt.given["args"])
    except Exception as e:  # whatever a body raises is its failure
        finish["failure"] = {"message": str(e), "type": type(e).__name__}
    try:
        settled = call("POST", f"/workers/{attempt.worker}/finish", {"attempts": [finish]})["attempts"]
        if settled[0].get("code"):
            print("too late:", attempt.id, file=sys.stderr)
    except (RuntimeError, WorkerLost) as e:
        print("not taken:", attempt.id, e, file=sys.stderr)
    finally:
        done()


def serve(stop: threading.Event) -> None:
    """Works until stop is set, or the server forgets this worker."""
    me = {"name": f"python/{os.getpid()}", "slots": SLOTS, "tasks": [{"name": n, **about} for n, (_, about) in TASKS.items()]}
    registered = call("POST", "/workers", me)
    worker, lease = registered["worker"], registered["lease_ms"]
    running: dict[str, Attempt] = {}
    free, over = threading.Semaphore(SLOTS), threading.Event()

    def beat() -> None:
        try:
            while not over.is_set():
                said = call("POST", f"/workers/{worker}/heartbeat", {"attempts": list(running), "wait_ms": lease // 3})
                for id in [s["attempt"] for s in said.get("stop", [])] + said.get("lost", []):
                    if id in running:
                        running[id].stopped.set()
                over.wait(0.05)
        except WorkerLost:
            over.set()
            for attempt in list(running.values()):
                attempt.stopped.set()

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    with ThreadPoolExecutor(SLOTS) as pool:  # its end waits for the bodies
        try:
            while not stop.is_set() and not over.is_set():
                free.acquire()
                free.release()
                room = max(1, SLOTS - len(running))
                for given in call("POST", f"/workers/{worker}/claim", {"max": room, "wait_ms": 1000})["attempts"]:
                    attempt = running[given["attempt"]] = Attempt(worker, given)
                    free.acquire()
                    pool.submit(run, attempt, lambda id=attempt.id: (running.pop(id, None), free.release()))
        except WorkerLost:
            over.set()
    over.set()
    if stop.is_set():
        heart.join(lease / 1000)
        call("DELETE", f"/workers/{worker}")


def main() -> None:
    stop = threading.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: stop.set())
    while not stop.is_set():
        try:
            serve(stop)
        except WorkerLost:
            print("the server began anew: registering again", file=sys.stderr)


if __name__ == "__main__":
    main()
