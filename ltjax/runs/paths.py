"""Where everything lies in a run's folder: one function a path, and nothing else builds paths."""

import re
from pathlib import Path


def config(run: Path) -> Path:
    """The whole experiment, reloadable."""
    return run / "config.json"


def point(run: Path, name: str) -> Path:
    """The folder of a sweep's point: a run's folder itself; the run's own where nothing is swept."""
    return run / name if name else run


def identity(run: Path) -> Path:
    """Checksums of the user's code and data, and the changes of them that were accepted."""
    return run / "identity.json"


def task(run: Path) -> Path:
    """What it learns, and what is pruned of its network."""
    return run / "task.json"


def code(run: Path) -> Path:
    """The folder of copies of the user's own files."""
    return run / "code"


def environment(run: Path) -> Path:
    """Versions, devices, precision, revision and command line."""
    return run / "environment.json"


def summary(run: Path) -> Path:
    """One row per lane."""
    return run / "summary.csv"


def curves(run: Path, round: int, part: int) -> Path:
    """The curves of the lanes trained together as one part of a round."""
    return run / "curves" / f"round_{round:03d}_part_{part}.parquet"


def theta0(run: Path, trial: int) -> Path:
    """The checkpoint of a trial's initial params."""
    return run / "checkpoints" / "theta0" / f"trial_{trial}"


def starts(run: Path) -> Path:
    """The folder of the dense networks that rewindings go back to."""
    return run / "checkpoints" / "starts"


def start(run: Path, trial: int, step: int) -> Path:
    """The checkpoint of a trial's dense network at a step."""
    return starts(run) / f"trial_{trial}_step_{step:09d}"


def trial_and_step(path: Path) -> tuple[int, int]:
    """The numbers in the name of such a checkpoint."""
    _, trial, _, step = path.name.split("_")
    return int(trial), int(step)


def rounds(run: Path) -> Path:
    """The folder of all rounds' checkpoints."""
    return run / "checkpoints" / "rounds"


def part(run: Path, round: int, part: int) -> Path:
    """The checkpoint of the lanes trained together as one part of a round."""
    return rounds(run) / f"round_{round:03d}_part_{part}"


def begun(run: Path) -> Path:
    """The folder of snapshots of the part that is being trained."""
    return run / "checkpoints" / "begun"


def lock(run: Path) -> Path:
    """The file that is locked by the process that writes in the folder."""
    return run / ".lock"


def is_written_by_runs(path: Path) -> bool:
    """Whether a path has the name of a file that training writes into a run's own folder."""
    run = path.parent
    return path in (config(run), identity(run), task(run), environment(run), summary(run))


def is_own(path: Path) -> bool:
    """Whether a path has the name of something that ltjax writes into a run's folder."""
    run = path.parent
    folders = (curves(run, 0, 0).parent, rounds(run).parent, analyses(run), figures(run), tensorboard(run),
               wandb(run))  # fmt: skip
    others = (*folders, anatomy(run), claims(run), methods(run), report(run))
    return is_written_by_runs(path) or path in others or (path == code(run) and identity(run).exists())


def is_curves(path: Path) -> bool:
    """Whether a path has the name of a part's curves, and not of a copy of them."""
    return re.fullmatch(r"round_\d+_part_\d+\.parquet", path.name) is not None


def is_part(path: Path) -> bool:
    """Whether a path has the name of a part's finished checkpoint, and not of a copy of one."""
    return re.fullmatch(r"round_\d+_part_\d+", path.name) is not None


def round_and_part(path: Path) -> tuple[int, int]:
    """The numbers in the name of a part's checkpoint, or of its curves."""
    _, round, _, part = path.name.removesuffix(".parquet").split("_")
    return int(round), int(part)


def anatomy(run: Path) -> Path:
    """What tickets look like inside, distilled from the checkpoints for figures."""
    return run / "anatomy.parquet"


def analyses(run: Path) -> Path:
    """The folder of analyses' tables."""
    return run / "analysis"


def analysis(folder: Path, round: int) -> Path:
    """The table of a round in the folder of an analysis."""
    return folder / f"round_{round:03d}.parquet"


def analysed(folder: Path) -> list[int]:
    """The rounds of which there is a table in the folder of an analysis."""
    found = (re.fullmatch(r"round_(\d+)\.parquet", path.name) for path in folder.glob("*"))
    return sorted(int(match[1]) for match in found if match)


def figures(run: Path) -> Path:
    """The folder of figures, PNG and SVG."""
    return run / "figures"


def tensorboard(run: Path) -> Path:
    """The folder of TensorBoard's event files."""
    return run / "tensorboard"


def wandb(run: Path) -> Path:
    """The folder that Weights & Biases makes."""
    return run / "wandb"


def claims(run: Path) -> Path:
    """The verdict on every claim, as a table."""
    return run / "claims.csv"


def methods(run: Path) -> Path:
    """How every method of pruning does at every density, as a table."""
    return run / "methods.csv"


def report(run: Path) -> Path:
    """The self-contained page."""
    return run / "report.html"
