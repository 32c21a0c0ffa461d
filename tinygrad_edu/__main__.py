"""The command line: `python -m tinygrad_edu COMMAND`.

    demo              recover sin(x) and regression coefficients by gradient descent; demo --help lists its options
    doctor            what this machine has, what is missing, and how to get it; --gpu tries the GPU as well
    run FILE ...      run a Python file that says `import torch` on tinygrad_edu, with the rest as its arguments

Each command is imported when it is asked for, so that `doctor` works where nothing else does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the result is the exit status."""
    parser = argparse.ArgumentParser("python -m tinygrad_edu", description="A library for automatic differentiation.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("demo", add_help=False, help="recover sin(x) and regression coefficients by gradient descent")
    doctor = commands.add_parser("doctor", help="what this machine has, what is missing, and how to get it")
    doctor.add_argument("--gpu", action="store_true", help="run a kernel of each family there, against the CPU")
    run = commands.add_parser("run", help="run a file that says `import torch` on tinygrad_edu")
    run.add_argument("file", help="a Python file")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="its own arguments")
    chosen, rest = parser.parse_known_args(argv)
    if chosen.command == "demo":  # it has options of its own
        from . import demo

        return demo.main(rest)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if chosen.command == "doctor":
        from .doctor import main as examine

        return examine(chosen.gpu)
    from . import runner

    try:
        runner.run(chosen.file, chosen.arguments)
    except runner.CannotRun as error:
        print(f"{parser.prog} run: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
