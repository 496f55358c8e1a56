"""The curves that a page embeds: right, thinned where it does no harm, and small."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ltjax.report import lines
from ltjax.report.page import embedded

from .made_up import made_up
from .test_page import SHORT


def test_the_curves_are_the_means_over_trials():
    run = made_up(SHORT, lambda *_: {})
    [shown], _ = lines.explorable([("a", run)])
    line = shown["lines"][-1]
    table = run.curves.query(f"arm == '{line['arm']}' and round == {line['round']} and split == 'test'")
    expected = table.groupby("step")["accuracy"].agg(["mean", "min", "max"])
    assert line["step"] == expected.index.tolist() and line["lanes"] == 2 and line["stop"] == 8000
    np.testing.assert_allclose(line["splits"]["test"]["accuracy"], 100 * expected.T.to_numpy(), atol=0.005)


def test_thinning_keeps_both_ends_and_every_evaluation_around_the_early_stops():
    steps = np.arange(0, 50_001, 100)
    kept = lines.thinned(steps, 4000, 6000, 250)
    assert len(kept) <= 250 and {0, 50_000} <= set(kept) and set(range(2000, 9001, 100)) <= set(kept)
    assert np.diff(kept).max() <= 500
    assert lines.thinned(steps[:250], 0, 100, 250).tolist() == steps[:250].tolist()


def test_curves_of_lanes_that_are_not_done_are_left_out():
    run = made_up(SHORT, lambda *_: {})
    short = replace(run, summary=run.summary[run.summary["round"] < 2])
    short.__dict__["curves"] = run.curves
    [shown], _ = lines.explorable([("a", short)])
    assert {line["round"] for line in shown["lines"]} == {0, 1}


def test_many_runs_share_the_page_and_those_without_room_are_named(monkeypatch):
    run = made_up(replace(SHORT, trials=1), lambda *_: {})
    monkeypatch.setattr(lines, "NUMBERS", 3 * 8 * lines.PER_POINT * lines.FEWEST)
    shown, left = lines.explorable([(str(index), run) for index in range(5)])
    assert [each["name"] for each in shown] == ["0", "1", "2"] and left == ["3", "4"]
    assert all(len(line["step"]) <= lines.FEWEST for each in shown for line in each["lines"])


def test_a_page_of_the_papers_size_stays_small():
    """21 rounds of two arms, three splits, 501 evaluations: the data alone, by lanes that are all alike."""
    experiment = replace(SHORT, trials=1, arms={"ticket": 1}, prune=replace(SHORT.prune, rounds=20))
    run = made_up(experiment, lambda *_: {}, curves=False)
    steps = np.arange(0, 50_001, 100)
    random = np.random.default_rng(0)
    blocks = [
        pd.DataFrame({"arm": "ticket", "trial": 0, "repeat": 0, "round": round, "step": steps, "split": split,
                      "loss": random.random(501), "accuracy": random.random(501)})
        for round in range(21) for split in lines.SPLITS
    ]  # fmt: skip
    run.__dict__["curves"] = pd.concat(blocks)
    data, left = lines.explorable([("tickets", run), ("reinits", run)])
    assert not left and len(embedded(data)) < 4_000_000
