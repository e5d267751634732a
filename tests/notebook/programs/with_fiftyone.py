"""Read rows as JSON and print the FiftyOne samples of them. Runs in .venv-interop.

Usage: with_fiftyone.py, with the rows on standard input and the repository in PYTHONPATH. Samples
need no database.
"""

import importlib.util
import json
import sys
from pathlib import Path

module = Path(__file__).parents[3] / "vecaf" / "notebook" / "fiftyone.py"
spec = importlib.util.spec_from_file_location("rows", module)
assert spec is not None and spec.loader is not None
rows = importlib.util.module_from_spec(spec)
sys.modules["rows"] = rows
spec.loader.exec_module(rows)


def main() -> None:
    given = [rows.Row(**{**row, "path": Path(row["path"])}) for row in json.load(sys.stdin)]
    print(json.dumps([sample.to_dict() for sample in rows.fiftyone_samples(given)], default=str))


if __name__ == "__main__":
    main()
