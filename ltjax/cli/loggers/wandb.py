"""Weights & Biases: a run of ltjax is one of theirs, with charts over a round's steps and over rounds."""

import uuid

from ltjax.cli.loggers.logs import LOGGERS, Place, Sink, extra
from ltjax.core.errors import UserError, first_line
from ltjax.settings.plain import plain


class Wandb:
    """One run, continued where ltjax's is; WANDB_MODE=offline keeps it on this machine until it is synced."""

    def __init__(self, place: Place) -> None:
        library = extra("wandb", "wandb")
        place.folder.mkdir(parents=True, exist_ok=True)
        # a name for the run that repeating its command finds again
        id = uuid.uuid5(uuid.NAMESPACE_URL, str(place.folder.resolve())).hex
        try:
            self.run = library.init(
                project="ltjax", name=place.folder.name, dir=str(place.folder), id=id, resume="allow",
                config=plain(place.experiment),
                settings=library.Settings(silent=True, console="off", disable_git=True),
            )  # fmt: skip
        except (library.errors.UsageError, library.errors.AuthenticationError) as error:
            raise UserError(
                f"--log wandb was refused ({first_line(error)}); `wandb login`, or set WANDB_MODE=offline."
            ) from error
        self.series: set[str] = set()

    def write(self, series: str, axis: str, at: int, values: dict[str, float]) -> None:
        """Add a point to each of a series' charts."""
        if series not in self.series:
            self.series.add(series)
            self.run.define_metric(f"{series}/{axis}", hidden=True)
            self.run.define_metric(f"{series}/*", step_metric=f"{series}/{axis}")
        self.run.log(
            {f"{series}/{axis}": at, **{f"{series}/{name}": value for name, value in values.items()}}
        )

    def close(self) -> None:
        """Write what is held back, and send it where there is a network."""
        self.run.finish()


@LOGGERS.register("wandb")
def wandb(place: Place) -> Sink:
    """Weights & Biases, as its own settings say; WANDB_MODE=offline sends nothing."""
    return Wandb(place)
