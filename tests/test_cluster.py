"""A dask cluster writes the bytes that one process writes, whatever becomes of its workers."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import bbans
from bbans import images
from bbans.errors import ClusterError, InputError
from bbans.execution.dask import Cluster, connected
from bbans.files import tiling
from bbans.integrations.chunks import chunk_coder, encode_chunk
from bbans.models.image_model import ImageModel
from bbans.training import latent_run
from bbans_cli.main import main
from tests.digits import digits
from tests.linear_chain import linear
from tests.methods.trained import RECIPES, data, trained
from tests.tiny import smooth_image, tiny_model

DIGITS = digits(50, seed=5)[0].reshape(-1, 8, 8).astype(np.uint8)
# of a dask that is older than the Python it runs on, and of workers that are killed
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def scheduler():
    """The address of a cluster of two processes."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as found:
        yield found.scheduler_address


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A chain's model of 8 x 8 digits."""
    path = tmp_path_factory.mktemp("models") / "digits.safetensors"
    net, _, history, _ = trained("codes", 120)
    path.write_bytes(latent_run.model_file(net, RECIPES["codes"], history, data(17)[1]))
    return path


def dying(function, marker, context, job):
    """The function, but the first worker that comes to it is killed."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return function(context, job)
    os.kill(os.getpid(), signal.SIGKILL)


def contexts_made():
    """How often this process has made a context."""
    from bbans.execution import dask as cluster

    return cluster._context.cache_info().misses


class Deadly(Cluster):
    """A cluster, of which one worker dies at work."""

    def spread(self, build, recipe):
        spread = super().spread(build, recipe)
        return lambda function, jobs: spread(
            partial(dying, function, os.environ["BBANS_TEST_MARKER"]), jobs
        )


def named(count: int):
    """Digits, with other images among them: chained groups, files, and a group that a chain does
    not suit.
    """
    found = [(f"{i}.png", image) for i, image in enumerate(DIGITS[:count])]
    found.insert(5, ("photo.png", smooth_image(9, 9)))
    return [
        *found,
        *(
            (f"noise{i}.png", np.random.default_rng(i).integers(0, 17, (8, 8), dtype=np.uint8))
            for i in range(3)
        ),
    ]


@pytest.mark.parametrize(
    "options", [{"group": 8}, {"group": 8, "unordered": True, "embed_model": True}, {"group": 1}]
)
def test_archives_are_the_same_bytes(scheduler, model, tmp_path, options):
    members = named(20 if options["group"] > 1 else 3)
    bbans.create_archive(
        tmp_path / "serial.bbar", members, model=model, file_model="none", **options
    )
    with connected(scheduler) as cluster:
        assert cluster.threads == 2
        bbans.create_archive(
            tmp_path / "spread.bbar",
            members,
            model=model,
            file_model="none",
            cluster=cluster,
            **options,
        )
    assert (tmp_path / "spread.bbar").read_bytes() == (tmp_path / "serial.bbar").read_bytes()


def test_a_killed_worker_costs_a_retry_and_no_file(scheduler, model, tmp_path, monkeypatch):
    bbans.create_archive(
        tmp_path / "serial.bbar", named(24), model=model, file_model="none", group=4
    )
    monkeypatch.setenv("BBANS_TEST_MARKER", str(tmp_path / "marker"))
    with connected(scheduler) as cluster:
        before = cluster.client.run(os.getpid)
        result = bbans.create_archive(
            tmp_path / "spread.bbar",
            named(24),
            model=model,
            file_model="none",
            group=4,
            cluster=Deadly(cluster.client),
        )
        cluster.client.wait_for_workers(2, timeout=60)
        assert len(set(before.values()) & set(cluster.client.run(os.getpid).values())) == 1
    assert (
        result.items == 28
        and (tmp_path / "spread.bbar").read_bytes() == (tmp_path / "serial.bbar").read_bytes()
    )


def test_tiles_are_the_same_bytes(scheduler, monkeypatch):
    from bbans.files import tiling

    monkeypatch.setattr(tiling, "TILE_SIDE", 32)
    image, model_ = smooth_image(40, 60), tiny_model()
    expected = bbans.compress(image, model=model_, verify=False)
    with connected(scheduler) as cluster:
        assert bbans.compress(image, model=model_, cluster=cluster) == expected


def test_the_command_writes_the_same_files(scheduler, tmp_path, capsys):
    for i in range(3):
        with (tmp_path / f"{i}.png").open("wb") as file:
            images.write_image(images.from_array(smooth_image(20, 30, i)), file)
    (tmp_path / "none.png").write_bytes(b"no image")
    inputs = [str(tmp_path / name) for name in ("0.png", "none.png", "1.png", "2.png")]
    assert main(["compress", "-q", "--model", "none", *inputs, "-o", f"{tmp_path}/serial/"]) == 3
    assert (
        main(
            [
                "compress",
                "-q",
                "--model",
                "none",
                "--dask",
                scheduler,
                *inputs,
                "-o",
                f"{tmp_path}/spread/",
            ]
        )
        == 3
    )
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and said[0] == said[1] and "none.png" in said[0]
    for i in range(3):
        assert (tmp_path / "spread" / f"{i}.bbans").read_bytes() == (
            tmp_path / "serial" / f"{i}.bbans"
        ).read_bytes()
    archive = ["archive", "create", "-q", "--model", "none", *inputs[::2], "-o"]
    assert (
        main([*archive, f"{tmp_path}/a.bbar"])
        == main([*archive, f"{tmp_path}/b.bbar", "--dask", scheduler])
        == 0
    )
    assert (tmp_path / "a.bbar").read_bytes() == (tmp_path / "b.bbar").read_bytes()


def failing(context, job):
    if job == "ours":
        raise InputError("an image that cannot be coded")
    raise RuntimeError("what nobody foresaw")


def test_errors_come_back_by_name(scheduler, tmp_path):
    with connected(scheduler) as cluster:
        spread = cluster.spread(str, "context")
        with pytest.raises(InputError, match="an image that cannot be coded"):
            list(spread(failing, ["ours"]))
        with pytest.raises(ClusterError, match="RuntimeError: what nobody foresaw"):
            list(spread(failing, ["theirs"]))
        without_file = ImageModel(linear(48, 6), (6, 8, 1), 256)
        with pytest.raises(InputError, match="without its file"):
            bbans.create_archive(
                tmp_path / "a.bbar",
                [("a", smooth_image(6, 8))],
                model=without_file,
                cluster=cluster,
            )


def twice(context, job):
    return context, job * 2


def test_large_jobs_go_in_pieces(scheduler):
    with connected(scheduler) as cluster:
        large = b"x" * (2**23 + 1)
        assert list(cluster.spread(str, "c")(twice, [large, b"y"])) == [
            ("c", large * 2),
            ("c", b"yy"),
        ]


def test_no_cluster(monkeypatch, capsys, tmp_path):
    from bbans.execution import dask

    monkeypatch.setattr(dask, "SECONDS_TO_CONNECT", 1)
    with (
        pytest.raises(ClusterError, match="no dask scheduler answers"),
        connected("tcp://127.0.0.1:9"),
    ):
        pass
    (tmp_path / "a.png").write_bytes(b"")
    assert (
        main(["compress", str(tmp_path / "a.png"), "--dask", "tcp://127.0.0.1:9"])
        == ClusterError.exit_code
        == 9
    )
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match="pip install"), connected("tcp://127.0.0.1:9"):
        pass


def test_workers_of_another_version(scheduler, monkeypatch):
    from bbans.execution import dask as module

    monkeypatch.setattr(module.metadata, "version", lambda name: "0.0.9")
    with (
        pytest.raises(ClusterError, match="this is 0.0.9; install one version everywhere"),
        connected(scheduler),
    ):
        pass


@pytest.mark.skipif(sys.version_info < (3, 11), reason="zarr 3 needs Python 3.11")
def test_dask_arrays_over_zarr(scheduler, tmp_path):
    import dask.array
    import zarr
    from distributed import Client

    from bbans.integrations.zarr import BBans

    stack = np.stack([smooth_image(24, 32, seed, channels=1) for seed in range(8)])
    options = {"shape": stack.shape, "chunks": (4, 24, 32), "dtype": "u1", "compressors": None}
    stores = {
        name: zarr.create_array(str(tmp_path / name), serializer=BBans(model="none"), **options)
        for name in ("serial", "spread")
    }
    stores["serial"][:] = stack
    with Client(scheduler, set_as_default=False) as client:
        client.compute(
            dask.array.from_array(stack, (4, 24, 32)).store(stores["spread"], compute=False)
        ).result()
        maximum = client.compute(dask.array.from_zarr(str(tmp_path / "spread")).max(0)).result()
    assert np.array_equal(maximum, stack.max(0))
    for part in range(2):
        chunk = (tmp_path / "spread" / "c" / str(part) / "0" / "0").read_bytes()
        assert chunk == (tmp_path / "serial" / "c" / str(part) / "0" / "0").read_bytes()
        assert chunk == encode_chunk(
            chunk_coder("none", "default", False, True), stack[4 * part : 4 * part + 4]
        )


def test_workers_make_a_model_once(scheduler, monkeypatch):
    """Of the sixteen tiles of an image, which are compared too, whatever is asked for."""
    monkeypatch.setattr(tiling, "TILE_SIDE", 32)
    image = smooth_image(128, 128)
    with connected(scheduler) as cluster:
        before = cluster.client.run(contexts_made)
        data = bbans.compress(image, model=tiny_model(), scheme="bits-back", cluster=cluster)
        after = cluster.client.run(contexts_made)
    assert data == bbans.compress(image, model=tiny_model())
    assert all(after[worker] - before[worker] <= 1 for worker in after) and sum(
        after.values()
    ) > sum(before.values())
