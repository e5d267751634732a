"""The notebooks in `examples/` run as a reader would run them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


def test_the_notebooks_are_executed() -> None:
    assert len(EXAMPLES) == 2
    for path in EXAMPLES:
        notebook = nbformat.read(path, 4)  # type: ignore[no-untyped-call]
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        counts = [cell.execution_count for cell in code]
        assert counts == list(range(1, len(code) + 1)), path
        kinds = {output.output_type for cell in code for output in cell.outputs}
        assert "error" not in kinds and "execute_result" in kinds, path
        text = path.read_text(encoding="utf-8")
        for folder in (EXAMPLES[0].parents[1], Path.home(), tempfile.gettempdir()):
            assert f"{folder}/" not in text, path
        assert path.stat().st_size < 1_500_000, path


@pytest.mark.soak
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VECAF_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VECAF_DEVICE", "cpu")
    monkeypatch.setenv("PYTHONPATH", str(path.parents[1]))
    notebook = nbformat.read(path, 4)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises CellExecutionError
