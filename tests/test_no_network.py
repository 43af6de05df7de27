"""Nothing is fetched and nothing is sent: coding and decoding work where a socket cannot be
made.
"""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

import bbans
from bbans.errors import ModelNotFoundError
from bbans.exact import engines
from tests.engines import COMPILED
from tests.tiny import smooth_image, tiny_model

PHOTO = smooth_image(129, 130)


@pytest.fixture
def no_sockets(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a socket was asked for")

    for name in ("socket", "create_connection", "getaddrinfo", "socketpair"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.mark.parametrize("model", [tiny_model(), "none", None])
def test_no_socket_is_made(no_sockets, model):
    data = bbans.compress(PHOTO, model=model, model_only=True)
    assert np.array_equal(bbans.decompress(data, model=model), PHOTO)
    bbans.info(data, model=model)


def test_a_missing_model_is_not_fetched(no_sockets):
    with pytest.raises(ModelNotFoundError):
        bbans.decompress(bbans.compress(PHOTO, model=tiny_model(), model_only=True))


CODE = """
import sys
def hook(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.")) or event in sys.argv[1:]:
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(hook)
from bbans_cli.main import main
for command in (
    ["compress", "a.png"],
    ["decompress", "a.bbans", "-o", "b.png"],
    ["info", "a.bbans"],
    ["verify", "-q", "a.bbans"],
):
    code = main(command)
    assert code == 0, (command, code)
"""


@pytest.mark.parametrize("engine", COMPILED)
def test_the_command_opens_no_socket_and_starts_nothing(tmp_path, repository, engine):
    """Python's own audit of what the process asks for, from its start."""
    from PIL import Image

    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    variables = {**os.environ, "PYTHONPATH": str(repository), engines.VARIABLE: engine}
    forbidden = [
        "os.exec",
        "os.posix_spawn",
        "os.system",
        "subprocess.Popen",
        "pickle.find_class",
    ]
    done = subprocess.run(
        [sys.executable, "-c", CODE, *forbidden],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
