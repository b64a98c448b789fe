"""The tasks of this worker, each with the JSON kinds of its parameters and its result."""


def word_count(attempt, text):
    counts = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    attempt.log(f"{len(counts)} words")
    return counts


def wait(attempt, seconds):
    return "stopped" if attempt.stopped.wait(seconds) else "waited"


def refuse(attempt, why):
    if attempt.given["number"] < 3:
        raise ValueError(why)


TASKS = {
    "py.word_count": (word_count, {"params": ["string"], "result": "object"}),
    "py.wait": (wait, {"params": ["number"], "result": "string"}),
    "py.refuse": (refuse, {"params": ["string"], "options": {"retry": {"max": 2}}}),
}
