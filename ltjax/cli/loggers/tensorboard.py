"""TensorBoard, without TensorFlow: event files in the run's folder, for ``tensorboard --logdir``."""

from pathlib import Path
from typing import Any

from ltjax.cli.loggers.logs import LOGGERS, Place, Sink, extra
from ltjax.runs import paths


class TensorBoard:
    """A series is a folder of event files, which TensorBoard shows as a line of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library = extra("tensorboardX", "tensorboard")
        self.writers: dict[str, Any] = {}

    def write(self, series: str, axis: str, at: int, values: dict[str, float]) -> None:
        """Add a point to each of a series' lines; what another start wrote from here on is superseded."""
        if series not in self.writers:
            path = str(self.folder / series)
            self.writers[series] = self.library.SummaryWriter(path, purge_step=at, flush_secs=10)
        for name, value in values.items():
            self.writers[series].add_scalar(name, value, at)
        if axis == "round":
            self.writers[series].flush()

    def close(self) -> None:
        """Write what is held back."""
        for writer in self.writers.values():
            writer.close()


@LOGGERS.register("tensorboard")
def tensorboard(place: Place) -> Sink:
    """TensorBoard event files in the run's folder: tensorboard --logdir runs/NAME/tensorboard"""
    return TensorBoard(paths.tensorboard(place.folder))
