"""Conv-2/4/6, Resnet-18 and VGG-19 as a PyTorch user writes them: what ltjax is compared with.

Masks are multiplied into the weights at every step; images lie whole in memory as normalised floats and are
flipped and cropped in a batch. ``benchmarks/cifar.py`` times it.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_lenet import Tensors

from ltjax import Experiment


class Conv(nn.Conv2d):
    """A 3 × 3 (or other) convolution whose weights are masked."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1, bias: bool = False) -> None:
        super().__init__(inputs, outputs, size, stride, padding=size // 2, bias=bias)
        self.register_buffer("mask", torch.ones_like(self.weight))

    def forward(self, images: Tensor) -> Tensor:
        """The images, convolved."""
        return self._conv_forward(images, self.weight * self.mask, self.bias)


class Linear(nn.Linear):
    """A fully-connected layer whose weights are masked."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.register_buffer("mask", torch.ones_like(self.weight))

    def forward(self, units: Tensor) -> Tensor:
        """The units of the next layer."""
        return F.linear(units, self.weight * self.mask, self.bias)


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs), nn.ReLU(),
            Conv(outputs, outputs), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        same = inputs == outputs
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(Conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
        )

    def forward(self, images: Tensor) -> Tensor:
        """The block's images."""
        return F.relu(self.body(images) + self.shortcut(images))


STAGES: dict[str, list[tuple[int, int]]] = {
    "conv2": [(64, 2)],
    "conv4": [(64, 2), (128, 2)],
    "conv6": [(64, 2), (128, 2), (256, 2)],
    "vgg19": [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)],
}
"""Channels and convolutions of each stage."""


def network(experiment: Experiment) -> nn.Module:
    """The network of an experiment, for 32 × 32 images in colour."""
    model, layers, inputs = experiment.model, [], 3
    if model.name == "resnet18":
        first, second, third = model.channels or (16, 32, 64)
        layers += [Conv(3, first), nn.BatchNorm2d(first), nn.ReLU()]
        for inputs, outputs, stride in [(first, first, 1), (first, second, 2), (second, third, 2)]:
            blocks = [(inputs, stride), (outputs, 1), (outputs, 1)]
            layers += [Block(into, outputs, by) for into, by in blocks]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), Linear(third, 10))
    vgg, stages = model.name == "vgg19", STAGES[model.name]
    channels = model.channels or [outputs for outputs, _ in stages]
    for at, (outputs, (_, depth)) in enumerate(zip(channels, stages, strict=True)):
        if vgg and at:
            layers.append(nn.MaxPool2d(2))
        for _ in range(depth):
            normed: list[Any] = [nn.BatchNorm2d(outputs)] if vgg else []
            layers += [Conv(inputs, outputs, bias=not normed), *normed, nn.ReLU()]
            inputs = outputs
        if not vgg:
            layers.append(nn.MaxPool2d(2))
    if vgg:
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), Linear(inputs, 10))
    units = inputs * (32 // 2 ** len(stages)) ** 2
    hidden: list[nn.Module] = []
    for width in model.widths:
        hidden += [Linear(units, width), nn.ReLU()]
        units = width
    return nn.Sequential(*layers, nn.Flatten(), *hidden, Linear(units, 10))


def optimizer(experiment: Experiment, model: nn.Module) -> torch.optim.Optimizer:
    """The experiment's optimizer."""
    train = experiment.train
    if train.optimizer.name == "adam":
        return torch.optim.Adam(model.parameters(), lr=train.learning_rate)
    return torch.optim.SGD(
        model.parameters(),
        lr=train.learning_rate,
        momentum=train.optimizer.parameters.get("momentum", 0),
        weight_decay=train.weight_decay,
    )


class Fast:
    """A network in bfloat16 with channels last, compiled.

    Args:
        model: called with float images [batch, channels, height, width], or flat ones.
        device: "cuda" or "cpu".
        backend: torch.compile's; "eager" only traces, for a quick run.
    """

    def __init__(self, model: Any, device: str, backend: str = "inductor") -> None:
        if isinstance(model, nn.Module):
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.train, self.device = model.train, device
        called = model if isinstance(model, nn.Module) else model.__call__
        self.compiled = torch.compile(called, backend=backend)

    def __call__(self, images: Tensor) -> Tensor:
        """Logits [batch, classes] in float32."""
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16):
            logits: Tensor = self.compiled(images)
        return logits.float()


def tensors(images: np.ndarray, labels: np.ndarray, device: str) -> Tensors:
    """A split of a data set, uint8 [examples, height, width, 3], as normalised floats, channels first."""
    moved = torch.tensor(images, device=device).permute(0, 3, 1, 2).float().contiguous()
    return Tensors(moved / 127.5 - 1, torch.tensor(labels, dtype=torch.int64, device=device))


def flip_crop(images: Tensor) -> Tensor:
    """Each image mirrored or not and moved by up to 4 pixels each way."""
    count, _, height, width = images.shape
    mirrored = torch.rand(count, 1, 1, 1, device=images.device) < 0.5
    padded = F.pad(torch.where(mirrored, images.flip(3), images), (4, 4, 4, 4))
    down, across = torch.randint(0, 9, (2, count), device=images.device)
    rows = down[:, None] + torch.arange(height, device=images.device)
    columns = across[:, None] + torch.arange(width, device=images.device)
    at = torch.arange(count, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[at, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
