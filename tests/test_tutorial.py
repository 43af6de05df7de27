"""The tutorial notebook runs from top to bottom, and is kept without outputs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient


def test_the_notebook_runs_and_is_kept_without_outputs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(repository / "docs" / "tutorial.ipynb", as_version=4)
    nbformat.validate(notebook)
    blocks = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell for cell in blocks if cell.outputs or cell.execution_count]
    for name, value in (
        ("TMPDIR", tmp_path),
        ("IPYTHONDIR", tmp_path / "ipython"),
        ("JUPYTER_RUNTIME_DIR", tmp_path),
    ):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv(
        "PYTHONPATH",
        os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(repository)]),
    )
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    asyncio.run(client.async_execute())
    printed = "".join(output.get("text", "") for cell in blocks for output in cell.outputs)
    assert "bits per dimension" in printed and "the net length of this image" in printed
    pictures = [
        output
        for cell in blocks
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 3
    assert not [
        output for cell in blocks for output in cell.outputs if output.get("name") == "stderr"
    ]
