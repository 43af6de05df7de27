"""Machines and processes that are not like ours: folders that may not be entered, Pillow's limit,
little memory, -OO, torch's defaults.
"""

import copy
import inspect
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

import bbans
from bbans import errors
from bbans.errors import InputError, ModelNotFoundError, UnderflowError
from bbans.files import decoder
from bbans.models import library, model_file
from bbans_cli.main import commands, main
from bbans_cli.manual import CODES, commands_below

NOBODY = 65534


def drawing():
    """What WebP codes."""
    x = np.zeros((48, 64, 3), np.uint8)
    x[5:30, 8:40], x[::7] = (255, 0, 0), 9
    return x


@pytest.fixture(scope="module")
def photograph(repository):
    with PIL.Image.open(repository / "samples" / "tea-gardens.png") as image:
        return np.asarray(image)[200:264, 300:364].copy()


def run(arguments, *flags, cwd=None, limit=None, **options):
    """`bbans` in a process of its own."""

    def limited():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    command = [sys.executable, *flags, "-m", "bbans_cli", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=cwd,
        preexec_fn=limited,
        timeout=300,
        check=False,
        **options,
    )


# folders of the search path


def test_a_folder_that_may_not_be_entered_is_passed_over(tmp_path, monkeypatch):
    """Whatever the user: every question about it is refused, as another user's HOME would."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "photo-2.safetensors").write_bytes(b"another's")
    monkeypatch.setenv(
        library.SEARCH_PATH_VARIABLE,
        os.pathsep.join([str(secret), str(tmp_path / "missing"), "~nobody", "x" * 5000]),
    )
    refused = PermissionError(13, "Permission denied", str(secret))

    def closed(function):
        def call(path, *rest, **options):
            if str(secret) in os.fspath(path):
                raise refused
            return function(path, *rest, **options)

        return call

    for name in ("stat", "lstat", "listdir", "scandir"):
        monkeypatch.setattr(os, name, closed(getattr(os, name)))
    assert (
        library.find_by_name("photo-2").id
        == model_file.load_file(library.SHIPPED / "photo-2.safetensors").id
    )
    assert library.find_by_id(library.find_by_name("photo-fast-1").id).name == "photo-fast-1"
    assert {"photo-1", "photo-2", "photo-fast-1", "none"} <= set(library.model_names())
    assert [found.name for found in library.list_models()][:1] == ["photo-1"]
    with pytest.raises(ModelNotFoundError, match="Permission denied"):
        model_file.load_file(secret / "photo-2.safetensors")


@pytest.mark.parametrize(
    "kind", ["a file", "dangling", "a loop", "a folder of that name", "missing"]
)
def test_what_else_stands_on_the_search_path_is_passed_over(kind, tmp_path, monkeypatch):
    place = tmp_path / "place"
    if kind == "a file":
        place.write_text("no folder")
    elif kind == "dangling":
        place.mkdir()
        (place / "photo-2.safetensors").symlink_to(tmp_path / "nowhere")
    elif kind == "a loop":
        place.symlink_to(place)
    elif kind == "a folder of that name":
        (place / "photo-2.safetensors").mkdir(parents=True)
    monkeypatch.setenv(library.SEARCH_PATH_VARIABLE, str(place))
    assert library.find_by_name("photo-2").name == "photo-2"
    assert len(library.list_models()) >= 3


@pytest.mark.skipif(
    not hasattr(os, "setuid") or os.getuid() != 0, reason="only root becomes another user"
)
def test_a_home_of_another_user(tmp_path, photograph):
    """The whole command, as a user who may not enter its HOME; the output goes to a folder that is
    its own.
    """
    home, work = tmp_path / "home", tmp_path / "work"
    (home / ".local").mkdir(parents=True)
    work.mkdir()
    for folder in (work, *tmp_path.parents):
        if folder == Path("/"):
            break
        folder.chmod(0o755)
    os.chown(work, NOBODY, NOBODY)
    home.chmod(0o700)
    PIL.Image.fromarray(photograph).save(work / "x.png")
    code = (
        "import os, sys; os.setuid(65534); from bbans_cli.main import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("XDG_DATA_HOME", "BBANS_MODEL_PATH", "NUMBA_CACHE_DIR")
    }
    for arguments in (
        ["--version"],
        ["compress", "x.png"],
        ["decompress", "x.bbans", "-o", "y.png"],
        ["models", "list"],
    ):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(
            command,
            env={**env, "HOME": str(home)},
            capture_output=True,
            text=True,
            cwd=work,
            check=False,
        )
        if "No module named" in done.stderr or "can't open file" in done.stderr:
            pytest.skip("this environment is closed to other users")
        assert (done.returncode, done.stderr) == (0, "")
    with PIL.Image.open(work / "y.png") as back:
        assert np.array_equal(np.asarray(back), photograph)


# Pillow's limit


@pytest.mark.parametrize("limit", [10, 1, 2000, 3000, None])
def test_pillows_limit_is_not_that_of_our_files(limit, monkeypatch, photograph):
    pictures = {
        "drawing": drawing(),
        "grey drawing": drawing()[..., 0],
        "alpha": np.dstack([photograph[:48], drawing()[..., 0]]),
        "palette": PIL.Image.fromarray(drawing()).quantize(8),
    }
    made = {name: bbans.compress(picture) for name, picture in pictures.items()}
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
    for name, picture in pictures.items():
        assert bbans.compress(picture) == made[name]
        pixels = bbans.decompress(made[name])
        assert np.array_equal(pixels, np.asarray(picture))
        bbans.verify(made[name])
        assert np.array_equal(decoder.salvage(made[name])[0].pixels, pixels)
        assert np.array_equal(bbans.decompress(made[name], preview=1), pixels[::2, ::2])
        assert np.array_equal(bbans.decompress(made[name], region=(1, 2, 5, 4)), pixels[2:6, 1:6])
        assert bbans.info(made[name]).account is not None
    assert limit == PIL.Image.MAX_IMAGE_PIXELS


def test_without_imagecodecs_pillows_limit_is_named(monkeypatch):
    data = bbans.compress(drawing())
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(errors.FormatError, match="MAX_IMAGE_PIXELS"):
        bbans.decompress(data)


# torch's defaults


TORCH = {
    "device": lambda: torch.device("meta"),
    "inference": torch.inference_mode,
    "without gradients": torch.no_grad,
}


@pytest.mark.parametrize("name", TORCH)
def test_torchs_contexts_change_nothing(name, photograph):
    expected = bbans.compress(photograph)
    with TORCH[name]():
        assert bbans.compress(photograph) == expected
        assert np.array_equal(bbans.decompress(expected), photograph)


@pytest.mark.parametrize("device", ["meta", "cuda"])
def test_a_default_device_changes_nothing(device, photograph):
    """Of CUDA too, where there is none."""
    expected = bbans.compress(photograph)
    torch.set_default_device(device)
    try:
        assert bbans.compress(photograph) == expected
        assert np.array_equal(bbans.decompress(expected), photograph)
    finally:
        torch.set_default_device(None)


# errors


def named_errors():
    return [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.BbansError)
    ]


@pytest.mark.parametrize("kind", named_errors(), ids=lambda kind: kind.__name__)
def test_errors_travel(kind):
    """Workers of a pool or a cluster pickle them."""
    error = kind("too little", 12.5) if issubclass(kind, UnderflowError) else kind("one line")
    error.__notes__ = ["a note"]
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (
            type(other) is kind and str(other) == str(error) and other.exit_code == error.exit_code
        )
        assert getattr(other, "missing_bits", None) == getattr(error, "missing_bits", None)


def test_every_exit_code_is_documented(repository):
    table = (repository / "docs" / "command-line.md").read_text()
    for kind in named_errors():
        assert kind.exit_code in CODES
    for code, words in CODES.items():
        assert code in (0, 130) or f"| {code} | {words.split(';')[0].split(' (')[0]}" in table, code


# python -OO


def test_help_survives_double_o():
    """The same text of every command."""
    code = """
import sys
from bbans_cli.main import commands, main
from bbans_cli.manual import commands_below
import click
for path, command in commands_below(commands):
    print(path, command.get_help(click.Context(command, info_name=path or "bbans")))
"""
    texts = [
        subprocess.run(
            [sys.executable, *flags, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for flags in ([], ["-OO"])
    ]
    assert texts[0] == texts[1]
    assert all(command.help for _, command in commands_below(commands))


def test_coding_under_double_o(tmp_path, photograph):
    PIL.Image.fromarray(photograph).save(tmp_path / "x.png")
    for arguments in (["compress", "x.png"], ["decompress", "x.bbans", "-o", "y.png"]):
        done = run(arguments, "-OO", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x.bbans").read_bytes() == bbans.compress(photograph)
    with PIL.Image.open(tmp_path / "y.png") as back:
        assert np.array_equal(np.asarray(back), photograph)


# closed streams


@pytest.mark.parametrize(
    ("shell", "status", "said"),
    [
        ("compress -c x.png >&-", 4, "bbans: x.png: standard output is closed"),
        ("compress - -o y.bbans <&-", 3, "bbans: -: standard input is closed"),
        ("compress missing.png 2>&-", 3, ""),
        ("compress x.png 2>&-", 0, ""),
    ],
)
def test_closed_streams_are_named(shell, status, said, tmp_path, photograph):
    PIL.Image.fromarray(photograph).save(tmp_path / "x.png")
    command = f'"{sys.executable}" -m bbans_cli {shell}'
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
        check=False,
    )
    assert (
        done.returncode == status and done.stderr.startswith(said) and done.stderr.count("\n") <= 1
    )


# little memory


@pytest.mark.skipif(sys.platform != "linux", reason="an address space is limited on Linux")
@pytest.mark.parametrize("megabytes", [150, 500, 1000])
def test_little_memory_is_one_line(megabytes, tmp_path, photograph):
    """Right bytes or a documented exit code, one line and nothing written."""
    PIL.Image.fromarray(np.tile(photograph, (8, 8, 1))).save(tmp_path / "x.png")
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = run(
        ["compress", "--threads", "1", "x.png"], cwd=tmp_path, limit=megabytes << 20, env=env
    )
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.returncode == 10 and len(done.stderr.splitlines()) == 1, done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["x.png"]
    else:
        assert bbans.decompress((tmp_path / "x.bbans").read_bytes()).shape == (512, 512, 3)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3.0 GiB for an array"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you "
            "tried to allocate 1 bytes"
        ),
        RuntimeError("can't start new thread"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_of_memory_are_named(error, tmp_path, monkeypatch, capsys, photograph):
    PIL.Image.fromarray(photograph).save(tmp_path / "x.png")

    def short(*_, **__):
        raise error

    monkeypatch.setattr(bbans, "compress_file", short, raising=False)
    assert main(["compress", str(tmp_path / "x.png")]) == 10
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "memory was short" in said


def test_other_runtime_errors_are_not_called_memory(tmp_path, monkeypatch, photograph):
    PIL.Image.fromarray(photograph).save(tmp_path / "x.png")

    def broken(*_, **__):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(bbans, "compress_file", broken, raising=False)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        main(["compress", str(tmp_path / "x.png")])


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / "x.bbans"
    path.write_bytes(b"x")

    def refused(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(InputError, match="Permission denied"):
        bbans.open(path)
