"""The parts that ``accelerator.py`` measures: peaks, training speed beside PyTorch's, kernels, and variants.

A part's function takes what earlier parts measured and the sizes, and yields rows whose keys are columns.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias
from unittest.mock import patch

Row: TypeAlias = dict[str, Any]

NETWORKS = {"lenet": "lenet_iterative", "conv2": "conv2_iterative", "resnet18": "resnet18_lr001",
            "vgg19": "vgg19_lr001"}  # fmt: skip
"""The networks, each with the experiment that is measured."""


class Scale(NamedTuple):
    """Sizes of a measurement: whole, or only to see that it works."""

    train: int = 45_000
    validation: int = 5_000
    test: int = 10_000
    interval: int = 100
    side: int = 8192
    floats: int = 2**28
    seconds: float = 1.0
    repeats: int = 5


QUICK = Scale(60, 20, 20, interval=2, side=64, floats=2**10, seconds=0, repeats=1)


class Part(NamedTuple):
    """What one process measures: its title, its limit, and the least time that makes it worth while."""

    name: str
    title: str
    measure: Callable[[Sequence[Row], bool], Iterator[Row]]
    seconds: float = 90
    least: float = 15
    flags: str = ""
    """Added to XLA_FLAGS."""


def measure_part(name: str, known: Sequence[Row], quick: bool) -> Iterator[Row]:
    """The rows of a part, in this process."""
    import jax

    from ltjax.lanes import backend

    backend.set_up()
    if quick:
        jax.config.update("jax_disable_most_optimizations", True)
    else:  # compile times are to be those of a first start
        jax.config.update("jax_enable_compilation_cache", False)
    return PARTS[name].measure(known, quick)


def scale(quick: bool) -> Scale:
    """The sizes."""
    return QUICK if quick else Scale()


# peaks


def peaks(known: Sequence[Row], quick: bool) -> Iterator[Row]:
    """What memory and products reach at best: the ceilings that all else is compared with."""
    import jax
    import jax.numpy as jnp

    sizes = scale(quick)
    device = jax.devices()[0]
    yield {"of": "device", "value": device.device_kind, "unit": f"jax {jax.__version__}"}
    copy = jax.jit(lambda array: array + 1)
    seconds = chained(copy, jax.random.normal(jax.random.key(0), (sizes.floats,)), sizes.repeats)
    yield {"of": "memory", "value": round(2 * 4 * sizes.floats / seconds / 1e12, 3), "unit": "TB/s"}
    for dtype in ("float32", "bfloat16"):
        square = jax.random.normal(jax.random.key(1), (sizes.side, sizes.side), jnp.dtype(dtype))
        multiply = jax.jit(partial(product, square / sizes.side**0.5))
        seconds = chained(multiply, square, sizes.repeats)
        value = round(2 * sizes.side**3 / seconds / 1e12, 3)
        yield {"of": f"{dtype} product", "value": value, "unit": "TFLOP/s"}


def product(fixed: Any, array: Any) -> Any:
    """A product whose result is the next one's argument, of the same size and spread."""
    return fixed @ array


def chained(function: Callable[[Any], Any], array: Any, repeats: int) -> float:
    """Seconds of a call, at best of several chains of ten."""
    import jax

    best = float("inf")
    array = jax.block_until_ready(function(array))
    for _ in range(repeats):
        began = time.perf_counter()
        for _ in range(10):
            array = function(array)
        jax.block_until_ready(array)
        best = min(best, (time.perf_counter() - began) / 10)
    return best


# training speed


def bench_of(network: str, quick: bool, **model: Any) -> Any:
    """A named experiment on made-up data of its size."""
    from loops import Sizes, make_bench

    from ltjax import load_experiment

    sizes = scale(quick)
    experiment = load_experiment(NETWORKS[network])
    train = replace(experiment.train, evaluate_every=sizes.interval)
    if quick:
        train = replace(train, batch=4, evaluate_batch=20)
        channels = {"lenet": None, "conv2": (4,), "resnet18": (2, 2, 2), "vgg19": (2, 2, 2, 2, 2)}[network]
        model |= {"channels": channels, "widths": (8, 8) if network in ("lenet", "conv2") else ()}
    changed: Any = replace(experiment.model, **model)
    spare = 0 if quick or network != "lenet" else 10_000  # MNIST has 55,000 to train on
    return make_bench(
        Sizes(sizes.train + spare, sizes.validation, sizes.test),
        replace(experiment, train=train, model=changed),
    )


def speed_row(
    bench: Any, network: str, loop: str, lanes: int, evaluated: bool, seconds: float, known: Sequence[Row],
    precision: str = "float32", **more: Any,
) -> Row:  # fmt: skip
    """The row of a loop that takes so many seconds a step of all its lanes."""
    from loops import lane_starts

    from ltjax.lottery.dry_run import step_flops
    from ltjax.training.task import batched

    batch = batched(bench.task.data.seen, bench.experiment.train.batch)
    flops = lanes * step_flops(bench.task.network, lane_starts(bench, 1)[0], batch)
    best = next((row["value"] for row in known if row.get("of") == f"{precision} product"), None)
    rival = [row for row in known if row.get("loop") == PLAIN
             and (row["network"], row["evaluated"]) == (network, evaluated)]  # fmt: skip
    return {
        "network": network, "loop": loop, "lanes": lanes, "evaluated": evaluated,
        "ms a step": 1e3 * seconds, "trial-steps/s": lanes / seconds, "TFLOP/s": flops / seconds / 1e12,
        "% of peak": 100 * flops / seconds / 1e12 / best if best else None,
        "x PyTorch": lanes / seconds / rival[0]["trial-steps/s"] if rival else None,
        "compile (s)": None, "memory (GiB)": None, **more,
    }  # fmt: skip


def burst_seconds(burst: Callable[[int], None], every: int, sizes: Scale) -> float:
    """Seconds of a step: the median over bursts of about ``sizes.seconds`` each, after one to warm up."""
    burst(1)
    began = time.perf_counter()
    burst(1)
    intervals = max(1, round(sizes.seconds / (time.perf_counter() - began)))
    found = []
    for _ in range(sizes.repeats):
        began = time.perf_counter()
        burst(intervals)
        found.append((time.perf_counter() - began) / intervals / every)
    return median(found)


PLAIN, FAST = "PyTorch", "PyTorch, channels-last bfloat16, compiled"


def pytorch(network: str, fast: bool, known: Sequence[Row], quick: bool) -> Iterator[Row]:
    """A user's own loop, plain or as fast as PyTorch makes it without another algorithm."""
    import torch
    from loops import torch_device

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True  # as JAX's default does
    torch.backends.cudnn.benchmark = True
    bench, sizes, device = bench_of(network, quick), scale(quick), torch_device()
    for evaluated in (False, True):
        began = time.perf_counter()
        backend = "eager" if quick else "inductor"
        loop = torch_loop(bench, network, evaluated, backend if fast else "", device)
        loop(1)
        compiled = time.perf_counter() - began if fast else None
        seconds = burst_seconds(loop, sizes.interval, sizes)
        precision = "bfloat16" if fast else "float32"
        memory = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
        yield speed_row(
            bench, network, FAST if fast else PLAIN, 1, evaluated, seconds, known, precision,
            **{"compile (s)": compiled, "memory (GiB)": memory},
        )  # fmt: skip


def torch_loop(bench: Any, network: str, evaluated: bool, backend: str, device: str) -> Any:
    """The loop of one trial; in bfloat16 and compiled where there is a backend for it."""
    import numpy as np
    import torch_cifar
    import torch_lenet

    train = bench.experiment.train
    lenet = network == "lenet"
    tensors = torch_lenet.tensors if lenet else torch_cifar.tensors
    parts = [
        tensors(np.asarray(part.inputs), np.asarray(part.targets), device) for part in bench.data[evaluated]
    ]
    model: Any
    if lenet:
        model = torch_lenet.LeNet((parts[0].images.shape[1], *bench.experiment.model.widths, 10), device)
        optimizer = torch_lenet.adam(model.parameters(), train.learning_rate, fused=device == "cuda")
    else:
        model = torch_cifar.network(bench.experiment).to(device)
        optimizer = torch_cifar.optimizer(bench.experiment, model)
    augmented = bench.experiment.data.augment.name == "flip_crop"
    return torch_lenet.TorchLoop(
        torch_cifar.Fast(model, device, backend) if backend else model, optimizer, parts[0],
        parts[1:] if evaluated else [], batch=train.batch, interval=train.evaluate_every,
        evaluate_batch=1000 if len(parts[2].labels) >= 1000 else train.evaluate_batch,
        **({"augment": torch_cifar.flip_crop} if augmented else {}),
    )  # fmt: skip


def lanes(
    network: str, counts: Sequence[tuple[int, bool]], known: Sequence[Row], quick: bool
) -> Iterator[Row]:
    """ltjax's own loop, for each number of lanes, evaluated or not."""
    from loops import LaneLoop

    from ltjax import Compute

    bench, sizes = bench_of(network, quick), scale(quick)
    for count, evaluated in counts[:2] if quick else counts:
        count = min(count, 2) if quick else count
        loop = LaneLoop(bench, evaluated, Compute(devices=1), count)
        seconds = burst_seconds(loop, sizes.interval, sizes)
        yield speed_row(
            bench, network, "ltjax", count, evaluated, seconds, known,
            **{"compile (s)": loop.compile_seconds, "memory (GiB)": loop.bytes / 2**30},
        )  # fmt: skip


# kernels

LANES = 5
"""Of Conv-2, where one number must do: the paper's five trials."""


def kernels(known: Sequence[Row], quick: bool) -> Iterator[Row]:
    """The dearest kernels of a step of Conv-2, and how many a step launches."""
    from loops import LaneLoop
    from profiles import kernels_of

    from ltjax import Compute

    bench, sizes = bench_of("conv2", quick), scale(quick)
    for count in (1, LANES):
        loop = LaneLoop(bench, False, Compute(devices=1), min(count, 2) if quick else count)
        loop(2)
        times, span = kernels_of(partial(loop, 1))
        steps, whole = sizes.interval, sum(spent for spent, _ in times.values())
        runs = sum(each for _, each in times.values())
        dearest = sorted(times.items(), key=lambda item: -item[1][0])[:20]
        for name, (spent, each) in [("all", (whole, runs)), ("between them", (span - whole, 0)), *dearest]:
            yield {
                "lanes": count, "kernel": name.replace("|", "/")[:110], "us a step": spent / steps / 1e3,
                "runs a step": each / steps, "% of the step": 100 * spent / span,
            }  # fmt: skip


# variants


class Variant(NamedTuple):
    """Another way to run the same lanes."""

    compute: Mapping[str, Any] = MappingProxyType({})
    model: Mapping[str, Any] = MappingProxyType({})
    flags: str = ""
    patched: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    form: Literal["direct", "winograd"] = "direct"
    evaluated: bool = False


def xlas_own() -> contextlib.AbstractContextManager[Any]:
    """XLA's own convolution and gradients, with nothing of ours around them."""
    from ltjax.models import convolution

    return patch.object(
        convolution, "_operation", lambda window, *_: partial(convolution.automatic_forward, window)
    )


@contextlib.contextmanager
def written_out() -> Iterator[None]:
    """The gradients that are written out for CPU."""
    from ltjax.models import convolution

    token = convolution._CANONICAL.set(True)
    try:
        yield
    finally:
        convolution._CANONICAL.reset(token)


def channels_first() -> contextlib.AbstractContextManager[Any]:
    """Convolutions of NCHW images, transposed before and after; XLA may cancel transposes between layers."""
    from jax import lax

    from ltjax.models import convolution

    def forward(window: Any, images: Any, kernel: Any) -> Any:
        found = lax.conv_general_dilated(
            images.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1), window.strides, window.padding,
            dimension_numbers=("NCHW", "OIHW", "NCHW"),
        )  # fmt: skip
        return found.transpose(0, 2, 3, 1)

    return patch.object(convolution, "automatic_forward", forward)


def images_lane_by_lane() -> contextlib.AbstractContextManager[Any]:
    """Images that all lanes share, convolved by each lane's kernel on its own."""
    from ltjax.models import convolution

    batched = convolution._batched
    return patch.object(
        convolution, "_batched", lambda function, how, **_: batched(function, how, side_by_side=False)
    )


def windowed_pooling() -> contextlib.AbstractContextManager[Any]:
    """Max-pooling by XLA's windowed reduction in place of slices."""
    import flax.linen as nn

    from ltjax.models import wiring

    return patch.object(wiring, "max_pool", lambda images, maximum: nn.max_pool(images, (2, 2), (2, 2)))


WIDE = "FUSION,CUBLAS,CUBLASLT,CUDNN,CUSTOM_CALL,WHILE,CONDITIONAL"

IMAGE = (32, 32, 3)
"""Of CIFAR-10."""

VARIANTS = {
    "default": Variant(),
    "default, another process": Variant(),
    "whole lanes unrolled": Variant(compute={"batching": "unrolled"}),
    "lanes mapped": Variant(compute={"batching": "map"}),
    "evaluated": Variant(evaluated=True),
    "evaluated, shared images lane by lane": Variant(patched=images_lane_by_lane, evaluated=True),
    "Winograd": Variant(form="winograd"),
    "XLA's own gradients": Variant(patched=xlas_own),
    "grouped": Variant(compute={"convolution": "grouped"}),
    "loop": Variant(compute={"convolution": "loop"}),
    "NCHW": Variant(patched=channels_first),
    "bfloat16": Variant(model={"precision": "bfloat16"}),
    "bfloat16, whole lanes unrolled": Variant(
        compute={"batching": "unrolled"}, model={"precision": "bfloat16"}
    ),
    "deterministic ops off": Variant(flags="--xla_gpu_deterministic_ops=false"),
    "command buffers off": Variant(flags="--xla_gpu_enable_command_buffer="),
    "command buffers for everything": Variant(
        flags=f"--xla_gpu_enable_command_buffer={WIDE} --xla_gpu_graph_min_graph_size=1"
    ),
    "written-out gradients": Variant(patched=written_out),
    "windowed pooling": Variant(patched=windowed_pooling),
}  # fmt: skip
"""What is compared on Conv-2; each runs in a process of its own, as XLA reads its flags once."""


def variant(name: str, known: Sequence[Row], quick: bool) -> Iterator[Row]:
    """Five lanes of Conv-2 in another way: its speed, and the bits that it trains."""
    import jax
    from loops import LaneLoop

    from ltjax import Compute
    from ltjax.models import make_network

    chosen = VARIANTS[name]
    bench, sizes = bench_of("conv2", quick, **chosen.model), scale(quick)
    network = make_network(bench.experiment.model, IMAGE, 10, chosen.form)
    bench = bench._replace(task=replace(bench.task, network=network))
    chosen = chosen._replace(compute={"batching": "vmap", **chosen.compute})
    with chosen.patched():
        loop = LaneLoop(bench, chosen.evaluated, Compute(devices=1, **chosen.compute), 2 if quick else LANES)
        loop(1)
        params = jax.tree.leaves(jax.device_get(loop.state.params))
        bits = hashlib.sha256(b"".join(leaf.tobytes() for leaf in params)).hexdigest()[:8]
        seconds = burst_seconds(loop, sizes.interval, sizes)
    precision = chosen.model.get("precision", "float32")
    found = speed_row(
        bench, "conv2", name, len(loop.real), chosen.evaluated, seconds, known, precision,
        **{"compile (s)": loop.compile_seconds, "memory (GiB)": loop.bytes / 2**30},
    )  # fmt: skip
    yield {**found, f"bits after {sizes.interval} steps": bits}


# the table of parts

LENET = [(30, True), (30, False), (40, True), (5, True), (100, True), (5, False), (40, False), (100, False)]
CONV2 = [(5, False), (1, False), (5, True), (1, True), (15, False), (15, True)]
THREE = [(3, False), (3, True)]


def _speed(network: str, counts: Sequence[tuple[int, bool]], seconds: float) -> list[Part]:
    title = NETWORKS[network]
    return [
        Part(f"{network}-pytorch", f"{title}, PyTorch", partial(pytorch, network, False), 60),
        Part(network, f"{title}, ltjax", partial(lanes, network, counts), seconds),
    ]


def _fast(network: str) -> Part:
    title = f"{NETWORKS[network]}, {FAST}"
    return Part(f"{network}-compiled", title, partial(pytorch, network, True), 100, least=40)


def _variants() -> list[Part]:
    return [
        Part(f"conv2: {name}", "conv2_iterative, five lanes in other ways", partial(variant, name), 60,
             flags=chosen.flags)
        for name, chosen in VARIANTS.items()
    ]  # fmt: skip


PARTS: dict[str, Part] = {
    part.name: part
    for part in [
        Part("peaks", "What the device reaches", peaks, 60),
        *_speed("conv2", CONV2, 150),
        Part("kernels", "conv2_iterative: kernels of a step", kernels, 90),
        *_variants()[:7],
        *_speed("lenet", LENET, 120),
        *_variants()[7:],
        *_speed("resnet18", THREE, 120),
        *_speed("vgg19", THREE, 150),
        _fast("conv2"),
        _fast("resnet18"),
        _fast("vgg19"),
        _fast("lenet"),
    ]
}
"""Every part by name, most telling first."""
