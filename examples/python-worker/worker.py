"""A worker for a Runnel server, of Python's standard library: see docs/worker-protocol.md.
RUNNEL_SERVER=http://127.0.0.1:7733 RUNNEL_TOKEN=… python3 worker.py"""
import json, os, signal, sys, threading, time, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor
from tasks import TASKS

SERVER = os.environ.get("RUNNEL_SERVER", "http://127.0.0.1:7733").rstrip("/") + "/api/v1"
TOKEN, SLOTS = os.environ.get("RUNNEL_TOKEN", ""), int(os.environ.get("RUNNEL_SLOTS", "4"))

class WorkerLost(Exception):
    """The server does not know this worker any more."""

class Attempt:
    """One attempt of a task run, while its body runs here."""
    def __init__(self, worker, given):
        self.worker, self.id, self.given = worker, given["attempt"], given
        self.stopped = threading.Event()  # a body looks at it, and ends

    def log(self, text, level="INFO"):
        line = {"attempt": self.id, "level": level, "text": text}
        call("POST", f"/workers/{self.worker}/logs", {"lines": [line]})

def call(method, path, body=None):
    """Sends a request until the server has answered it."""
    pause, headers = 0.05, {"Content-Type": "application/json"}
    if TOKEN:
        headers["Authorization"] = "Bearer " + TOKEN
    data = None if body is None else json.dumps(body).encode()
    while True:
        try:
            request = urllib.request.Request(SERVER + path, data, headers, method=method)
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

def run(attempt, done):
    finish = {"attempt": attempt.id}
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

def beat(worker, lease, running, over):
    """Keeps the leases of what runs, until it is over, and passes on what is to stop."""
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

def serve(stop):
    """Works until stop is set, or the server forgets this worker."""
    tasks = [{"name": name, **about} for name, (_, about) in TASKS.items()]
    me = call("POST", "/workers", {"name": f"python/{os.getpid()}", "slots": SLOTS, "tasks": tasks})
    running, free, over = {}, threading.Semaphore(SLOTS), threading.Event()
    heart = threading.Thread(target=beat, args=(me["worker"], me["lease_ms"], running, over), daemon=True)
    heart.start()
    with ThreadPoolExecutor(SLOTS) as pool:  # its end waits for the bodies
        while not stop.is_set() and not over.is_set():
            with free:  # there is a slot: it is taken below
                room = max(1, SLOTS - len(running))
            for given in call("POST", f"/workers/{me['worker']}/claim", {"max": room, "wait_ms": 1000})["attempts"]:
                attempt = running[given["attempt"]] = Attempt(me["worker"], given)
                free.acquire()
                pool.submit(run, attempt, lambda id=attempt.id: (running.pop(id, None), free.release()))
    over.set()
    heart.join(me["lease_ms"] / 1000)
    call("DELETE", f"/workers/{me['worker']}")

stop = threading.Event()
for sig in (signal.SIGTERM, signal.SIGINT):
    signal.signal(sig, lambda *_: stop.set())
while not stop.is_set():
    try:
        serve(stop)
    except WorkerLost:
        print("the server began anew: registering again", file=sys.stderr)
