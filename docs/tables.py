"""Writes what the pages of docs/results say of their tables: a row for every round and arm, and the verdicts.

python docs/tables.py
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ltjax.cli.display import spread
from ltjax.runs import paths, tables

RESULTS = Path(__file__).parent / "results"
ROUNDS = re.compile(r"(<!-- rounds (\w+) -->\n).*?(<!-- /rounds -->)", re.DOTALL)
CLAIM = re.compile(r"^\| (\w+) \| (.*) \| .* \| .* \|$", re.MULTILINE)

ARMS = ("ticket", "reinit", "random")
"""The order of a round's rows."""

COLUMNS = (
    "% left", "round", "arm", "lanes", "early-stop step", "test % there", "test % at end", "train % at end",
    "test % untrained",
)  # fmt: skip


def main() -> None:
    """Write every page of results anew."""
    for path in sorted(RESULTS.glob("*/README.md")):
        path.write_text(page(path.read_text(), path.parent), encoding="utf-8")


def page(text: str, home: Path) -> str:
    """A page with its tables as the results beside it have them; the claims' words in short are its own."""
    text = ROUNDS.sub(lambda found: f"{found[1]}\n{rounds(home / found[2])}\n{found[3]}", text)
    if not (home / "claims.csv").exists():
        return text
    claims = pd.read_csv(home / "claims.csv").set_index("id")
    return CLAIM.sub(lambda found: judged(found, claims), text)


def judged(found: re.Match[str], claims: pd.DataFrame) -> str:
    """A claim's row with our numbers and verdict; another row as it is."""
    name, paper = found[1], found[2]
    if name not in claims.index:
        return found[0]
    return f"| {name} | {paper} | {claims.loc[name, 'ours']} | {claims.loc[name, 'verdict']} |"


def rounds(run: Path) -> str:
    """A run's rows, from most weights to fewest: means over lanes (least–greatest)."""
    lanes = tables.read_summary(paths.summary(run))
    groups = {key: rows for key, rows in lanes.groupby(["round", "arm"])}
    order = sorted(groups, key=lambda key: (-groups[key]["percent_remaining"].iloc[0], ARMS.index(key[1])))
    heading = line(COLUMNS) + f"|{'---|' * len(COLUMNS)}\n"
    return heading + "".join(row(*key, groups[key]) for key in order)


def row(round: int, arm: str, lanes: pd.DataFrame) -> str:
    """The row of an arm in a round."""
    test = [spread(100 * lanes[f"{when}_test_accuracy"], lambda value, _: f"{value:.2f}")
            for when in ("early_stop", "final")]  # fmt: skip
    cells = [
        f"{lanes['percent_remaining'].mean():.1f}", f"{round}", arm, f"{len(lanes)}",
        spread(lanes["early_stop_step"], lambda value, _: f"{value:,.0f}"), *test,
        f"{100 * lanes['final_train_accuracy'].mean():.2f}",
        f"{100 * lanes['initial_test_accuracy'].mean():.1f}",
    ]  # fmt: skip
    return line(cells)


def line(cells: Sequence[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    main()
