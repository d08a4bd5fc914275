"""Launching runs on the runtime: preflight, the run's row, and the engine that drives it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.assembly import Assembly
from core.base.endpoints import EndpointConfig
from core.base.errors import RunError
from core.base.records import ItemStatus, RunStatus
from core.base.settings import Settings
from core.base.views import RunView
from core.connections import Connections, PracticeServers
from core.directions import Notices, Told
from core.kept_launch import kept_launch, launch_again
from core.launch import Launch
from core.models.discovery import Discovery, WarmUp
from core.pipeline.control import Commands
from core.pipeline.controller import knee
from core.pipeline.driver import Order, RunDriver
from core.runtime import Runtime
from core.store import Store
from core.sweep_run import SweepRun, sweep_of

LEAST_DISK_MB = 64
CLOSED = "The program was closed."
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Live:
    """A run that this process owns; `future` ends with it."""

    future: concurrent.futures.Future[RunView]
    driver: RunDriver | None = None


class Launcher:
    """Owns the runtime and the runs of this process."""

    def __init__(self, settings: Settings, store: Store, runtime: Runtime, env: Mapping[str, str]) -> None:
        self._settings = settings
        self._store = store
        self._runtime = runtime
        self._env = env
        self._notices = Notices(store, settings, env)
        self._practice = PracticeServers()
        self._live: dict[str, Live] = {}
        self._door = threading.Lock()
        self._closing = False
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def __repr__(self) -> str:
        return f"<Launcher {len(self._live)} live runs>"

    def start(self, launch: Launch) -> str:
        """Preflight, write, launch; the run's id."""
        self._needs_items(launch)
        run_id = time.strftime("%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(2)
        self._begin(Order(run_id, self._owner, parent=launch.parent), launch)
        return run_id

    def _needs_items(self, launch: Launch) -> None:
        if not launch.items:
            msg = f"Nothing to do: no items of workload {launch.workload.id!r} were selected. Import some first."
            raise RunError(msg)

    def _needs_disk(self) -> None:
        """RunError where the disk is as good as full: the embedded index maps its files, and the system kills us."""
        folder = self._store.path.resolve().parent
        free_mb = shutil.disk_usage(folder).free / 1e6
        if free_mb < LEAST_DISK_MB:
            msg = f"The disk of {folder} has {free_mb:.0f} MB left; a run needs {LEAST_DISK_MB} MB. Make room first."
            raise RunError(msg)

    def preflight(self, launch: Launch) -> None:
        """Check all that a start checks; nothing is written."""
        self._needs_items(launch)
        self._needs_disk()
        self._runtime.call(self._check(launch))

    async def _check(self, launch: Launch) -> None:
        told = await asyncio.to_thread(self._notices.read)
        async with self.connections(told) as connections:
            await Assembly.of(launch, connections, self._notices, told)

    def connections(self, told: Told | None = None, notices: Notices | None = None) -> Connections:
        """Connections to everything that the settings name, and what the store's say beside them; not open yet."""
        settings = self._settings if told is None else (notices or self._notices).settings_now(told)
        return Connections(settings, self._env, self._practice)

    def discover(self, endpoint: EndpointConfig) -> Discovery:
        """Ask an endpoint what it serves; a practice server is started for it."""
        return self._runtime.call(self._discover(endpoint))

    async def _discover(self, endpoint: EndpointConfig) -> Discovery:
        async with self.connections() as connections:
            return await connections.discover(endpoint)

    def warm_up(self, endpoint: EndpointConfig, model: str) -> WarmUp:
        """Send an endpoint one tiny call, which is paid for like any other and stands in no ledger."""
        return self._runtime.call(self._warm_up(endpoint, model))

    async def _warm_up(self, endpoint: EndpointConfig, model: str) -> WarmUp:
        async with self.connections() as connections:
            return await connections.warm_up(endpoint, model)

    def resume(
        self, run: RunView, *, who: str, retry_failed: bool, only_failed: bool, changes: Mapping[str, Any]
    ) -> None:
        """Launch a run again that no process owns."""
        if run.owner_alive:
            msg = f"Run {run.id} is being worked on by {run.owner}; watch it with: show {run.id}"
            raise RunError(msg)
        if run.status is RunStatus.CANCELLED:
            msg = f"Run {run.id} was cancelled; start a new one."
            raise RunError(msg)
        launch = launch_again(run, self._settings, who).changed(changes)
        only = self._failed(run) if only_failed else None
        order = Order(run.id, self._owner, resumed=True, parent=launch.parent, only=only)
        self._begin(order, launch, retry=[ItemStatus.FAILED] if retry_failed or only_failed else [])

    def _failed(self, run: RunView) -> frozenset[str]:
        failed = self._store.runs.item_ids(run.id, [ItemStatus.FAILED])
        if not failed:
            msg = f"Nothing to do: no item of run {run.id} failed."
            raise RunError(msg)
        return frozenset(failed)

    def _begin(self, order: Order, launch: Launch, *, retry: Sequence[ItemStatus] = ()) -> None:
        """Start the run's task and wait until its preflight is through; its error is the caller's."""
        self._needs_disk()
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        run_id = order.run_id
        with self._door:
            self._admit(run_id)
            live = Live(self._runtime.submit(self._run(order, launch, ready, retry)))
            self._live[run_id] = live
        live.future.add_done_callback(lambda done: self._ended(run_id, live, done, ready))
        ready.result()

    def _admit(self, run_id: str) -> None:
        """RunError when closing, or where the run is at work here already: its lease would not tell the two apart."""
        if self._closing:
            msg = "The service is being closed: it begins no runs any more."
            raise RunError(msg)
        if self.owns(run_id):
            msg = f"Run {run_id} is being worked on by this process already; watch it with: show {run_id}"
            raise RunError(msg)

    def _ended(
        self,
        run_id: str,
        live: Live,
        done: concurrent.futures.Future[RunView],
        ready: concurrent.futures.Future[None],
    ) -> None:
        """Let go of a run that is over; an error that nobody waits for any more is at least in the log."""
        with self._door:
            if self._live.get(run_id) is live:
                del self._live[run_id]
        if ready.done() and not done.cancelled() and (error := done.exception()) is not None:
            log.error("run %s was left without a last word", run_id, exc_info=error)
        _pass_on(done, ready)

    async def _run(
        self,
        order: Order,
        launch: Launch,
        ready: concurrent.futures.Future[None],
        retry: Sequence[ItemStatus],
    ) -> RunView:
        run_id = order.run_id
        sweep = await asyncio.to_thread(sweep_of, run_id, launch, self._store, self._notices)
        notices = sweep.notices(self._notices) if sweep else self._notices
        told = await asyncio.to_thread(notices.read)
        async with self.connections(told, notices) as connections:
            assembly = await Assembly.of(sweep.launch if sweep else launch, connections, notices, told)
            if sweep:
                await asyncio.to_thread(sweep.claim, connections, self._owner)
            await asyncio.to_thread(self._write, run_id, assembly, resumed=order.resumed)
            if retry:
                await asyncio.to_thread(self._store.runs.requeue, run_id, retry)
            driver = await self._driver(order, assembly, sweep)
            self._hand_over(run_id, driver)
            ended = await driver.drive(lambda: _set(ready))
            if sweep:
                await sweep.close(ended)
            return ended

    async def _driver(self, order: Order, assembly: Assembly, sweep: SweepRun | None) -> RunDriver:
        """What drives a run that has its row; the limit of a sweep follows its schedule."""
        before = await asyncio.to_thread(self._store.runs.view, order.run_id)
        engine = assembly.engine(self._store, before, sweep.algorithm if sweep else knee)
        if sweep:
            await asyncio.to_thread(sweep.record)
            sweep.attach(engine)
        commands = Commands(self._store, order.run_id, assembly.allocations)
        return RunDriver(self._store, order, engine, commands, assembly.directions)

    def _hand_over(self, run_id: str, driver: RunDriver) -> None:
        """From here on `stop` reaches the run; one that was on its way while the service closed is told now."""
        with self._door:
            self._live[run_id].driver = driver
        if self._closing:
            driver.engine.stop(RunStatus.INTERRUPTED, CLOSED)

    def _write(self, run_id: str, assembly: Assembly, *, resumed: bool) -> None:
        """The run's row and its items; what a resume changed stays changed for the next one."""
        launch = assembly.launch
        kept = kept_launch(launch, self._settings, assembly.allocations)
        if resumed:
            self._store.runs.set_settings(run_id, kept)
            return
        workload = launch.workload
        self._store.runs.create(run_id, workload.id, workload.item_kind, launch.items, kept, launch.budget, launch.who)

    def wait(self, run_id: str, timeout: float | None) -> None:
        """Wait for the end of a run that this process owns; others are not waited for."""
        live = self._live.get(run_id)
        if live is not None:
            concurrent.futures.wait([live.future], timeout)

    def owns(self, run_id: str) -> bool:
        """Whether a run is being worked on here."""
        live = self._live.get(run_id)
        return live is not None and not live.future.done()

    def stop(self, run_id: str, reason: str, *, at_once: bool = False) -> None:
        """Admit no more to a run of this process; what is in flight finishes, or is cancelled."""
        live = self._live.get(run_id)
        if live is not None and live.driver is not None and self.owns(run_id):
            self._runtime.call(_stop(live.driver, reason, at_once=at_once))

    def close(self, timeout_s: float) -> None:
        """Drain the runs for so long, then cancel what is left, stop the practice servers and the thread."""
        with self._door:
            self._closing = True
            left = dict(self._live)
        for run_id in left:
            self.stop(run_id, CLOSED)
        concurrent.futures.wait([live.future for live in left.values()], timeout_s)
        self._runtime.close()
        self._practice.close()


async def _stop(driver: RunDriver, reason: str, *, at_once: bool) -> None:
    end = driver.engine.abort if at_once else driver.engine.stop
    end(RunStatus.INTERRUPTED, reason)


def _set(ready: concurrent.futures.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _pass_on(done: concurrent.futures.Future[Any], ready: concurrent.futures.Future[None]) -> None:
    """A run that ended before it was ready: its error is the answer to whoever waits."""
    if not ready.done():
        error = None if done.cancelled() else done.exception()
        ready.set_exception(error or RunError("The run was cancelled before it began."))
