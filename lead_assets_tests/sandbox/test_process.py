"""The sandbox as a process: an exact meter under load, the same answers everywhere, and an end with its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lead_assets.sandbox import Handle, start
from lead_assets_tests.sandbox.asking import FLIPPER, claude, client, lead, run


def test_the_meter_is_exact_under_concurrent_calls(sandbox: Handle) -> None:
    def work(worker: int) -> None:
        with client(sandbox) as http:
            for turn in range(10):
                assert run(http, *(f"load{worker}-{turn}-{i}.example" for i in range(5)), "shared.example").status_code == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert sandbox.meter() == {"pipe0": {"company:overview@2": {"requests": 80, "billed": 480, "usd": 14.4}}}
    subjects = sandbox.subjects("pipe0")["company:overview@2"]
    assert subjects.pop("shared.example") == 80
    assert len(subjects) == 400
    assert set(subjects.values()) == {1}


def test_two_sandboxes_answer_alike(sandbox: Handle) -> None:
    def ask(one: Handle) -> list[Any]:
        pipes = ("company:overview@2", "company:funding:leadmagic@1", "company:techstack:builtwith@1", "company:newssummary:website@1")
        with client(one) as http:
            message = claude(one).messages.create(**lead(FLIPPER))
            return [
                run(http, *(f"alike{i}.example" for i in range(20)), pipes=pipes).json()["records"],
                http.get("/apollo/api/v1/organizations/enrich", params={"domain": "alike1.example"}).json(),
                http.get("/hunter/v2/domain-search", params={"domain": "alike2.example"}).json(),
                http.get("/aturiya/users/u/agents/sdr/a/leads").json(),
                message.content[0].to_dict(),
                message.usage.to_dict(),
            ]

    with start() as other:
        assert other.url != sandbox.url
        assert ask(other) == ask(sandbox)


def test_requests_are_logged_with_time_body_and_status(sandbox: Handle) -> None:
    before = time.time()
    with client(sandbox) as http:
        run(http, "logged.example")
        http.get("/pipe0/v1/pipes/check/none")
    first, second = sandbox.requests("pipe0")
    assert before <= first["at"] <= second["at"] <= time.time()
    assert (first["operations"], first["status"], second["status"]) == (["company:overview@2"], 200, 404)
    assert "logged.example" in first["body"]
    assert "key" not in str(first)


def test_reset_forgets_everything(sandbox: Handle) -> None:
    with client(sandbox) as http:
        begun = run(http, "gone.example", path="run").json()
        sandbox.set_fault("pipe0", "html")
        sandbox.reset()
        assert sandbox.meter() == {}
        assert sandbox.requests("pipe0") == []
        assert http.get(f"/pipe0/v1/pipes/check/{begun['id']}").status_code == 404
        assert run(http, "gone.example").status_code == 200


def test_it_ends_with_the_block() -> None:
    with start() as handle:
        assert handle.pid is not None
        port = int(handle.url.rpartition(":")[2])
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()


def test_it_ends_when_its_parent_is_killed() -> None:
    code = "import sys, time\nfrom lead_assets.sandbox import start\nwith start() as handle:\n    print(handle.pid, flush=True)\n    time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.send_signal(signal.SIGKILL)
    parent.wait(5)
    parent.stdout.close()
    for _ in range(250):
        if not _alive(child):
            break
        time.sleep(0.02)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        if os.path.isdir("/proc/self"):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_port_that_is_taken_is_an_error_that_says_so(sandbox: Handle) -> None:
    taken = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(RuntimeError, match=str(taken)), start(port=taken):
        pass


def test_importing_the_sandbox_loads_none_of_its_services() -> None:
    code = "import sys, lead_assets.sandbox; print(sorted(m for m in sys.modules if m.split('.')[0] in ('starlette', 'uvicorn', 'pydantic', 'orjson')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
