"""The same LeNet-300-100 training as a hand-written PyTorch loop: what ltjax is compared with.

It is written as a competent user would write it: the data whole in memory as float tensors, one permutation
per epoch, masks multiplied into the weights, ``torch.optim.Adam`` and cross-entropy; one trial, no compiler.
Like ltjax it tallies loss and correct answers of every minibatch. ``benchmarks/lenet.py`` times it.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


class Tensors(NamedTuple):
    """Images [examples, pixels] as floats in [0, 1], and labels [examples]."""

    images: Tensor
    labels: Tensor


def tensors(images: np.ndarray, labels: np.ndarray, device: str) -> Tensors:
    """A split of a data set, uint8 [examples, ...] and integers, converted once."""
    flat = torch.tensor(images.reshape(len(images), -1), device=device)
    return Tensors(flat.float() / 255, torch.tensor(labels, dtype=torch.int64, device=device))


class LeNet:
    """Weights, biases and masks of fully-connected layers with ReLU between them.

    Args:
        sizes: units of every layer, the pixels first and the classes last.
        device: where they lie.
    """

    def __init__(self, sizes: Sequence[int], device: str) -> None:
        shapes = [(out, into) for into, out in itertools.pairwise(sizes)]
        self.weights = [torch.nn.init.xavier_normal_(torch.empty(shape, device=device)) for shape in shapes]
        self.biases = [torch.zeros(out, device=device) for out, _ in shapes]
        self.masks = [torch.ones_like(weight) for weight in self.weights]
        for leaf in self.parameters():
            leaf.requires_grad_()

    def parameters(self) -> list[Tensor]:
        """What is trained."""
        return [*self.weights, *self.biases]

    def train(self, mode: bool) -> None:
        """As of any model; nothing here differs in training."""

    def __call__(self, images: Tensor) -> Tensor:
        """Logits [batch, classes]."""
        units = images
        for index, (weight, bias, mask) in enumerate(zip(self.weights, self.biases, self.masks, strict=True)):
            units = F.linear(F.relu(units) if index else units, weight * mask, bias)
        return units


class Model(Protocol):
    """What is trained: a ``torch.nn.Module``, or what looks like one."""

    def train(self, mode: bool) -> object:
        """Switch between training and evaluation."""

    def __call__(self, images: Tensor) -> Tensor:
        """Logits [batch, classes]."""


def adam(parameters: Iterable[Tensor], rate: float, fused: bool) -> torch.optim.Optimizer:
    """Adam, by its fused kernel or PyTorch's own choice, which on CPU is a loop over the parameters."""
    return torch.optim.Adam(parameters, lr=rate, fused=fused or None)


class TorchLoop:
    """The training of one trial; a call trains some intervals more.

    Args:
        model: the network.
        optimizer: of its parameters.
        train: the training split.
        held_out: the splits that are evaluated after every interval; none for training alone.
        batch: examples per update.
        interval: steps between two evaluations.
        evaluate_batch: examples per batch of an evaluation.
        augment: what is done to the images of a minibatch.
    """

    def __init__(
        self,
        model: Model,
        optimizer: torch.optim.Optimizer,
        train: Tensors,
        held_out: Sequence[Tensors],
        *,
        batch: int,
        interval: int,
        evaluate_batch: int,
        augment: Callable[[Tensor], Tensor] = lambda images: images,
    ) -> None:
        self.model, self.optimizer, self.augment = model, optimizer, augment
        self.train, self.held_out = train, held_out
        self.batch, self.interval, self.evaluate_batch = batch, interval, evaluate_batch
        self.order = torch.empty(0, dtype=torch.int64, device=train.images.device)
        self.at = 0
        self.curves: list[list[float]] = []

    def __call__(self, intervals: int) -> None:
        """Train that many intervals and, after each, read the tallies and evaluate."""
        for _ in range(intervals):
            running = [self.update() for _ in range(self.interval)]
            sums = [torch.stack(each).sum() for each in zip(*running, strict=True)]
            for split in self.held_out:
                sums += self.evaluate(split)
            self.curves.append(torch.stack(sums).tolist())  # waits for the device

    def update(self) -> tuple[Tensor, Tensor]:
        """One step; mean loss and correct answers of its minibatch."""
        images, labels = self.minibatch()
        logits = self.model(self.augment(images))
        loss = F.cross_entropy(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach(), (logits.detach().argmax(dim=1) == labels).sum()

    def minibatch(self) -> Tensors:
        """The next examples of this epoch's permutation."""
        if self.at + self.batch > len(self.order):
            examples = len(self.train.labels)
            self.order, self.at = torch.randperm(examples, device=self.order.device), 0
        picked = self.order[self.at : self.at + self.batch]
        self.at += self.batch
        return Tensors(self.train.images[picked], self.train.labels[picked])

    @torch.no_grad()
    def evaluate(self, split: Tensors) -> list[Tensor]:
        """Summed loss and correct answers over a whole split."""
        self.model.train(False)
        loss, correct = [], []
        for start in range(0, len(split.labels), self.evaluate_batch):
            labels = split.labels[start : start + self.evaluate_batch]
            logits = self.model(split.images[start : start + self.evaluate_batch])
            loss.append(F.cross_entropy(logits, labels, reduction="sum"))
            correct.append((logits.argmax(dim=1) == labels).sum())
        self.model.train(True)
        return [torch.stack(loss).sum(), torch.stack(correct).sum()]


def choose_threads(loop: TorchLoop) -> None:
    """Set the number of threads, one or PyTorch's default, that is the faster of the two for this loop.

    So small a network may gain nothing from threads, and where other processes keep a core busy, the
    default makes every operation wait for its slowest thread.
    """

    def seconds(threads: int) -> float:
        torch.set_num_threads(threads)
        began = time.perf_counter()
        loop(1)
        return time.perf_counter() - began

    default = torch.get_num_threads()
    seconds(1)  # the first one warms up
    torch.set_num_threads(min({1, default}, key=seconds))
