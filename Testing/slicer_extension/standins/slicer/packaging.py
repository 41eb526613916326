"""Requirements, in an environment in which nothing may be installed by surprise."""

from pathlib import Path

from packaging.requirements import Requirement


def load_requirements(path) -> list[Requirement]:
    lines = Path(path).read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def pip_ensure(requirements, requester) -> None:
    """Somebody who says no."""
