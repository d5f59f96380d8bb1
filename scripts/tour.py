"""Takes the tour of the README as a newcomer does, and writes what was printed into it.

Every `$ scripts/netsim …` and `$ curl …` is run, from the first to the last, in one network that is
new. Each line that the README shows below a command takes the numbers that the command printed
this time; `…` stands for what is left out, as before. The words are the README's: a line that was
never printed is an error, and nothing is written. Port 8080 has to be free.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from documented_examples import Example, new_shell, normalised, run  # noqa: E402
from netsim_shell import Shell  # noqa: E402

INDENT = "    "
COMMAND = re.compile(r"    \$ (?:scripts/)?((?:netsim|curl) [^#]*[^ #])")


def main() -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    with tempfile.TemporaryDirectory(prefix="netsim-tour-") as folder:
        shell = new_shell(Path(folder) / "tour", free_ports=False)
        try:
            lines = take(README.read_text().splitlines(), shell)
        except LookupError as error:
            print(f"scripts/tour: {error}", file=sys.stderr)
            return 1
        finally:
            shell.close()
    README.write_text("\n".join(lines) + "\n")
    return 0


def take(lines: list[str], shell: Shell) -> list[str]:
    """The README with what is printed now; LookupError for a line that never was."""
    taken: list[str] = []
    printed: list[str] = []
    command = ""
    for line in lines:
        if match := COMMAND.match(line):
            command = match[1]
            printed = what_it_prints(command, shell).splitlines()
        elif not line.startswith(INDENT) or line.startswith(f"{INDENT}$ "):
            printed = []
            line = with_process_ids(line, shell)
        elif printed and line.strip() != "…":
            line = INDENT + take_line(line.removeprefix(INDENT), printed, command, shell)
        taken.append(line)
    return taken


def what_it_prints(command: str, shell: Shell) -> str:
    print(f"$ {command}")
    if Example(command, []).stays_in_the_foreground:
        # For the reader it stays in the first terminal, while everything else is typed in another.
        command = command.replace(" up ", " up -d ")
        return run(Example(command, []), shell)[1].replace("netsim down", "Ctrl-C")
    return run(Example(command, []), shell)[1]


def take_line(shown: str, printed: list[str], command: str, shell: Shell) -> str:
    """The line that was printed instead of the one that is shown; each is taken once."""
    form = normalised(shown, shell.folder)
    for number, line in enumerate(printed):
        if normalised(line, shell.folder) == form:
            del printed[: number + 1]
            return line
    raise LookupError(f"`{command}` never said: {shown}")


def with_process_ids(line: str, shell: Shell) -> str:
    """`kill -STOP 19634  # r2 freezes` with the process of r2 in this run."""

    def current(match: re.Match[str]) -> str:
        query = f"netsim inspect {match[3]} --json | jq .pid"
        pid = run(Example(query, []), shell)[1].strip()
        return f"{match[1]}{pid.ljust(len(match[2]))}# {match[3]}"

    return re.sub(r"^(    \$ kill -\w+ )(\d+ +)# (r\d)", current, line)


if __name__ == "__main__":
    sys.exit(main())
