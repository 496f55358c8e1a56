"""Whether Conv-2 learns alike by both forms of its convolutions: curves on CIFAR-10, as a Markdown table.

    python benchmarks/curves.py                            # 2,000 steps, three trials: an hour of two cores
    python benchmarks/curves.py --steps 300 --trials 2

Every trial is trained twice, from the same params and over the same minibatches, its convolutions as sums of
products and by Winograd's. The forms round differently, so a trial's two curves part; they should lie no
further apart than two trials do. Needs CIFAR-10 ($TFDS_DATA_DIR, or --data.dir's folder).
"""

import argparse
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from ltjax import Experiment, Numerics, find_tickets, load_experiment
from ltjax.lanes import backend

FORMS = ("direct", "winograd")


def curves(experiment: Experiment) -> Any:
    """Test loss and accuracy of the dense networks, [trials, evaluations] each, and the steps."""
    (found,) = find_tickets(experiment)
    test = found.curves[found.curves["split"] == "test"].pivot(index="trial", columns="step")
    return test["loss"].columns, test["loss"].to_numpy(), test["accuracy"].to_numpy()


def rows(steps: Any, loss: Any, accuracy: Any) -> list[str]:
    """A row per evaluation: how far the forms lie apart in a trial, and trials in a form."""
    told = ["| step | test accuracy, direct (%) | Winograd (%) | forms apart (pp) | trials apart (pp) "
            "| forms apart (loss) | trials apart (loss) |", "|---:" * 7 + "|"]  # fmt: skip
    for at, step in enumerate(steps):
        cells = [str(step), *(f"{100 * accuracy[form][:, at].mean():.2f}" for form in FORMS)]
        for values, scale in ((accuracy, 100), (loss, 1)):
            one, other = (scale * np.asarray(values[form])[:, at] for form in FORMS)
            between = [abs(a - b) for form in (one, other) for a, b in combinations(form, 2)]
            cells += [f"{abs(one - other).mean():.3f}", f"{np.mean(between):.3f}"]
        told.append("| " + " | ".join(cells) + " |")
    return told


def main() -> None:
    """Train both forms and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--every", type=int, default=0, help="steps between evaluations (default: a tenth)")
    options = parser.parse_args()
    backend.set_up()
    named = load_experiment("conv2_iterative")
    train = replace(named.train, steps=options.steps, evaluate_every=options.every or options.steps // 10)
    experiment = replace(
        named, trials=options.trials, arms={"ticket": 1}, train=train, prune=replace(named.prune, rounds=0)
    )
    found: dict[str, Any] = {
        form: curves(replace(experiment, numerics=Numerics(form)))  # type: ignore[arg-type]
        for form in FORMS
    }
    steps = found["direct"][0]
    print(f"conv2_iterative, round 0, {options.trials} trials, means.\n")
    print("\n".join(rows(steps, *({form: found[form][at] for form in FORMS} for at in (1, 2)))))


if __name__ == "__main__":
    main()
