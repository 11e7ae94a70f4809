"""Memory that an answer has freed is there for the next one."""

import platform
import subprocess
import sys

import pytest

# Answers of a megabyte in a thread, each put together out of two others; says the pages that were got for the later ones.
ANSWERS = """
import resource, threading
from carnet.freed_memory import keep_freed_memory
{call}
def answer():
    pieces = [b"x" * 5000 for _ in range(200)]
    whole, answered = b"".join(pieces), b",".join(pieces)
    return len(whole) + len(answered)
def answers():
    for number in range(300):
        if number == 100:
            before.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
        answer()
before = []
thread = threading.Thread(target=answers)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before[0])
"""


def pages(call: str) -> int:
    done = subprocess.run([sys.executable, "-c", ANSWERS.format(call=call)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_answers_of_a_megabyte_use_the_memory_of_the_one_before() -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("another C library decides by itself")
    kept, given_back = pages("keep_freed_memory()"), pages("")
    assert kept < 200 * 10, "a few pages for each answer at most"
    assert kept < given_back / 10, "without it each answer gets hundreds of pages"
