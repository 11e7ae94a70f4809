"""One load: a registry of some size, everything of security on, arrivals of one profile, and what came of them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import databases, disk, machine, servers
from benchmarks.databases import Database
from benchmarks.dataset import is_loaded, load_dataset
from benchmarks.load.arrivals import Schedule
from benchmarks.load.counted import Counted
from benchmarks.load.generator import GeneratorProcess, Task, begin_in
from benchmarks.load.kept import documents_kept, octets_of
from benchmarks.load.machine_use import MemoryWatch, ProcessorUse
from benchmarks.load.messages import FED_PATIENTS
from benchmarks.load.profiles import FEED, Goal, Profile
from benchmarks.load.result import Result
from benchmarks.opened_records import open_for_the_doctor
from benchmarks.plan import Sizes
from benchmarks.progress import Progress
from benchmarks.servers import Server, free_port
from benchmarks.shown import Shown
from carnet.pki import Use
from carnet.settings import Settings, load
from tests import mutual_tls
from tests.mutual_tls import Pki

# Both belong to the measurement: every check that a site may choose is on, and a limit on one client is off, since
# all clients of a load show one certificate.
CHECKED: Mapping[str, Any] = {"cda_validity": "refuse", "cda_agreement": "refuse", "requests_per_second": 0}
_LEAD_SECONDS = 1.0
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What to do. `rate` 0 takes that of the goal; `read_back` 0 reads every acknowledged document."""

    profile: Profile
    sizes: Sizes
    database: str
    rate: float
    seconds: float
    warm_up: float
    seed: int = 1
    generators: int = 1
    connections: int = 0
    workers: int = 1
    reuse: int = 4
    read_back: int = 1000
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def goal(self) -> Goal:
        return self.profile.goals[self.database]

    @property
    def arrivals_a_second(self) -> float:
        return self.rate or self.goal.rate

    def task(self, part: int, port: int, shown: Shown) -> Task:
        """What the generator with this number does."""
        schedule = Schedule(
            profile=self.profile,
            rate=self.arrivals_a_second,
            seconds=self.seconds,
            warm_up=self.warm_up,
            seed=self.seed,
            part=part,
            parts=self.generators,
        )
        connections = (self.connections or self.profile.connections) // self.generators
        return Task(
            sizes=self.sizes, schedule=schedule, port=port, shown=shown, connections=connections, reuse=self.reuse
        )


def measure(plan: Measurement, folder: Path, tell: Tell) -> Result:
    """Raises GeneratorFailed, ServerFailed, CannotLoad, UnusablePlan."""
    load_before, pace = machine.load_average(), machine.pace()
    with ExitStack() as stack:
        database = stack.enter_context(
            databases.opened(plan.database, folder, threads=Settings().threads, workers=plan.workers)
        )
        fill(plan.sizes, database, tell)
        pki = mutual_tls.a_pki(Path(stack.enter_context(TemporaryDirectory(prefix="carnet-load-pki-"))))
        settings = secured(database.settings, pki, plan.settings)
        server = stack.enter_context(servers.carnet(settings))
        # Now: at its start a server keeps a reserve of the disk for the audit.
        kept, octets = documents_kept(settings), octets_of(settings)
        generators = stack.enter_context(generators_of(plan, server, pki))
        tell(prepared(generators))
        run = _Run(plan, server, database, generators, tell)
        counted = run.done()
        many, problems = _read_back(plan, generators, tell)
        return Result(
            plan=plan,
            counted=counted,
            use=run.use,
            memory=run.memory,
            read_back=many,
            problems=problems,
            documents=documents_kept(settings) - kept,
            octets=octets_of(settings) - octets,
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            version=database.version,
            server_workers=settings.workers,
            load_before=load_before,
            paces=(pace, machine.pace()),
            load_after=machine.load_average(),
        )


def fill(sizes: Sizes, database: Database, tell: Tell) -> None:
    """Load the data set where it is not yet, and open the records."""
    if not is_loaded(sizes, database.settings):
        tell(disk.check(database.settings.data_folder, disk.needed(sizes.entries, [database.name])))
        with Progress("loading entries", sizes.entries) as progress:
            loaded = load_dataset(sizes, [database.settings], on_progress=progress.at)
        tell(f"loaded in {loaded.seconds:.0f} s")
    open_for_the_doctor(sizes, database.settings, fed=FED_PATIENTS)


def secured(settings: Settings, pki: Pki, given: Mapping[str, Any]) -> Settings:
    """The settings with mutual TLS, VIHF, policy, checks of CDA and audit. Raises SettingsError."""
    port, health = free_port(), free_port()
    shown = {"security": "mtls", "certificate": str(pki.server), "trust": str(pki.trust), "audit": "on"}
    chosen = {"port": port, "health": f"127.0.0.1:{health}", **shown, **CHECKED, **given}
    named = ("data", "database", "threads", "workers")
    return load({name: getattr(settings, name) for name in named} | chosen)


@contextmanager
def generators_of(plan: Measurement, server: Server, pki: Pki) -> Iterator[Sequence[GeneratorProcess]]:
    """The processes that send, until the end."""
    signer = pki.written(pki.card[Use.SIGNATURE])
    shown = Shown(trust=str(pki.trust), certificate=str(pki.client), signer=str(signer))
    made = [GeneratorProcess(plan.task(part, server.port, shown)) for part in range(plan.generators)]
    try:
        yield made
    finally:
        for one in made:
            one.stop()


def prepared(generators: Sequence[GeneratorProcess]) -> str:
    """Have every message ready to be sent; says how many there are."""
    for one in generators:
        one.ask("prepare")
    found = [one.wait() for one in generators]
    arrivals, assertions = (sum(counts) for counts in zip(*found, strict=True))
    return f"{arrivals} arrivals drawn, {assertions} assertions signed"


class _Run:
    """The measured time: arrivals are sent by the generators; this process looks on."""

    def __init__(
        self,
        plan: Measurement,
        server: Server,
        database: Database,
        generators: Sequence[GeneratorProcess],
        tell: Tell,
    ) -> None:
        self._plan, self._generators, self._tell = plan, generators, tell
        self._processes = server.process, database.process
        self._told = 0

    def done(self) -> Counted:
        begin = begin_in(_LEAD_SECONDS)
        for one in self._generators:
            one.ask("run", begin)
        with MemoryWatch(self._processes[0]) as memory:
            time.sleep(max(0.0, begin + self._plan.warm_up - time.monotonic()))
            before = ProcessorUse.now(*self._processes)
            counted = self._ended(begin)
            self.use = ProcessorUse.now(*self._processes).since(before)
        self.memory = memory.most
        return counted

    def _ended(self, begin: float) -> Counted:
        """Wait for every generator; what they counted, merged."""
        waiting, whole = list(self._generators), Counted()
        while waiting:
            for one in list(waiting):
                if one.hears(1.0):
                    found = one.answer()
                    if found is not None:
                        whole.merge(found)
                        waiting.remove(one)
            self._say(time.monotonic() - begin)
        return whole

    def _say(self, seconds: float) -> None:
        """Ten times while it lasts."""
        lasts = self._plan.warm_up + self._plan.seconds
        tenth = min(10, int(10 * seconds / lasts))
        if tenth > self._told:
            self._told = tenth
            self._tell(f"{self._plan.profile.name}: {min(seconds, lasts):.0f} of {lasts:.0f} s")


def _read_back(plan: Measurement, generators: Sequence[GeneratorProcess], tell: Tell) -> tuple[int, dict[str, int]]:
    if FEED not in plan.profile.mix:
        return 0, {}
    tell("reading acknowledged documents back ...")
    each = -(-plan.read_back // plan.generators) if plan.read_back else 0
    for one in generators:
        one.ask("read_back", each)
    many, problems = 0, {}
    for one in generators:
        some, found = one.wait()
        many += some
        problems |= found
    return many, problems
