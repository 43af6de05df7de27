"""Threads of a call: permits are never exceeded, bands come in order, nothing outlives a call,
children that are forked work.
"""

import os
import subprocess
import sys
import threading
import time

import pytest
import torch

from bbans.exact.threads import (
    available_cores,
    in_bands,
    one_openmp_thread,
    permits_of_this_call,
    permitted,
    spare_permits,
)
from bbans.execution.executor import in_order, on_threads
from bbans_cli.run import each

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


class Counter:
    """How many are inside at once, at most."""

    def __init__(self):
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *parts):
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize("jobs", [1, 2, 7])
@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_jobs_and_their_bands_share_the_threads_of_the_call(jobs, threads):
    inside = Counter()

    def band(number):
        with inside:
            time.sleep(0.002)
        return number

    def job(context, number):
        return context, number, list(in_bands(band, range(6)))

    found = list(on_threads("context", threads)(job, iter(range(jobs))))
    assert found == [("context", number, list(range(6))) for number in range(jobs)]
    assert inside.most <= threads
    if threads > 1:
        assert inside.most > 1  # of one job the bands are shared, of several the jobs run at once


def test_calls_within_a_job_share_its_permits():
    inside = Counter()

    def leaf(number):
        with inside:
            time.sleep(0.002)
        return number

    def job(number):
        return list(in_order(leaf, range(5), 4))

    assert list(in_order(job, range(4), 2)) == [list(range(5))] * 4
    assert inside.most == 2


@pytest.mark.parametrize("at_once", [1, 3])
def test_files_of_a_command_leave_all_threads_to_each_call(at_once):
    found = []
    outcome = each(["a", "b", "c"], lambda source: found.append(permits_of_this_call()), at_once)
    assert (outcome.done, outcome.status) == (("a", "b", "c"), 0)
    assert found == [None] * 3


def test_permits_are_given_back():
    with permitted(threading.Semaphore(3)):
        for _ in range(3):
            with spare_permits(5) as helpers:
                assert helpers == 2
                with spare_permits(5) as none_left:
                    assert none_left == 0
        with pytest.raises(ZeroDivisionError):
            list(in_bands(lambda number: 1 // number, [1, 2, 0, 3]))
        with spare_permits(5) as helpers:
            assert helpers == 2
    assert permits_of_this_call() is None
    with spare_permits(5) as helpers:
        assert helpers == 0


def test_who_stops_early_gives_back_too():
    with permitted(threading.Semaphore(2)):
        bands = in_bands(lambda number: number, range(50))
        assert next(bands) == 0
        bands.close()
        with spare_permits(1) as helpers:
            assert helpers == 1


def test_cores_are_those_that_the_process_may_use():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_openmp_is_limited_here_and_only_here():
    before, elsewhere = torch.get_num_threads(), []
    with one_openmp_thread():
        assert torch.get_num_threads() == 1
        other = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
        other.start()
        other.join()
        with one_openmp_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before == elsewhere[0]
    with one_openmp_thread(wanted=False):
        assert torch.get_num_threads() == before


def run(code, **variables):
    """What a process with several threads of OpenMP prints; it has 20 seconds after its imports."""
    env = {**os.environ, "OMP_NUM_THREADS": "3", **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


PICTURE = """
import os, sys, time
import numpy as np
import torch
import bbans
rng = np.random.default_rng(0)
x = np.cumsum(rng.integers(-3, 4, (160, 200, 3)), 1).clip(-100, 100).astype(np.int64)
x = (x + 128).astype(np.uint8)
"""

FORKED = (
    PICTURE
    + """
if sys.argv[-1] == "host":  # the host has used threads of OpenMP itself
    torch.randn(600, 600) @ torch.randn(600, 600)
data = bbans.compress(x)
child = os.fork()
if not child:
    again = bbans.compress(x)
    same = again == data and np.array_equal(bbans.decompress(data), x)
    os._exit(0 if same else 1)
end = time.monotonic() + 20
while time.monotonic() < end:
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        print("ended", os.waitstatus_to_exitcode(status))
        break
    time.sleep(0.05)
else:
    os.kill(child, 9)
    print("hangs")
"""
)


@pytest.mark.parametrize("host", ["host", "quiet"])
def test_a_forked_child_compresses_and_decompresses(host):
    code = FORKED.replace('sys.argv[-1] == "host"', repr(host == "host"))
    assert run(code) == ["ended", "0"]


CHAINS_FORKED = """
import os, sys, time
import numpy as np
import bbans
from tests.chains import chain_model, picture
model = chain_model("pyramid")
images = [(str(i), picture(model, i)) for i in range(300)]
folder = sys.argv[1]
bbans.create_archive(folder + "/parent.bbar", images, model=model)
child = os.fork()
if not child:
    bbans.create_archive(folder + "/child.bbar", images, model=model)
    back = dict(bbans.read_archive(folder + "/parent.bbar", model=model))
    os._exit(0 if all(np.array_equal(back[n].pixels, x) for n, x in images) else 1)
end = time.monotonic() + 60
while time.monotonic() < end and not (done := os.waitpid(child, os.WNOHANG))[0]:
    time.sleep(0.05)
if not done[0]:
    os.kill(child, 9)
    sys.exit("hangs")
parent, child = (open(f"{folder}/{name}.bbar", "rb").read() for name in ("parent", "child"))
print(os.waitstatus_to_exitcode(done[1]), parent == child)
"""


def test_a_forked_child_archives_with_a_chain(tmp_path, repository):
    code = CHAINS_FORKED.replace("sys.argv[1]", repr(str(tmp_path)))
    assert run(code, PYTHONPATH=str(repository)) == ["0", "True"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_no_thread_outlives_a_call_and_none_of_openmp_is_started():
    code = (
        PICTURE
        + """
before = len(os.listdir("/proc/self/task"))
data = bbans.compress(x, threads=2)
bbans.decompress(data, threads=2)
print(len(os.listdir("/proc/self/task")) - before)
"""
    )
    assert run(code) == ["0"]
