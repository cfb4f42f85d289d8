"""Checks job configs without deploying anything: `make lint-config FILE=job/config.yaml`."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from jobs.config import InvalidJobConfig, Rules, read
from jobs.images import ImageAllowlist, InvalidImagePattern


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per problem; 0 if there is none, 1 if there are some or a file can't be read."""
    parser = argparse.ArgumentParser(
        prog="cli.lint_config", description="Check job configs without deploying them."
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a job/config.yaml")
    parser.add_argument("--allow-privileged-jobs", action="store_true", help="accept privileged containers")
    parser.add_argument(
        "--allowed-images",
        type=_allowlist,
        default=ImageAllowlist(),
        metavar="GLOBS",
        help="globs of the images that tasks may use, separated by commas",
    )
    options = parser.parse_args(arguments)
    rules = Rules(images=options.allowed_images, allow_privileged=options.allow_privileged_jobs)
    problems = [problem for file in options.files for problem in _problems(file, rules)]
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


def _problems(file: str, rules: Rules) -> Iterable[str]:
    try:
        read(Path(file).read_bytes(), origin=file, rules=rules)
    except OSError as error:
        return [f"{file}: {error.strerror}"]
    except InvalidJobConfig as error:
        return map(str, error.problems)
    return []


def _allowlist(text: str) -> ImageAllowlist:
    try:
        return ImageAllowlist.parse(text)
    except InvalidImagePattern as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
