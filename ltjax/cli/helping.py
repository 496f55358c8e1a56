"""What ``ltjax run --help`` says after the options: what an arm is, what names there are, and examples."""

import contextlib
import shutil
import textwrap
from collections.abc import Iterator, Sequence

from ltjax.cli.choices import OPTIONS
from ltjax.cli.display import listed
from ltjax.cli.parsing import WIDEST

ARM = (
    "An arm is what every round trains under a name, beside the others: the ticket, or a control that it is "
    "compared with. --arms.NAME 3 trains three repeats of it for each trial and round, --arms.NAME 0 none. "
    "With --config FILE.py what your own file registers is among the names below."
)

EXAMPLES = {
    "": "the default experiment; repeating the command continues it",
    "--config lenet_iterative --trials 2 --prune.rounds 3": "a named experiment, made shorter",
    "--arms.reinit 3 --arms.random 2 --workdir runs/mine": "controls too, in a folder of their own",
}
"""Options, and what a run with them is."""


@contextlib.contextmanager
def more(arguments: Sequence[str], program: str) -> Iterator[None]:
    """Where reading options ends with their help (tyro exits with 0), say the rest too."""
    try:
        yield
    except SystemExit as left:
        if not left.code and {"-h", "--help"} & set(arguments):
            rest(program)
        raise


def rest(program: str) -> None:
    """Print it all, for the width of the terminal."""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    said = ["names", textwrap.fill(ARM, width, break_on_hyphens=False)]
    said += [f"{option}\n{listed(choices(), width, indent=2)}" for option, choices in OPTIONS.items()]
    said += ["--config\n  ltjax list shows the named experiments.", "examples"]
    said += [f"  {purpose}:\n    {program} {options}".rstrip() for options, purpose in EXAMPLES.items()]
    print("\n" + "\n\n".join(said))
