"""Run the command line in this process, against the real API or a small stand-in for it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import bbans
from bbans.errors import NotBbansError, OutputExistsError, UnsupportedImageError
from bbans.options import TrainOptions
from bbans_cli.main import main


@dataclass(frozen=True)
class Run:
    """What a call left behind."""

    code: int
    out: bytes
    err: str


class Standin(SimpleNamespace):
    """The functions of `bbans` that the commands use, on bytes instead of images: compressing puts
    "bb" in front.

    `calls` are the functions called, with their keyword arguments. A file with "bad" in it is
    refused.
    """

    def __init__(self) -> None:
        super().__init__(calls=[])

    def compress_file(self, source: Path, target: Path, **options: Any) -> SimpleNamespace:
        self.calls.append(("compress_file", options))
        data = source.read_bytes()
        if b"bad" in data:
            raise UnsupportedImageError("a palette image:\n give RGB")
        self._write(target, b"bb" + data, options["overwrite"])
        return SimpleNamespace(
            source_bytes=len(data),
            file_bytes=len(data) + 2,
            raw_bytes=2 * len(data),
            left_out=(),
        )

    def decompress_file(
        self, source: Path, target: Path, **options: Any
    ) -> tuple[SimpleNamespace, ...]:
        self.calls.append(("decompress_file", options))
        self._write(target, self._restore(source.read_bytes()), options["overwrite"])
        lost = SimpleNamespace(
            tile=1, region=SimpleNamespace(x=2, y=3, width=4, height=5), reason="a checksum fails"
        )
        return (lost,) if options["keep_going"] else ()

    def verify(self, data: bytes, **options: Any) -> None:
        self.calls.append(("verify", options))
        self._restore(data)

    def info(self, data: bytes, **options: Any) -> SimpleNamespace:
        self.calls.append(("info", options))
        size = len(self._restore(data))
        return SimpleNamespace(
            to_dict=lambda: {"width": size},
            lines=lambda each_tile: [f"{size} wide", "1 high", *(["tile 0"] if each_tile else [])],
        )

    def train_model(self, source: Path, output: Path, options: TrainOptions, **others: Any) -> None:
        given = {"source": source, "output": output, **vars(options), **others}
        self.calls.append(("train_model", given))
        others["report"]({"step": 100.0, "bits_per_dimension": 2.5})

    @staticmethod
    def _restore(data: bytes) -> bytes:
        if data[:2] != b"bb":
            raise NotBbansError("no bbans file: its first bytes are wrong")
        return data[2:]

    @staticmethod
    def _write(target: Path, data: bytes, overwrite: bool) -> None:
        if target.exists() and not overwrite:
            raise OutputExistsError("the stand-in was asked to overwrite")
        target.write_bytes(data)


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Standin:
    """The functions of `bbans` that read and write files are replaced by those of the returned
    object.
    """
    instead = Standin()
    for name in ("compress_file", "decompress_file", "info", "train_model", "verify"):
        monkeypatch.setattr(bbans, name, getattr(instead, name), raising=False)
    return instead


@pytest.fixture
def run(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Run]:
    """Call `bbans` with arguments and standard input."""

    def call(*arguments: object, stdin: bytes = b"") -> Run:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfdbinary.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return Run(code, out, err.decode())

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
