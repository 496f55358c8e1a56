"""The ``ltjax`` command: the same as ``python -m ltjax.…``, with help, completion, and quiet where wanted."""

import errno
import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import ltjax
from ltjax.cli import completion, main, misspelt
from ltjax.cli.command import exit_codes
from ltjax.cli.commands import list as listing
from ltjax.cli.commands.run import defaults
from ltjax.runs import paths
from ltjax.settings.plain import flatten
from ltjax.studies import CLAIMS

SHORT = "--config digits --trials 1 --model.widths 16 12 --train.steps 20 --prune.rounds 1".split()


def answer(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors of the command, run in this process."""
    status = 0
    try:
        main.main(arguments)
    except SystemExit as left:
        status = int(left.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command as a process of its own, its output no terminal."""
    return subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=300,
        env={**os.environ, "COLUMNS": "100", **environment},
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [["--help"], ["-h"]])
def test_help_names_every_command(arguments, capsys):
    status, out, _ = answer(capsys, *arguments)
    assert status == 0 and all(f"  {name} " in out for name in main.COMMANDS)


def test_nothing_to_do_is_help_and_status_2(capsys):
    status, out, err = answer(capsys)
    assert (status, out, err.strip()) == (2, "", main.usage())


def test_the_version_is_the_packages(capsys):
    assert answer(capsys, "--version")[:2] == (0, f"ltjax {ltjax.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "there is no command 'rnu'; did you mean 'run'?"),
        (["run", "digits"], "name the experiment as --config 'digits'"),
        (["--verison"], "there is no command '--verison'"),
        (["--completion", "tcsh"], "there is no completion for 'tcsh'"),
        (["--completion"], "name a shell: --completion bash|zsh|fish."),
        (["list", "--config", "nowhere.py"], "nowhere.py"),
        (["run", ""], "is empty"),
        (["run", "--epochs", "3"], "there is no --epochs; did you mean --train.steps?"),
        (["keep", "runs/x", "--keep", "masks", "--quite"], "there is no --quite; did you mean --quiet?"),
        (["merge", "runs/x", "--to", "y", "--epochs", "3"], "ltjax merge --help shows all options."),
    ],
)
def test_what_cannot_be_is_one_sentence_and_status_2(arguments, said, capsys):
    status, out, err = answer(capsys, *arguments)
    assert status == 2 and not out and said in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("program", "number", "said"),
    [
        ("ltjax run", errno.EROFS, "'x/y': Read-only file system. Choose another place by "
         "--workdir."),
        ("python -m ltjax.run", errno.ENOSPC, "'x/y': No space left on device. Make room "
         "there, or choose another place by --workdir."),
        ("ltjax merge", errno.EACCES, "'x/y': Permission denied. Choose another place by "
         "--to."),
        ("python -m ltjax.report", errno.EROFS, "by --to."),
        ("ltjax evaluate", errno.EACCES, "ltjax: 'x/y': Permission denied. Nothing that was written"),
        ("ltjax run", errno.EIO, "ltjax: 'x/y': Input/output error. Nothing that was written"),
    ],
)  # fmt: skip
def test_what_the_system_refuses_names_the_option_that_helps(program, number, said, capsys):
    with pytest.raises(SystemExit) as left, exit_codes(program, []):
        raise OSError(number, os.strerror(number), "x/y")
    err = capsys.readouterr().err
    assert left.value.code == 1 and said in err and err.count("\n") == 1


def test_what_another_tool_calls_an_option_is_never_an_option_and_means_one():
    names = {*flatten(defaults().experiment), *vars(defaults())} - {"experiment"}
    options = {f"--{name.replace('_', '-')}" for name in names}
    assert {name for name in misspelt.FOREIGN if name not in options} == {
        "--prune.schedule.fractions", "--train.optimizer.momentum", "--train.schedule.drops"
    }  # fmt: skip
    foreign = [name for names in misspelt.FOREIGN.values() for name in names.split()]
    assert len(set(foreign)) == len(foreign) and not {f"--{name}" for name in foreign} & options


@pytest.mark.parametrize("name", ["run", pytest.param("report", marks=pytest.mark.long)])
def test_python_m_starts_the_same_command(name):
    """Both start one ``main``: the help differs in nothing but how the command is started."""
    short, long = (started(*each, "--help") for each in (["ltjax", name], [f"ltjax.{name}"]))
    assert short.returncode == long.returncode == 0
    assert f"ltjax {name}" in short.stdout and f"python -m ltjax.{name}" in long.stdout

    def words(text: str) -> list[str]:
        return re.sub(rf"python -m ltjax\.{name}|ltjax {name}", "", re.sub(r"[│╭╮╰╯─\s]+", " ", text)).split()

    assert words(short.stdout) == words(long.stdout)


def test_a_message_names_the_command_as_it_was_started(capsys):
    assert "ltjax report RUN" in answer(capsys, "report")[2].replace("\n", " ")


def test_a_run_by_the_command_is_told_by_it_how_to_go_on(tmp_path, capsys):
    status, out, _ = answer(capsys, "run", *SHORT, "--workdir", str(tmp_path / "run"))
    assert status == 0 and "steps/s" in out and len(pd.read_csv(paths.summary(tmp_path / "run"))) == 2


def test_quiet_says_nothing_but_what_goes_wrong(tmp_path, capsys, undrawn):
    run, merged = str(tmp_path / "run"), str(tmp_path / "merged")
    assert answer(capsys, "run", *SHORT, "--workdir", run, "-q") == (0, "", "")
    assert answer(capsys, "merge", run, "--to", merged, "--quiet") == (0, "", "")
    for flag in ("--quiet", "-q"):
        assert answer(capsys, "report", run, flag) == (0, "", "")
        status, out, err = answer(capsys, "run", *SHORT, "--trials", "0", "--workdir", run, flag)
        assert status == 2 and not out and "trials must be at least 1" in err
    assert paths.report(tmp_path / "run").exists()


@pytest.mark.long
def test_colours_are_for_terminals_alone(finished, tmp_path):
    """A table in a file or a pipe has none; where a terminal is claimed, verdicts are coloured."""
    for name in ("summary.csv", "config.json", "curves"):
        source, to = finished.folder / name, tmp_path / name
        shutil.copytree(source, to) if source.is_dir() else shutil.copy(source, to)
    plain = started("ltjax", "report", str(tmp_path))
    coloured = started("ltjax", "report", str(tmp_path), FORCE_COLOR="1", TERM="xterm-256color")
    assert plain.returncode == coloured.returncode == 0
    assert "\x1b[" not in plain.stdout and "\x1b[" in coloured.stdout


@pytest.mark.parametrize("kind", listing.PURPOSES)
def test_everything_there_is_to_choose_from_is_listed_with_what_it_is_for(kind, capsys):
    status, out, _ = answer(capsys, "list", kind)
    entries = dict(re.split(r"  +", line, maxsplit=1) for line in out.splitlines())
    assert status == 0 and entries.keys() == listing.PURPOSES[kind]().keys()
    assert all(entries.values())


def test_what_ones_own_file_registers_is_listed_too(tmp_path, capsys):
    own = tmp_path / "mine.py"
    own.write_text(
        "from ltjax import CRITERIA, Experiment\n"
        "@CRITERIA.register('smallest')\n"
        "def smallest(found):\n"
        "    '''The other way round.'''\n"
        "experiment = Experiment()\n"
    )
    try:
        assert "smallest" in answer(capsys, "list", "criteria", "--config", str(own))[1]
    finally:
        ltjax.CRITERIA.pop("smallest", None)


def test_the_list_of_experiments_says_what_other_lists_there_are_beside_a_pipe(capsys):
    _, out, err = answer(capsys, "list")
    others = set(re.findall(r"\w+", err))
    assert listing.PURPOSES.keys() - {"experiments"} <= others and "ltjax list arms" in err
    assert "Other" not in out


def test_claims_are_listed_with_what_the_paper_says(capsys):
    lines = answer(capsys, "list", "claims")[1].splitlines()
    assert [line.split(maxsplit=1) for line in lines if line.startswith("L8 ")] == [
        ["L8", CLAIMS["L8"].paper]
    ]


BASH = """
source {script}
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE="{words}"; COMP_POINT=${{#COMP_LINE}}
$(complete -p ltjax | sed 's/.*-F \\([^ ]*\\) .*/\\1/') ltjax
echo "${{COMPREPLY[@]}}"
"""
ZSH = """
words=({words}); CURRENT=$#words
_describe() {{ print -l -- "${{(@P)2}}" }}
source {script}
"""
COMPLETE = {"bash": BASH, "fish": "source {script}; complete -C '{words}'", "zsh": ZSH}
"""How a shell is asked to complete words without a terminal."""


COMPLETED = {
    "ltjax rep": {"report"},
    "ltjax run --train.opt": {"--train.optimizer"},
    "ltjax run --arms.rei": {"--arms.reinit"},
    "ltjax merge --q": {"--quiet"},
    "ltjax run --config lenet_it": {"lenet_iterative"},
    "ltjax evaluate runs/x --config vgg19_ra": {"vgg19_rates"},
}
"""What is typed, and what a shell makes of its last word."""


@pytest.mark.parametrize("shell", COMPLETE)
@pytest.mark.parametrize("typed", COMPLETED)
def test_shells_complete_commands_options_and_experiments(typed, shell, tmp_path_factory, capsys):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    script = tmp_path_factory.getbasetemp() / f"completion.{shell}"
    if not script.exists():
        script.write_text(answer(capsys, "--completion", shell)[1])
    asked = COMPLETE[shell].format(script=script, words=typed)
    done = subprocess.run([shell, "-c", asked], capture_output=True, text=True)
    # bash has all words on one line; fish and zsh a word and what it means, after a tab or a colon
    lines = done.stdout.split() if shell == "bash" else done.stdout.splitlines()
    words = [re.split("[\t:]", line)[0] for line in lines]
    assert set(words) == COMPLETED[typed], done.stderr


@pytest.mark.long
def test_a_run_whose_output_is_closed_is_trained(tmp_path):
    line = f"ltjax run {' '.join(SHORT)} --workdir {tmp_path}/run >&-"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(pd.read_csv(tmp_path / "run" / "summary.csv")) == 2


def test_a_run_does_not_wait_for_what_it_does_not_need():
    loaded = "import sys, ltjax.cli.commands.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    late = {
        "sklearn",
        "matplotlib",
        "plotly",
        "scipy",
        "jinja2",
        "tensorflow_datasets",
        "tensorboardX",
        "wandb",
    }
    assert not late & set(done.stdout.split())


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_shell_gets_a_script_of_every_command(shell):
    script = completion.script(main.COMMANDS, shell)
    assert all(name in script for name in main.COMMANDS) and "--prune.rounds" in script


def test_every_command_has_its_module():
    for name in main.COMMANDS:
        assert callable(importlib.import_module(f"ltjax.cli.commands.{name}").main)
