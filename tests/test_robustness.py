"""The command when things go wrong around it: killed, out of space, odd inputs; and that its bytes
and reports are always the same.
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bbans
from bbans.errors import FormatError
from bbans.files.info import info
from bbans_cli.main import main
from tests.tiny import smooth_image, tiny_model

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and resource limits of POSIX")
KILLS = int(os.environ.get("BBANS_KILLS", "20"))
PHOTO = smooth_image(90, 100)
BBANS = (sys.executable, "-m", "bbans_cli")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PHOTO).save("a.png")
    return tmp_path


def environment(repository: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1", **more}


def read(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_killed_at_any_moment(here, repository):
    """Either the whole output or none under its name; the input is as it was; the next run
    succeeds.
    """
    assert main(["compress", "a.png", "--model", "none", "-o", "good.bbans"]) == 0
    good = Path("good.bbans").read_bytes()
    commands = {
        "out.bbans": ["compress", "a.png", "--model", "none", "-o", "out.bbans", "--threads", "1"],
        "out.png": ["decompress", "good.bbans", "-o", "out.png", "--threads", "1"],
    }
    source = Path("a.png").read_bytes()
    rng, killed = random.Random(0), 0
    for name, command in commands.items():
        start = time.monotonic()
        subprocess.run([*BBANS, *command], env=environment(repository), check=True)
        whole = time.monotonic() - start
        result = Path(name).read_bytes()
        for _ in range(KILLS // 2):
            Path(name).unlink(missing_ok=True)
            process = subprocess.Popen(
                [*BBANS, *command], env=environment(repository), start_new_session=True
            )
            time.sleep(rng.uniform(0.5, 1.0) * whole)
            process.send_signal(signal.SIGKILL)
            if process.wait(timeout=60) == -signal.SIGKILL:
                killed += 1
            else:  # it was done before the signal came: a busy machine had made the first run long
                whole *= 0.8
            if Path(name).exists():
                assert Path(name).read_bytes() == result
            assert Path("a.png").read_bytes() == source and Path("good.bbans").read_bytes() == good
            # a kill while the disk is written to leaves a temporary file, under a name that says
            # so, and nothing else
            assert all(
                p.name in ("a.png", "good.bbans", *commands) or p.match(".bbans-*.tmp")
                for p in here.iterdir()
            )
        Path(name).unlink(missing_ok=True)
        assert main(command) == 0
    assert killed >= KILLS // 4


@pytest.mark.parametrize(
    "command",
    [
        ["compress", "a.png", "--model", "none", "-o", "out"],
        ["decompress", "a.bbans", "-o", "out.png"],
    ],
)
def test_no_space_is_a_named_error_and_leaves_nothing(here, repository, command):
    assert main(["compress", "a.png", "--model", "none"]) == 0

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    # no byte code: a file cut by the limit must not be left in the cache
    done = subprocess.run(
        [*BBANS, *command],
        env=environment(repository, PYTHONDONTWRITEBYTECODE="1"),
        preexec_fn=limited,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (4, "", 1), done.stderr
    assert "cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert sorted(path.name for path in here.iterdir()) == ["a.bbans", "a.png"]


def test_no_space_keeps_the_old_file(here, repository):
    Path("out").write_bytes(b"old")
    code = (
        "import resource, signal, sys; from bbans_cli.main import main; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "sys.exit(main(['compress', 'a.png', '--model', 'none', '-f', '-o', 'out']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(repository, PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert Path("out").read_bytes() == b"old" and len(list(here.iterdir())) == 2


def odd_inputs(here: Path) -> dict[str, tuple[str, int, int]]:
    """Name, exit code of `compress`, exit code of `decompress`."""
    Path("empty").touch()
    Path("folder.png").mkdir()
    os.mkfifo("pipe.png")
    Path("noise.png").write_bytes(random.Random(0).randbytes(500))
    Path("photo.bbans").write_bytes(Path("a.png").read_bytes())
    Path("text.png").write_text("a photograph")
    return {
        "missing": ("no-such-file.png", 3, 3),
        "directory": ("folder.png", 3, 3),
        "FIFO": ("pipe.png", 3, 3),
        "empty": ("empty", 3, 5),
        "noise": ("noise.png", 3, 5),
        "text": ("text.png", 3, 5),
        "an image named as ours": ("photo.bbans", 0, 5),
        "below a file": ("a.png/b.png", 3, 3),
    }


KINDS = (
    "missing",
    "directory",
    "FIFO",
    "empty",
    "noise",
    "text",
    "an image named as ours",
    "below a file",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_odd_inputs_are_refused_on_one_line(here, capfd, kind, command):
    name, *codes = odd_inputs(here)[kind]
    code = codes[command == "decompress"]
    before = sorted(here.iterdir())
    assert (
        main(
            [
                command,
                name,
                "-o",
                "out.png" if command == "decompress" else "out.bbans",
                *(["--model", "none"] if command == "compress" else []),
            ]
        )
        == code
    )
    out, err = capfd.readouterr()
    assert out == "" and len(err.splitlines()) == (code != 0) and "Traceback" not in err
    assert code == 0 or sorted(here.iterdir()) == before


@pytest.mark.parametrize("command", ["info", "verify"])
@pytest.mark.parametrize(
    ("name", "code"),
    [("no-such-file", 3), ("folder.png", 3), ("empty", 5), ("noise.png", 5), ("a.png", 5)],
)
def test_odd_inputs_of_the_other_commands(here, capfd, command, name, code):
    odd_inputs(here)
    assert main([command, name]) == code
    out, err = capfd.readouterr()
    assert out == "" and len(err.splitlines()) == 1


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(here, capfd):
    Path("a.png").chmod(0)
    assert main(["compress", "a.png", "--model", "none"]) == 3
    assert main(["decompress", "a.png", "-o", "b.png"]) == 3
    assert len(capfd.readouterr().err.splitlines()) == 2


def test_an_output_folder_that_is_none(here, capfd):
    assert main(["compress", "a.png", "--model", "none", "-o", "a.png/out"]) in (3, 4)
    assert main(["compress", "a.png", "--model", "none", "-o", "/proc/no/out"]) == 4
    assert len(capfd.readouterr().err.splitlines()) == 2 and len(list(here.iterdir())) == 1


CODE = """
import hashlib, sys
import bbans
from tests.tiny import smooth_image, tiny_model
from bbans.files import tiling
tiling.TILE_SIDE = 130
for model in (tiny_model(), "none"):
    options = {"model": model, "verify": False, "threads": int(sys.argv[1])}
    print(hashlib.sha256(bbans.compress(smooth_image(129, 260), **options)).hexdigest())
"""


def test_the_encoder_is_deterministic_in_fresh_processes(repository):
    """Threads of ours and of the libraries, the hash seed and the compiled path make no
    difference.
    """
    variants = [
        ("1", {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1"}),
        ("3", {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "2"}),
        ("2", {"OMP_NUM_THREADS": "1", "BBANS_ENGINE": "reference", "PYTHONHASHSEED": "3"}),
    ]
    found = [
        subprocess.run(
            [sys.executable, "-c", CODE, threads],
            env=environment(repository, **more),
            cwd=repository,
            capture_output=True,
            check=True,
        ).stdout
        for threads, more in variants
    ]
    assert len(found[0].split()) == 2 and found[0] == found[1] == found[2]


def test_results_go_to_standard_output_and_reports_to_standard_error(here, capfdbinary):
    assert main(["compress", "a.png", "--model", "none", "-v"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == b"" and b"a.png" in err
    data = Path("a.bbans").read_bytes()
    assert main(["compress", "a.png", "--model", "none", "-v", "-c"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == data and b"a.png" in err
    assert main(["decompress", "a.bbans", "-v", "-c"]) == 0
    out, err = capfdbinary.readouterr()
    Path("b.png").write_bytes(out)
    assert np.array_equal(read("b.png"), PHOTO) and b"a.bbans" in err
    assert main(["info", "--json", "--account", "a.bbans"]) == 0
    out, err = capfdbinary.readouterr()
    assert err == b"" and out.count(b"\n") == 1


NUMBER = (int, float)
PART = {
    **{
        name: int
        for name in ("tile", "x", "y", "width", "height", "channels", "latent_precision", "bytes")
    },
    "codec": str,
}
SCHEMA = {
    **{
        name: int
        for name in (
            "width",
            "height",
            "channels",
            "bit_depth",
            "version",
            "tiles",
            "metadata_chunks",
            "file_bytes",
            "raw_bytes",
        )
    },
    "pixel_format": str,
    "samples": str,
    "model_id": (str, type(None)),
    "model_name": (str, type(None)),
    "codecs": {str: int},
    "latent_precisions": [int],
    "parts": [PART],
    "framing_bits": NUMBER,
    "bits_per_dimension": {"total": NUMBER},
}
ACCOUNT = {
    "bits_per_dimension": {"total": NUMBER, "ideal": NUMBER, "net": NUMBER},
    "account_bits": {
        name: NUMBER
        for name in ("prior", "likelihood", "posterior", "initial", "coder", "flush", "framing")
    },
    "latents": {name: NUMBER for name in ("pushed_bits", "got_back_bits", "net_cost_bits")},
}


def check(value, schema, where="file") -> None:
    """JSON keeps to a schema: all keys of it, no others, and their types."""
    if isinstance(schema, list):
        assert isinstance(value, list), where
        for item in value:
            check(item, schema[0], where)
    elif isinstance(schema, dict) and str in schema:
        assert all(isinstance(key, str) for key in value), where
        for item in value.values():
            check(item, schema[str], where)
    elif isinstance(schema, dict):
        assert set(value) == set(schema), where
        for key, inner in schema.items():
            check(value[key], inner, f"{where}.{key}")
    else:
        assert isinstance(value, schema) and not isinstance(value, bool), (where, value)


@pytest.mark.parametrize("model", ["tiny", "none"])
def test_info_as_json_keeps_to_its_schema(here, capfd, model):
    data = bbans.compress(
        smooth_image(129, 130), model=tiny_model() if model == "tiny" else "none", model_only=True
    )
    Path("a.bbans").write_bytes(data)
    assert main(["info", "--json", "a.bbans"]) == 0
    found = json.loads(capfd.readouterr().out)
    check(found, {"file": str, **SCHEMA})
    plain = json.loads(json.dumps(info(data, account=False).to_dict()))
    assert {k: v for k, v in found.items() if k != "file"} == plain
    check(json.loads(json.dumps(info(data, model=tiny_model()).to_dict())), SCHEMA | ACCOUNT)
    assert isinstance(found["model_id"], str) == (model == "tiny")


def test_a_file_that_shrinks_while_it_is_read(here):
    """What was there when it was opened is gone: a named error."""
    from bbans.container import FileBuffer, read

    path = Path("a.bbans")
    path.write_bytes(bbans.compress(PHOTO, model="none"))
    buffer = FileBuffer(path)
    os.truncate(path, 200)
    with pytest.raises(FormatError):
        read(buffer)
    buffer.close()
