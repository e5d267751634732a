"""`python -m vecaf …`."""

from vecaf.cli import main

if __name__ == "__main__":
    main()
