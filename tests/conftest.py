"""What holds for every test: nothing left behind, nothing left out unnamed.

* A test that leaves an asyncio task running fails, and the task is named.
* A process started by a test and left running fails the session.
* ``@pytest.mark.needs("mosquitto")`` leaves a test out where the tool is missing and
  the summary names it; with ``CI=true`` in the environment anything left out fails.
* ``@pytest.mark.bars`` tests run with ``ECOGATE_BARS=1`` or ``-m bars`` only.
* ``count(small, full)`` and ``figure(name, value)`` are fixtures for stated bars.
* Randomness starts from one seed, printed first; ``ECOGATE_SEED`` repeats a run.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import shutil
import sys
from collections import Counter
from pathlib import Path

import hypothesis
import psutil
import pytest

BARS = os.environ.get("ECOGATE_BARS", "") not in ("", "0")
STRICT = os.environ.get("CI", "") not in ("", "0", "false")
SEED = int(os.environ.get("ECOGATE_SEED") or random.SystemRandom().randrange(2**31))

# Where nats-server comes to (a wheel), and where Debian keeps mosquitto: an ordinary
# user's PATH often lacks both.
_TOOL_PATHS = (
    str(Path(sys.executable).parent),
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
)

# Packages that bring no command but a library: name -> pattern of a file of theirs.
_LIBRARIES = {
    line.split()[0]: line.split()[1]
    for line in (Path(__file__).parents[1] / ".ci/apt.txt").read_text().splitlines()
    if line.split()[1:2] and line.split()[1].startswith("/")
}

_missing: Counter[str] = Counter()
_left_behind: list[str] = []

hypothesis.settings.register_profile(
    "test", deadline=None, max_examples=60, print_blob=True
)
hypothesis.settings.register_profile(
    "bars", deadline=None, max_examples=500, print_blob=True
)
hypothesis.settings.load_profile("bars" if BARS else "test")


def pytest_configure(config):
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    wanted = [path for path in _TOOL_PATHS if path not in parts]
    os.environ["PATH"] = os.pathsep.join([*parts, *wanted])
    os.environ["ECOGATE_SEED"] = str(SEED)


def pytest_report_header(config):
    counts = "full counts" if BARS else "small counts (full: make bars)"
    return f"ecogate: seed {SEED} (ECOGATE_SEED={SEED} repeats it), {counts}"


def pytest_collection_modifyitems(config, items):
    wanted = BARS or "bars" in (config.getoption("markexpr") or "")
    kept, dropped = [], []
    for item in items:
        full_count = item.get_closest_marker("bars") is not None
        (dropped if full_count and not wanted else kept).append(item)
        if BARS:  # limits are for small counts; one that is longer stays
            own = item.get_closest_marker("timeout")
            limit_s = max(3000, own.args[0] if own and own.args else 0)
            item.add_marker(pytest.mark.timeout(limit_s), append=False)
        # First in, last out: every other fixture has ended when it looks.
        if inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.fixturenames.insert(0, "_no_task_left_running")
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def pytest_runtest_setup(item):
    for marker in item.iter_markers("needs"):
        for tool in marker.args:
            if not _is_here(tool):
                _missing[tool] += 1
                pytest.skip(f"needs {tool}, which is not installed here")


def _is_here(tool):
    if tool in _LIBRARIES:
        return any(Path("/").glob(_LIBRARIES[tool].lstrip("/")))
    return shutil.which(tool) is not None


@pytest.fixture
async def _no_task_left_running():
    before = asyncio.all_tasks()
    yield
    this = asyncio.current_task()
    for _ in range(5):  # cancelled tasks and done-callbacks get their last turns
        left = {t for t in asyncio.all_tasks() - before - {this} if not t.done()}
        if not left:
            return
        await asyncio.sleep(0)
    for task in left:
        task.cancel()
    names = ", ".join(sorted(f"{t.get_name()} ({t.get_coro()})" for t in left))
    pytest.fail(f"left running: {names}")


@pytest.fixture
def seed(request):
    """A number for this test's randomness: say it in the assertion's message."""
    return random.Random(f"{SEED}/{request.node.nodeid}").randrange(2**31)


@pytest.fixture
def count():
    """How often: ``count(20, 10_000)`` is 20, and 10,000 in ``make bars``."""
    return lambda small, full: full if BARS else small


@pytest.fixture
def figure(record_property, request):
    """State a number a reader wants: ``figure("wrong", 0)``; kept by ``make bars``."""

    def state(name, value):
        record_property(name, value)
        print(f"{request.node.name}: {name} = {value}")

    return state


@pytest.fixture(autouse=True, scope="session")
def _no_process_left_running():
    yield
    for child in psutil.Process().children(recursive=True):
        try:
            if child.status() == psutil.STATUS_ZOMBIE:
                continue
            _left_behind.append(f"{child.pid} {' '.join(child.cmdline())[:120]}")
            child.kill()
        except psutil.NoSuchProcess:
            continue


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if exitstatus == pytest.ExitCode.OK and (_left_behind or (STRICT and skipped)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    for line in _left_behind:
        terminalreporter.write_line(f"left running by a test: {line}", red=True)
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    bold = "fails here (CI is set)" if STRICT else "the rest ran"
    terminalreporter.section(f"left out: {len(skipped)} tests, {bold}")
    for tool, count in sorted(_missing.items()):
        terminalreporter.write_line(f"{tool} is not installed: {count} tests")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        terminalreporter.write_line(f"  {report.nodeid}: {reason}")
