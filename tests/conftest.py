"""What every test shares: two CPU devices, strict JAX, kept compilations, and one small finished run."""

import gc
import os
import signal
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ["JAX_NUM_CPU_DEVICES"] = "2"  # before JAX is imported; programs that tests start inherit it
gc.disable()  # until all is imported

import jax
import numpy as np
import pytest
from hypothesis import settings
from jax._src import compiler  # whose options JAX lets nobody choose for all programs

from ltjax import Compute, Data, Experiment, Model, Numerics, Prune, Train, studies
from ltjax.core.choices import Choice
from ltjax.core.registry import Registry, registry
from ltjax.data import DATASETS
from ltjax.lanes.program import LaneProgram
from ltjax.lottery.loop import find_tickets
from ltjax.models import Network
from ltjax.plots import saving
from ltjax.runs.folder import Run
from ltjax.runs.opening import open_run
from ltjax.settings.loading import experiments
from ltjax.sparsity import masks
from ltjax.training.task import Task

jax.config.update("jax_numpy_rank_promotion", "raise")
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

TINY = Experiment(
    name="tiny",
    trials=2,
    seed=3,
    arms={"ticket": 1, "reinit": 1},
    data=Data(name="digits", validation=100),
    model=Model(name="lenet", widths=(16, 12)),
    train=Train(steps=40, batch=30, evaluate_every=20, evaluate_batch=128),
    prune=Prune(rounds=2),
    compute=Compute(keep="all"),
    numerics=Numerics("direct", x64=False),
)
"""Two trials, two arms, three rounds: some seconds, most of them compilation; numerics as runs keep them."""


@pytest.fixture(scope="session")
def tiny() -> Experiment:
    return TINY


@pytest.fixture(scope="session", autouse=True)
def kept_compilations(tmp_path_factory):
    """Each program is compiled once between all tests, those that start ltjax as a process included."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # by the workers of one pytest
    folder = shared / "cache"
    os.environ["XDG_CACHE_HOME"] = str(folder)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "xla")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    jax.config.update("jax_compilation_cache_dir", str(folder / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def registered() -> dict[str, dict]:
    """What every registry holds that is imported, by its kind."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "ltjax"]
    return {
        each.kind: dict(each)
        for module in modules
        for each in vars(module).values()
        if isinstance(each, Registry)
    }


@pytest.fixture(scope="module", autouse=True)
def registries_left_as_they_were():
    """A module's tests take back what they register."""
    experiments()  # their files are read when they are first asked for
    import_module("ltjax.studies")  # figures and claims, which the end of a run by the command enters
    before = registered()
    yield
    after = registered()
    assert {kind: after[kind] for kind in before} == before


@pytest.fixture(scope="session", autouse=True)
def heeded_interrupts():
    """Programs that tests start heed Ctrl-C, even where pytest was started to ignore it, with an &."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


KEPT = 24
"""How many compiled programs of lanes are kept between tests."""

QUICKLY = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
"""How a program is compiled quickly: its loops by XLA's plain emitter, and all of it in one piece."""


QUICK_FLAGS = " ".join(f"--{name}={str(value).lower()}" for name, value in QUICKLY.items())
"""The same for programs that tests start."""


def quickly() -> bool:
    """Whether programs are compiled quickly."""
    return jax.config.read("jax_disable_most_optimizations")


@contextmanager
def compiled_quickly():
    """XLA's dear passes are off, in programs that tests start too."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {QUICK_FLAGS}"
    inherited = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "XLA_FLAGS": flags}
    jax.config.update("jax_disable_most_optimizations", True)
    options_of = compiler.get_compile_options

    def quick(*arguments, env_options_overrides=None, **named):
        chosen = {**(env_options_overrides or {}), **QUICKLY}
        return options_of(*arguments, env_options_overrides=chosen, **named)

    with patch.object(compiler, "get_compile_options", quick), patch.dict(os.environ, inherited):
        yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module", autouse=True)
def quick_compilation(request):
    """What a tiny network is compiled by takes longer than its few steps, so it is compiled quickly.

    Modules that are about XLA's arithmetic are marked ``optimised``: theirs are compiled as users' are.
    """
    with nullcontext() if request.node.get_closest_marker("optimised") else compiled_quickly():
        yield


@pytest.fixture(scope="session", autouse=True)
def shared_programs():
    """What lanes run is traced and compiled once between tests, not for each run of theirs.

    The programs that were used last are kept: with those of a whole suite, XLA runs out of memory maps.
    """
    known: dict[Any, tuple[dict, list]] = {}
    make = LaneProgram.__init__

    def made(self, training, splits, train, compute, lanes):
        make(self, training, splits, train, compute, lanes)
        chosen = (train.optimizer, train.schedule, training.augment, training.evolve, training.scheme)
        entries = [registry(each.kind)[each.name] if isinstance(each, Choice) else each for each in chosen]
        shapes = [(each.shape, each.dtype) for each in jax.tree.leaves(self.splits)]
        key = (
            training.task, train, training.examples, *chosen, *map(id, entries), *shapes, self.slots,
            self.mesh, self.batching, compute.convolution, compute.data, quickly(),
            jax.config.read("jax_enable_x64"),
        )  # fmt: skip
        known[key] = known.pop(key, (self.compiled, entries))  # kept, so that no other has its id
        self.compiled = known[key][0]
        for old in list(known)[:-KEPT]:
            del known[old]

    with patch.object(LaneProgram, "__init__", made):
        yield


SAVE = saving.save
"""What makes pictures of figures, as users have it."""


def sketch(figure, path):
    """In place of a figure's files, the smallest that a page can hold."""
    assert figure.axes
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.clear()
    for kind, metadata in saving.METADATA.items():
        figure.savefig(path.with_name(f"{path.name}.{kind}"), dpi=10, metadata=metadata)


@pytest.fixture(scope="module", autouse=True)
def sketched(request):
    """Figures are drawn and not made pictures, which takes three quarters of their time.

    Modules that are about pictures are marked ``rendered``.
    """
    marked = request.node.get_closest_marker("rendered")
    with nullcontext() if marked else patch.object(saving, "save", sketch):
        yield


@pytest.fixture
def undrawn(monkeypatch):
    """No report draws figures: for what is not about them, since they take the most time."""
    draw = studies.draw
    none = lambda study, folder, names=None: draw(study, folder, names or [])  # noqa: E731
    monkeypatch.setattr(studies, "draw", none)


@pytest.fixture(scope="session")
def digits():
    return DATASETS["digits"].load(Data())


@pytest.fixture(scope="session")
def finished_runs() -> dict[bool, Run]:
    """Finished runs of TINY, by whether they were compiled quickly."""
    return {}


@pytest.fixture(scope="module")
def finished(finished_runs, tmp_path_factory) -> Run:
    """A finished run of TINY, compiled as the module's own programs are; read only."""
    if quickly() not in finished_runs:
        finished_runs[quickly()] = finish(TINY, tmp_path_factory.mktemp("runs") / "tiny")
    return finished_runs[quickly()]


def finish(experiment: Experiment, folder: Path) -> Run:
    """Run an experiment into a folder, as the command line does, in this process."""
    run = open_run(folder, experiment)
    for found in find_tickets(experiment, past=run):
        run.save(found, seconds=0.0)
    return run


def with_train(experiment: Experiment, **changes) -> Experiment:
    """The experiment with another training."""
    return replace(experiment, train=replace(experiment.train, **changes))


def with_prune(experiment: Experiment, **changes) -> Experiment:
    """The experiment with another pruning."""
    return replace(experiment, prune=replace(experiment.prune, **changes))


def classifying(network: Network, data: str = "digits") -> Task:
    """A task for a network of a test's own: to tell classes apart."""
    return Task(network, DATASETS[data], Choice("loss", "cross_entropy"), Choice("metric", "accuracy"))


def by_name(params: Any) -> dict[str, str]:
    """The kinds of params made by hand, by what their layers are called and their number of axes."""
    found = masks.kernels(params)
    return {path: _kind(path.split("/")[-2:][0], np.ndim(leaf)) for path, leaf in found.items()}


def _kind(layer: str, axes: int) -> str:
    named = next((kind for kind in ("output", "shortcut") if layer.startswith(kind)), None)
    return named or ("conv" if axes > 2 else "fc")


def pytest_collection_finish():
    """Garbage is looked for seldom, and not among what was imported: tracing makes many objects, and few."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_sessionfinish():
    """pytest collects garbage five times before it ends; once is enough for a heap as large as this one."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter):
    """What ``test_bad_input.py`` tried, from whichever workers did."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    told = [value for report in reports if getattr(report, "when", "") == "teardown"
            for name, value in report.user_properties if name == "bad input"]  # fmt: skip
    for kind, count, wrong in told:
        terminalreporter.write_line(f"{count:6,} tried, {wrong} answered wrongly: {kind}")
    if told:
        count, wrong = (sum(each[at] for each in told) for at in (1, 2))
        terminalreporter.write_line(f"bad input: {count:,} tried in all, {wrong} answered wrongly")
