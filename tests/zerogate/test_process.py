"""How a process that forwards prepares itself, each in a process of its own."""

import subprocess
import sys

FAULTS = """
import resource
from zerogate.edge import process
{prepared}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(200):
        read = [bytes(250_000) for _ in range(3)]
        del read
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
LIMITS = """
import resource
from zerogate.edge import process
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most // 2, most))
process.raise_descriptor_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] == most)
"""


def printed(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_buffers_of_bodies_are_in_memory_that_the_process_has_already() -> None:
    kept = int(printed(FAULTS.format(prepared="process.keep_freed_memory()")))
    by_default = int(printed(FAULTS.format(prepared="")))
    assert kept < 100 < by_default, (kept, by_default)


def test_the_descriptor_limit_is_raised_to_what_is_allowed() -> None:
    assert printed(LIMITS) == "True"
