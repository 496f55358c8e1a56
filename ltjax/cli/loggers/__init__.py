"""What a run tells while it trains, to the tools that draw such things: TensorBoard, Weights & Biases.

Each is an extra (``pip install 'ltjax[tensorboard]'``) and imported only where ``--log`` names it. Adding one
takes a function ``Place -> Sink`` and its ``@LOGGERS.register`` line, in a module imported here.
"""

from ltjax.cli.loggers import tensorboard, wandb
from ltjax.cli.loggers.logs import LOGGERS, Logs, Place, Sink, start

__all__ = ["LOGGERS", "Logs", "Place", "Sink", "start", "tensorboard", "wandb"]
