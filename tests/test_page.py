"""The report's page, by its text: what it tells, that it needs nothing else, that data cannot break it."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from ltjax import report, studies
from ltjax.analysis.results import RUN, Study
from ltjax.report import facts, page
from ltjax.settings.loading import load_experiment
from ltjax.studies import Claim, Verdict

from .made_up import made_up, made_up_sweep

SHORT = replace(load_experiment("lenet_iterative"), trials=2, arms={"ticket": 1, "reinit": 2},
                prune=replace(load_experiment("lenet_iterative").prune, rounds=3))  # fmt: skip

VOID = {"meta", "input", "img", "br", "line", "link", "hr"}
EVIL = "</script><script>alert('x')</script><b>&"


class Parsed(HTMLParser):
    """A page taken apart: its text outside scripts and styles, its attributes, and unbalanced tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.sources, self.links, self.ids, self.open, self.tags = "", [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given, self.text = dict(attrs), f"{self.text} "
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.sources += [
            given[name] for name in ("src", "srcset", "data", "action", "poster") if name in given
        ]
        self.links += [given["href"]] if "href" in given else []
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"
        self.text += " "

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text += data


def verdicts() -> list[Verdict]:
    """One claim of each verdict."""
    words = {name: f"its {name} <&" for name in ("paper", "measured", "tolerance", "quantity")}
    first, second, third = (
        Claim(id, figure="4a", **words, measure=lambda study: None) for id in ("A1", "A2", "A3")
    )
    return [
        Verdict(first, "reproduced", "ours is 41%", 26.25, 1234.5, 5),
        Verdict(second, "not reproduced", "ours is 1%", 1.0, 1.0, 1),
        Verdict(third, "not run", missing="no such run", command="ltjax run --config x"),
    ]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[list[studies.Drawn], Path]:
    """A drawn figure, a large one, and two that lack the same."""
    folder = tmp_path_factory.mktemp("figures")
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (800).to_bytes(4) + (400).to_bytes(4)
    for stem, size in (("figure_3", 10), ("figure_11", 500_000)):
        (folder / f"{stem}.png").write_bytes(header)
        (folder / f"{stem}.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>" + b" " * size)
    lacking = {"missing": "no run <i>", "command": "ltjax run --config lenet_sgd"}
    return [
        studies.Drawn("4a", "What answers", "figure_3"),
        studies.Drawn("3", "A title <&", "figure_3"),
        studies.Drawn("11", "Another", "figure_11"),
        studies.Drawn("16", "Third", **lacking),
        studies.Drawn("22", "Fourth", **lacking),
    ], folder


def render(runs, drawn=((), Path()), given=()) -> str:
    return report.render(Study(runs), drawn[0], given, figures=drawn[1], again="python -m ltjax.report RUN")


@pytest.fixture(scope="module")
def full(drawn) -> str:
    return render([made_up(SHORT, lambda *_: {})], drawn, verdicts())


def test_the_page_is_well_formed_and_leads_with_the_result(full):
    parsed = Parsed(full)
    assert not parsed.open and len(parsed.ids) == len(set(parsed.ids))
    wanted = ["result", "rounds", "curves", "figures", "claims", "settings", "machine", "repeat", "lacking"]
    assert [id for id in parsed.ids if id in wanted] == wanted
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)


def test_what_is_not_there_has_no_section_and_no_link(drawn):
    _, _, not_run = verdicts()
    for given, gone in (([], {"claims", "lacking"}), ([not_run], {"claims"})):
        parsed = Parsed(render([made_up(SHORT, lambda *_: {})], given=given))
        assert {"result", "figures", *gone} == {"result", "figures", "claims", "lacking"} - set(parsed.ids)
        assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
        assert "claims" not in parsed.text.lower().replace("claims not run", "")


def test_figure_4_and_the_untrained_networks_come_before_the_other_figures():
    names = ("3", "4a", "4b", "11", "untrained")
    drawn = [
        *(studies.Drawn(name, "", f"figure_{name}") for name in names),
        studies.Drawn("1", "", missing="x"),
    ]
    for answer, told in (("4a", "4a 4b untrained 3 11"), ("sweep", " 4a 4b untrained 3 11")):
        found = page.in_reading_order(drawn, answer)
        assert " ".join(each.name if each else "" for each in found) == told


def test_the_sentence_of_what_was_found_stands_under_the_title():
    def course(arm, round, trial, repeat):
        return {"early_stop_step": 4000} if (arm, round) == ("ticket", 2) else {}

    text = " ".join(Parsed(render([made_up(SHORT, course)])).text.split())
    head, _, _ = text.partition("After Frankle & Carbin")
    assert "weights tickets stop 50% earlier than the dense network (at step 4,000, not 8,000)" in head
    point = replace(made_up(SHORT, course), point=f"name={EVIL}", folder=Path("sweep/one"))
    others = [replace(made_up(SHORT, course), point=f"name={n}", folder=Path(f"sweep/{n}")) for n in range(2)]
    swept = Parsed(render([keeping(each) for each in (point, *others)]))
    assert "b" not in swept.tags and f"name={EVIL} has the lowest validation loss" in swept.text


def test_of_a_sweep_the_table_of_its_best_point_is_unfolded():
    def course(point):
        best = point.train.learning_rate == 0.0012
        return lambda *_: {"early_stop_validation_loss": 0.06 if best else 0.07}

    written = render(made_up_sweep("lenet_adam_rates", course, trials=1))
    assert re.findall(r"<details open><summary>(.*?)<", written) == ["learning_rate=0.0012"]


def keeping(run):
    """The run without its curves, which a copy has to read from its folder."""
    run.__dict__["curves"] = None
    return run


def test_of_many_runs_five_have_their_sentence_at_the_top_and_the_others_above_their_tables():
    runs = [keeping(replace(made_up(SHORT, lambda *_: {}), folder=Path(f"run{n}"))) for n in range(7)]
    text = " ".join(Parsed(render(runs)).text.split())
    head, tables = text.split("and 2 more below")
    assert [part.count("Tickets are at least as accurate") for part in (head, tables)] == [5, 2]


def test_the_page_refers_to_nothing_outside_of_it(full):
    parsed = Parsed(full)
    assert parsed.sources and all(source.startswith("data:image/") for source in parsed.sources)
    assert [link for link in parsed.links if not link.startswith("#")] == ["https://arxiv.org/abs/1803.03635"]
    assert "default-src 'none'" in full and "@import" not in full and "url(" not in _text("page.css")


def _text(name: str) -> str:
    return (Path(report.__file__).parent / name).read_text()


def test_verdicts_have_a_word_and_a_sign_beside_their_colour(full):
    text = " ".join(Parsed(full).text.split())
    assert "✓ reproduced" in text and "✗ not reproduced" in text and "Claims not run" in text
    assert "ours is 41% its quantity <&: 26.2 to 1,234, 5 trials" in text
    assert "ours is 1% 1 trial " in text, "the range of one trial was told"
    assert "A3 no such run ltjax run --config x" in text
    assert "its measured <&" in text and "Tolerance: its tolerance <&" in text
    assert "1 of 2 is reproduced" in text


def test_claims_on_networks_that_no_run_is_of_are_one_line_each():
    words = dict.fromkeys(("paper", "measured", "tolerance", "quantity"), "words")
    given = [
        Verdict(Claim(id, figure="1", **words, measure=lambda study: None, network=network), "not run",
                missing="no such run", command="ltjax run --config x")
        for id, network in (("A1", "lenet"), ("A2", "vgg19"), ("A3", "vgg19"), ("A4", "conv2"), ("A5", ""))
    ]  # fmt: skip
    text = " ".join(Parsed(render([made_up(SHORT, lambda *_: {})], given=given)).text.split())
    assert "A1, A5 no such run" in text and "A2" not in text
    assert "Conv-2 1 claim ltjax run --config conv2_controls" in text
    assert "VGG-19 2 claims ltjax run --config vgg19_warmup" in text


def test_figures_are_in_the_page_and_those_not_drawn_are_grouped(full):
    text = " ".join(Parsed(full).text.split())
    assert "Figure 3. A title <&" in text and "image/svg+xml" in full and "image/png" in full
    assert "Figures 16, 22 no run <i> ltjax run --config lenet_sgd" in text


def test_the_table_has_mean_minimum_and_maximum_of_every_arm(drawn):
    run = made_up(SHORT, lambda arm, round, trial, repeat: {"early_stop_step": 1000 * (trial + 1) + repeat})
    rows = facts.rounds(run.summary)
    assert [(row.round, row.arm, row.first) for row in rows[:3]] == [
        (0, "ticket", 2),
        (0, "reinit", 0),
        (1, "ticket", 2),
    ]
    assert rows[0].cells[0] == ("1,500", "1,000–2,000") and rows[1].cells[0] == ("1,500", "1,000–2,001")
    assert rows[0].cells[-1] == ("10.0", "") and rows[2].percent == "80.0"
    text = " ".join(Parsed(render([run])).text.split())
    assert "1,500 1,000–2,000" in text and "test % untrained" in text


def test_names_from_data_are_escaped_everywhere():
    experiment = replace(SHORT, name=EVIL, arms={"ticket": 1, EVIL: 1},
                         data=replace(SHORT.data, raw=EVIL))  # fmt: skip
    written = render([replace_environment(made_up(experiment, lambda *_: {}), revision=EVIL, platform=EVIL)])
    parsed = Parsed(written)
    assert not parsed.open and "b" not in parsed.tags and parsed.tags.count("script") == 3
    assert "alert('x')</script>" not in written and parsed.text.count(EVIL) >= 8


def replace_environment(run, **environment):
    copy = replace(run, environment=environment)
    copy.__dict__["curves"] = run.curves
    return copy


def test_settings_and_what_varies_are_told():
    runs = made_up_sweep("lenet_adam_rates", lambda each: lambda *_: {}, trials=1)
    text = " ".join(Parsed(render(runs)).text.split())
    rates = [run.experiment.train.learning_rate for run in runs]
    assert f"train.learning_rate varies: {'; '.join(map(str, rates))}" in text
    assert f"{len(runs)} values of train.learning_rate" in text and all(run.point in text for run in runs)
    assert "evaluate_every 100" in text and "widths 300, 100" in text


def test_the_machine_and_the_commands_are_told():
    command = [
        "run.py",
        "--config",
        "lenet_iterative",
        "--workdir",
        "/tmp/a b",
        "--data.dir=/x",
        "--trials",
        "2",
    ]
    environment = {
        "devices": ["gpu: NVIDIA H200", "gpu: NVIDIA H200"], "platform": "Linux", "python": "3.11.7",
        "versions": {"jax": "0.10.2"}, "revision": "abc123+", "command": [*command, "--seed", "a b"],
        "earlier": [{"command": command}, {"command": command}],
    }  # fmt: skip
    text = " ".join(
        Parsed(render([replace_environment(made_up(SHORT, lambda *_: {}), **environment)])).text.split()
    )
    assert "2 × NVIDIA H200" in text and "jax 0.10.2" in text and "abc123+" in text and "(+)" in text
    once = "ltjax run --config lenet_iterative --trials 2"
    assert f"one after the other: {once} {once} --seed 'a b' with ltjax" in text and "/tmp" not in text


@pytest.mark.parametrize("program", [["ltjax", "run"], ["__main__.py", "run"], ["run.py"]])
def test_a_command_is_told_by_whichever_name_it_was_given(program):
    environment = {"command": [*program, "--config", "run", "--workdir", "/tmp/here"]}
    [sheet] = facts.sheets(Study([replace_environment(made_up(SHORT, lambda *_: {}), **environment)]))
    assert sheet.commands == [f"{RUN} run"]


def test_without_an_environment_the_page_says_what_is_not_known():
    text = " ".join(Parsed(render([made_up(SHORT, lambda *_: {})])).text.split())
    assert "devices not known" in text and "not known: the checkpoints" in text
    assert "ltjax run --config made-up/config.json" in text


def test_without_curves_the_page_says_so_and_carries_no_plot():
    written = render([made_up(SHORT, lambda *_: {}, curves=False)])
    assert "curves were not kept" in written and "Plotly, Inc." not in written and len(written) < 50_000


def test_diverged_lanes_are_told_and_leave_valid_json():
    run = made_up(SHORT, lambda arm, round, trial, repeat: {"diverged": round == 1})
    run.curves.loc[run.curves["round"] == 1, "loss"] = np.inf
    written = render([run])
    assert "6 of 24 lanes diverged" in written
    [line] = [
        each for each in curves_of(written)[0]["lines"] if (each["arm"], each["round"]) == ("ticket", 1)
    ]
    assert set(line["splits"]["test"]["loss"][0]) == {None}


def curves_of(written: str) -> list[dict]:
    return json.loads(re.search(r'id="curves-data">(.*?)</script>', written, re.DOTALL)[1])
