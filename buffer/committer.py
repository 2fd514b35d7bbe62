"""When something has to be written, and what became of it: timers and jobs.

    appended --0.7 s, events 20 ms--> still owed to someone? --yes--> Store.commit
                                             `--no--> dropped, nothing is written

One job at a time in the store's thread. A cursor's move over records on disk is stored
with the next rows, or by itself after 5 s; every 60 s the control file is written. A
note never overtakes the records before it: what one says of the other ("these gaps are
told") is true in whatever a kill leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffer.model import PriorityClass
from buffer.pace import Pace
from buffer.store import Work

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from concurrent.futures import Executor

    from buffer.intervals import Intervals
    from buffer.memory import Memory
    from buffer.model import Entry, Limits, Loss
    from buffer.store import Done, Store
    from buffer.supply import Supply

_RETRY_S = 1.0
_SETTLE_S = 5.0
"""Without records to carry them, moved cursors are stored after this long."""
_RESTED_S = 0.95
"""After a commit this long ago the next record waits only for its own burst."""
_AT_ONCE_S = 0.01
_EARLY_S = 0.002
"""A timer may fire this much before its time."""


class Committer:
    """The writing half of the event loop's side."""

    def __init__(
        self,
        memory: Memory,
        supply: Supply,
        store: Store,
        limits: Limits,
        *,
        loop: asyncio.AbstractEventLoop,
        executor: Executor,
        wall_ms: Callable[[], int],
        on_losses: Callable[[list[Loss]], None],
        on_readable: Callable[[], None],
        on_bug: Callable[[BaseException], None],
    ) -> None:
        self._memory = memory
        self._supply = supply
        self._store = store
        self._limits = limits
        self._loop = loop
        self._executor = executor
        self._wall_ms = wall_ms
        self._on_losses = on_losses
        self._on_readable = on_readable
        self._on_bug = on_bug
        self._pace = Pace(memory.high, loop.time())
        self._notes: dict[str, bytes | None] = {}
        self._save = False
        self._all = False
        """The next commit writes what waits although it is not due."""
        self._scattered = False
        self._opening = 0
        """The record that armed the commit timer last."""
        self._began = -_RESTED_S
        """When rows were written last, loop time."""
        self._due = self._started = self.commit_ms = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._settle_timer: asyncio.TimerHandle | None = None
        self._beaten = loop.time()
        self._beat_timer: asyncio.TimerHandle | None = loop.call_later(
            limits.heartbeat_s, self._beat
        )
        self._job: asyncio.Future[Done] | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self.trouble: str | None = None
        self.closed = False

    # -- what happens ----------------------------------------------------------------

    def appended(self, entry: Entry, now: float) -> None:
        """A record waits: see to it that it becomes durable in time."""
        memory, pace = self._memory, self._pace
        pending = memory.pending
        if pending.size > self._limits.ring_bytes:
            self.shed()
        if pending.count > pace.allowed:
            if self._avoids():
                memory.drop_proved()
            if pending.count > pace.allowed:
                # The bound of what a crash can cost is always ahead of the records.
                pace.passed(pending.count)
                self._allow()
        if self.trouble is not None:
            return
        if pace.hurry:
            self._all = True
            self.commit_by(now)
        elif memory.ceiling is not None and entry.seq > memory.ceiling:
            self.commit_by(now)
        elif entry.cls is PriorityClass.EVENT:
            self.commit_by(now + self._limits.event_s)
        elif self._timer is None:
            self.commit_by(now + self._patience(entry.seq, now))

    def resolved(self, first: int, last: int) -> None:
        """A cursor moved: store it, unless none of it was ever to be on disk."""
        memory = self._memory
        if self.closed:
            return
        if self._settle_timer is None and (
            self._job is not None or memory.on_disk.touches(first, last)
        ):
            self._settle_timer = self._loop.call_later(_SETTLE_S, self._settle)
        if memory.pending.count and self._avoids() and memory.is_idle():
            self._relax()

    def remember(self, key: str, value: bytes | None, *, lazily: bool) -> None:
        """Keep a note with the next control file, which is soon unless ``lazily``."""
        self._notes[key] = value
        if not lazily:
            self.save_soon()

    def recall(self, key: str) -> bytes | None:
        """What was remembered."""
        if key in self._notes:
            return self._notes[key]
        return self._store.notes.get(key)

    def save_soon(self) -> None:
        """Write the control file with the next group."""
        self._save = True
        self.commit_by(self._loop.time() + self._limits.commit_s)

    def take_losses(self, losses: list[Loss], lost: Intervals) -> None:
        """The store stated these."""
        self._memory.take_lost(lost)
        if losses:
            self._memory.losses |= {loss.id: loss for loss in losses}
            self._on_losses(losses)

    def shed(self) -> None:
        """Keep the ring."""
        self._memory.shed(self._loop.time() - self._limits.ring_s)

    # -- when --------------------------------------------------------------------------

    def commit_by(self, due: float) -> None:
        """Look again at ``due`` (loop time) at the latest."""
        if self._timer is not None:
            if due >= self._due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self.commit)

    def _patience(self, seq: int, now: float) -> float:
        """How long the first of a group waits.

        What comes rarely is written at once: a second wake-up would cost more than the
        commit, and it would save none. Unless there is hope that it need not be
        written at all: because everybody has what came last.
        """
        before, self._opening = self._opening, seq
        hope = self._avoids() and self._memory.has_everyone(before)
        if hope or now - self._began < _RESTED_S:
            return self._limits.commit_s
        self._all = True
        return _AT_ONCE_S

    def _avoids(self) -> bool:
        """Whether what every target proved in time is not written."""
        return not (
            self._limits.write_through or self._scattered or not self._memory.cursors
        )

    def _relax(self) -> None:
        """Everybody has everything: nothing needs to be written."""
        memory = self._memory
        memory.drop_proved()
        self._pace.look(memory.high, self._loop.time())
        if not memory.pending.count and not self._save and not self._must_raise():
            self._stop_timer()
            self._all = self._pace.hurry = False
        memory.trim()

    def _must_raise(self) -> bool:
        ceiling = self._memory.ceiling or 0
        return self._pace.ceiling(self._memory.high, ceiling) > ceiling

    # -- jobs --------------------------------------------------------------------------

    def commit(self) -> None:
        """Hand what is due to the store, unless a job is under way."""
        self._stop_timer()
        if self._job is not None or self.closed:
            return  # what waits is picked up when the job ends
        memory, pending = self._memory, self._memory.pending
        now = self._loop.time()
        avoids = self._avoids()
        if avoids:
            memory.drop_proved()
        due = pending.due(self._limits.commit_s, self._limits.event_s)
        urgent = self._all or self._pace.hurry or self.trouble is not None
        urgent = urgent or bool(self._save and self._notes)
        groups: dict[PriorityClass, list[Entry]] = {}
        if due is not None and (not avoids or urgent or due <= now + _EARLY_S):
            groups = pending.begin(now - 2 * self._limits.ring_s)
            self._began = now
        if groups or not pending.count:
            self._pace.begin(memory.high, now)
            self._all = False
        self._allow()
        if groups or self._save or memory.dropped or self._must_raise():
            self._start(self.work(groups), now)
        elif due is not None:
            self.commit_by(due)
        else:
            memory.trim()

    def work(self, groups: dict[PriorityClass, list[Entry]]) -> Work:
        """Snapshots of all a job may need."""
        memory, pace = self._memory, self._pace
        self._supply.ask_for_oldest()
        wall_ms = safe_ms = self._wall_ms()
        water = memory.high
        # With a group: what did not fit in it.
        first = memory.pending.left()
        if first is not None:
            water = first - 1
            waited_s = self._loop.time() - memory.pending.since(first)
            safe_ms -= int(min(waited_s, self._limits.ring_s) * 1000) + 1
        return Work(
            groups=sorted(groups.items()),
            cursors=memory.copies(),
            high=memory.high,
            water=water,
            window=pace.window + memory.pending.left_bulky(),
            ceiling=pace.ceiling(memory.high, memory.ceiling or 0),
            wall_ms=wall_ms,
            safe_ms=safe_ms,
            settles=dict(memory.pending.settles),
            dropped=memory.dropped,
            avoided=memory.avoided,
            notes=self._notes if first is None else {},
            parked=dict(memory.parked),
            save=self._save,
            times_of=self._supply.asked(),
            given=memory.given.copy(),
        )

    def _start(self, work: Work, now: float) -> None:
        memory = self._memory
        self._started = now
        memory.dropped, memory.avoided = [], []
        if work.notes:
            self._notes = {}
        self._save = self._save and bool(self._notes)  # held back: see ``work``
        if (work.groups or work.save) and self._settle_timer is not None:
            self._settle_timer.cancel()
            self._settle_timer = None
        job = self._job = self._loop.run_in_executor(
            self._executor, self._store.commit, work
        )
        job.add_done_callback(lambda done: self._committed(done, work, now))

    def _committed(self, job: asyncio.Future[Done], work: Work, began: float) -> None:
        """Take in what became of a commit, on the loop."""
        self._job = None
        if job.cancelled():
            return
        exc = job.exception()
        if exc is not None:
            self._on_bug(exc)
            return
        done, memory = job.result(), self._memory
        self.commit_ms = (self._loop.time() - began) * 1000
        written = dict(work.groups)
        for cls, n in done.durable:
            memory.on_disk.add(cls, written[cls][:n])
        for loss_id in memory.pending.end(done.durable):
            memory.losses.pop(loss_id, None)
        if not done.accepted:
            memory.dropped = work.dropped + memory.dropped
        self._notes = work.notes | self._notes
        self._supply.told(done.times)
        self._scattered = done.scattered
        was_hidden = memory.ceiling is not None and memory.high > memory.ceiling
        memory.ceiling = self._store.ceiling
        self.take_losses(done.losses, done.lost)
        self._take_trouble(done.trouble)
        memory.trim()
        self.wake()
        if was_hidden:
            self._on_readable()

    def _take_trouble(self, trouble: str | None) -> None:
        recovered = self.trouble is not None and trouble is None
        self.trouble = trouble
        if self.closed:
            return
        now, memory = self._loop.time(), self._memory
        if trouble is not None:
            self.shed()
            self.commit_by(now + _RETRY_S)
        elif recovered:
            # What was dropped meanwhile and every cursor it moved: written out now.
            self._save = True
            self.commit_by(now)
        elif memory.pending.count or self._save:
            due = memory.pending.due(self._limits.commit_s, self._limits.event_s)
            urgent = due is None or self._pace.hurry or self._all
            self.commit_by(now if urgent or due is None else max(now, due))

    # -- waiting for it ----------------------------------------------------------------

    async def settled(self) -> None:
        """Wait for the end of a commit of all that waits, if there is need of one."""
        self._all = True
        await self._ended()

    async def remembered(self) -> None:
        """Wait until the notes are durable, or the disk refused them."""
        if self._job is not None:
            await self._ended()  # it may carry some of them
        while self._notes and self.trouble is None:
            self._save = True
            await self._ended()

    async def _ended(self) -> None:
        self.commit()
        if self._job is None:
            return
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def working_ms(self) -> float:
        """For how long the job under way has been so; 0 when there is none."""
        if self._job is None:
            return 0.0
        return (self._loop.time() - self._started) * 1000

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self._job is not None

    def wake(self, exc: BaseException | None = None) -> None:
        """Tell those who wait that a commit ended, or what ended the buffer."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if exc is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(exc)

    # -- timers ------------------------------------------------------------------------

    def _settle(self) -> None:
        self._settle_timer = None
        self._save = True
        self.commit()

    def _beat(self) -> None:
        now = self._loop.time()
        self._memory.age_parked(int((now - self._beaten) * 1000))
        self._beaten = now
        self._save = True
        if self._job is None and self.trouble is None:
            self.commit()
        self._beat_timer = self._loop.call_later(self._limits.heartbeat_s, self._beat)

    def _allow(self) -> None:
        """What a crash may cost is known to whoever opens the store next."""
        # What a commit under way carries is at risk until it is durable.
        at_risk = max(self._pace.allowed, self._memory.pending.count)
        self._store.allow(at_risk, self._wall_ms)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop(self) -> None:
        """No timer fires any more."""
        self.closed = True
        self._stop_timer()
        for timer in (self._settle_timer, self._beat_timer):
            if timer is not None:
                timer.cancel()
        self._settle_timer = self._beat_timer = None
