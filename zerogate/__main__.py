"""The entry: `zerogate COMMAND`, or `python -m zerogate COMMAND`."""

import argparse
import os
import sys

from kube.text import escaped
from zerogate import cli
from zerogate.errors import Failed


def main() -> None:
    """Run one command. Exit status: 0 done, 1 failed, 2 wrong usage."""
    arguments = cli.parse(sys.argv[1:], os.environ)
    for variable in cli.unknown_variables(os.environ):
        print(f"zerogate: {variable} is no setting of any command and is ignored", file=sys.stderr)
    try:
        sys.exit(_run(arguments))
    except Failed as error:
        print(f"zerogate: {escaped(str(error), keeps_lines=True)}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output went away (`zerogate replay … | head`): no complaint.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "sample":
        return _sample(arguments.name)
    if arguments.command == "replay":
        return _replay(arguments)
    # Each command imports what it needs alone: `zerogate sample` is not to wait for aiohttp.
    if arguments.command == "up":
        from zerogate.edge import up  # noqa: PLC0415

        return up.main(arguments, os.environ)
    if arguments.command == "doctor":
        from zerogate.edge import doctor  # noqa: PLC0415

        return doctor.main(arguments, os.environ)
    from zerogate.edge import programs  # noqa: PLC0415

    return programs.main(arguments, os.environ)


def _sample(name: str) -> int:
    from zerogate import shipped  # noqa: PLC0415

    try:
        print(shipped.sample(name) if name else "\n".join(shipped.sample_names()), end="" if name else "\n")
    except KeyError as error:
        raise Failed(error.args[0]) from error
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    from autoscaler.kpa import replay  # noqa: PLC0415

    try:
        with arguments.trace.open() as trace:
            for line in replay.replay(trace):
                print(line)
    except (OSError, ValueError) as error:
        raise Failed(f"{arguments.trace} can't be replayed: {error}") from error
    return 0


if __name__ == "__main__":
    main()
