"""`python -m vecaf …`, and the command `vecaf` of an installed package."""

import os


def main() -> None:
    """Run the command line."""
    # Threads that wait by spinning starve each other when other processes use the cores: selection
    # took four times as long on two busy cores. PyTorch reads this once, when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from vecaf.garbage_collection import collect_rarely

    collect_rarely()
    from vecaf.commands import cli

    cli.main()


if __name__ == "__main__":
    main()
