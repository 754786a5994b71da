"""Training on several devices and in several processes is training on one, and survives a death."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import yaml

from tests.shapes import tiny_config
from tf_softras.training import RunFolder, make_strategy, train
from tf_softras.training.distributed import is_chief

ROOT = pathlib.Path(__file__).parents[2]

# Adam divides by the root of the squared gradients: where they are nothing but rounding, it takes
# steps of a learning rate whatever their size, unless epsilon is above the rounding.
CONFIG = tiny_config(learning_rate=1e-2, epsilon=0.1)

_PROGRAM = """
import os, signal, sys
import tensorflow as tf

folder, distribution, die_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
if distribution == "mirrored":
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
else:
    from tf_softras.training import make_strategy
    strategy = make_strategy(distribution)
assert strategy.num_replicas_in_sync == 2
from tests.shapes import ellipsoids
from tests.training.test_distributed import CONFIG
from tf_softras.training import callbacks, train

look = callbacks.StopOnNonFiniteLoss.on_train_batch_end

def die(self, batch, logs=None):
    look(self, batch, logs)
    if int(self.model.optimizer.iterations.numpy()) == die_at:
        os.kill(os.getpid(), signal.SIGKILL)

callbacks.StopOnNonFiniteLoss.on_train_batch_end = die
dataset = ellipsoids()
train(CONFIG, train_dataset=dataset, validation_dataset=dataset, run_folder=folder,
      steps_per_epoch=2, progress="none", strategy=strategy)
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(folder, distribution, *, die_at=0, environment=None):
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(folder), distribution, str(die_at)],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "1"} | (environment or {}),
        stderr=subprocess.PIPE,
        text=True,
    )


def start_workers(folder, *, second_dies_at=0):
    """Two processes; the second kills itself after a step, if it should."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    return [
        start(
            folder,
            "multi-worker",
            die_at=second_dies_at if index else 0,
            environment={
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
                )
            },
        )
        for index in range(2)
    ]


def finish(processes):
    try:
        errors = [process.communicate(timeout=400)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(
        error[-3000:] for error in errors
    )


@pytest.fixture(scope="module")
def alone(dataset, tmp_path_factory):
    """The run of one process, by `model.fit`."""
    return train(
        CONFIG,
        train_dataset=dataset,
        validation_dataset=dataset,
        run_folder=tmp_path_factory.mktemp("runs") / "alone",
        steps_per_epoch=2,
        progress="none",
    )


def assert_same_run(folder, alone):
    together = RunFolder.open(folder)
    for row, expected in zip(together.history(), alone.history(), strict=True):
        assert row.keys() == expected.keys()
        for name in row.keys() - {"seconds"}:
            assert row[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-6), name
    weights = [one.load_reconstructor("last").get_weights() for one in (together, alone)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert not together.backup_path.exists()


def test_two_processes_train_as_one_does(alone, tmp_path):
    finish(start_workers(tmp_path / "run"))
    assert_same_run(tmp_path / "run", alone)
    # One of the two has written.
    assert len(json.loads((tmp_path / "run/versions.json").read_text())) == 1
    assert len(list((tmp_path / "run/tensorboard/train").iterdir())) == 1


@pytest.mark.slow
def test_two_devices_train_as_one_does(alone, tmp_path):
    finish([start(tmp_path / "run", "mirrored")])
    assert_same_run(tmp_path / "run", alone)


@pytest.mark.slow
def test_a_workers_death_is_survived_from_the_last_checkpoint(alone, tmp_path):
    """The launcher ends the other workers too, as `srun --kill-on-bad-exit` and a Job do."""
    first, second = start_workers(tmp_path / "run", second_dies_at=5)
    assert second.wait(400) == -signal.SIGKILL
    first.kill()
    first.wait()
    assert [row["step"] for row in RunFolder.open(tmp_path / "run").history()] == [2, 4]
    finish(start_workers(tmp_path / "run"))
    assert_same_run(tmp_path / "run", alone)


def test_a_batch_that_the_replicas_cannot_share_is_refused(dataset, tmp_path, monkeypatch):
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    monkeypatch.setattr(type(strategy), "num_replicas_in_sync", 3)
    with pytest.raises(ValueError, match="a multiple of the 3 replicas.*received 4"):
        train(tiny_config(), train_dataset=dataset, run_folder=tmp_path / "r", strategy=strategy)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("value", ["{", '{"cluster": 3}', "[]"])
def test_a_tf_config_that_cannot_be_read_is_named(value, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(ValueError, match="TF_CONFIG: expected"):
        make_strategy("auto")


def test_names_of_distributions(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert make_strategy("none") is None and is_chief(None)
    with pytest.raises(ValueError, match="TF_CONFIG"):
        make_strategy("multi-worker")
    with pytest.raises(ValueError, match="one of auto, none, mirrored, multi-worker.*'many'"):
        make_strategy("many")


def tf_config(script, **environment):
    """Returns TF_CONFIG as a shell script sets it; `softras` and Slurm's commands are stubs."""
    stubs = """
scontrol() { printf 'node1\\nnode2\\n'; }
srun() { shift; "$@"; }
softras() { echo "$TF_CONFIG"; echo "$@" >&2; }
exec() { "$@"; }
export -f softras exec
"""
    result = subprocess.run(
        ["bash", "-ceu", stubs + script],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0 and result.stderr.startswith("train --preset"), result.stderr
    return json.loads(result.stdout)


def test_the_job_of_kubernetes_names_its_workers():
    documents = yaml.safe_load_all((ROOT / "deploy/training/kubernetes.yaml").read_text())
    service, job, policy = documents
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    pod = job["spec"]["template"]["spec"]
    assert pod["subdomain"] == service["metadata"]["name"] == job["metadata"]["name"]
    (container,) = pod["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    assert environment["WORKERS"] == str(job["spec"]["completions"])
    config = tf_config(container["args"][0], JOB_COMPLETION_INDEX="1", **environment)
    hosts = ["softras-train-0.softras-train:12345", "softras-train-1.softras-train:12345"]
    assert config == {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": 1}}
    assert policy["spec"]["ingress"][0]["ports"][0]["port"] == service["spec"]["ports"][0]["port"]


def test_the_script_for_slurm_names_its_workers():
    page = (ROOT / "docs/distributed.md").read_text()
    script = page.split("## Slurm")[1].split("```sh\n")[1].split("```")[0]
    config = tf_config(script, SLURM_JOB_NODELIST="node[1-2]", SLURM_PROCID="1", SLURM_JOB_ID="7")
    assert config == {
        "cluster": {"worker": ["node1:12345", "node2:12345"]},
        "task": {"type": "worker", "index": 1},
    }
