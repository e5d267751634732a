"""`python -m vecaf …`."""

import os

# Threads that wait by spinning starve each other wherever cores are shared: four times slower
# selection on two cores that had other work. Read once, when PyTorch's threads are loaded; children
# inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if __name__ == "__main__":
    from vecaf.commands.cli import main

    main()
