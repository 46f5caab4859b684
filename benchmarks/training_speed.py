"""Training speed beside the machine's matrix product and beside peers, in one run.

    python benchmarks/training_speed.py [--peers-python PATH]

Each library runs in a process of its own, one after the other, twice; the smaller time counts. Affine couplings in two
dimensions, ReLU, Adam, the same depth, width and batch everywhere. Peers: `pip install flowpkg[peers]`, in this or in
another environment that `--peers-python` names.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np


def clock(call, steps: int, seconds: float = 6.0) -> float:
    """Return the least milliseconds per step over repeated calls of `steps` steps, after one to warm up."""
    call()
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, (time.perf_counter() - start) / steps)
    return 1000.0 * best


def rows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((100_000, 2)).astype(np.float32)


def measure_matmul(*_) -> float:
    import tensorflow as tf

    matrix = tf.random.normal([2048, 2048])
    product = tf.function(lambda value: value @ value)
    return 2 * 2048**3 / clock(lambda: product(matrix).numpy(), 1, 3.0) / 1e6


def measure_flowpkg(layers: int, width: int, batch: int) -> float:
    import tensorflow as tf

    from flowpkg.flows import build_flow
    from flowpkg.partition import Partition
    from flowpkg.settings import resolve
    from flowpkg.training import Trainer
    from flowpkg.training_data import Dataset, batch_indices

    settings = resolve(
        {
            "application": "distribution_mapping",
            "problem": {"name": "moons"},
            "flow": {"coupling": "affine", "layers": layers, "hidden": [width, width], "activation": "relu"},
            "training": {"batch_size": batch, "learning_rate": 1e-4},
        }
    )
    data = rows()
    model = build_flow(settings["flow"], Partition(x=2), seed=1, training_inputs=data)
    trainer = Trainer(model, Dataset.of(model, data), Dataset.of(model, data[:100]), settings["training"], seed=1)
    indices = tf.constant(batch_indices(1, 0, 50, batch, len(data)))
    return clock(lambda: trainer._run(indices, tf.constant(0), tf.zeros([50]))[0].numpy(), 50)


def measure_zuko(layers: int, width: int, batch: int) -> float:
    import zuko

    flow = zuko.flows.RealNVP(2, transforms=layers, hidden_features=[width, width])
    return _torch(flow.parameters(), lambda x: -flow().log_prob(x).mean(), batch)


def measure_normflows(layers: int, width: int, batch: int) -> float:
    import normflows as nf

    steps = []
    for _ in range(layers):
        network = nf.nets.MLP([1, width, width, 2], init_zeros=True)
        steps += [nf.flows.AffineCouplingBlock(network), nf.flows.Permute(2, mode="swap")]
    model = nf.NormalizingFlow(nf.distributions.DiagGaussian(2), steps)
    return _torch(model.parameters(), model.forward_kld, batch)


def _torch(parameters, loss, batch: int) -> float:
    import torch

    data = torch.from_numpy(rows())
    optimiser = torch.optim.Adam(parameters, 1e-4)
    generator = torch.Generator().manual_seed(0)

    def steps():
        for _ in range(10):
            optimiser.zero_grad()
            loss(data[torch.randint(len(data), (batch,), generator=generator)]).backward()
            optimiser.step()

    return clock(steps, 10)


def measure_flowjax(layers: int, width: int, batch: int) -> float:
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import optax
    import paramax
    from flowjax.distributions import StandardNormal
    from flowjax.flows import coupling_flow

    flow = coupling_flow(
        jax.random.key(0), base_dist=StandardNormal((2,)), flow_layers=layers, nn_width=width, nn_depth=2
    )
    parameters, static = eqx.partition(
        flow, eqx.is_inexact_array, is_leaf=lambda x: isinstance(x, paramax.NonTrainable)
    )
    optimiser = optax.adam(1e-4)
    data = jnp.asarray(rows())

    def loss(values, x):
        return -paramax.unwrap(eqx.combine(values, static)).log_prob(x).mean()

    @jax.jit
    def steps(values, state, key):
        def one(carry, key):
            values, state = carry
            x = data[jax.random.randint(key, (batch,), 0, len(data))]
            gradient = jax.grad(loss)(values, x)
            update, state = optimiser.update(gradient, state, values)
            return (eqx.apply_updates(values, update), state), None

        return jax.lax.scan(one, (values, state), jax.random.split(key, 50))[0]

    carry = (parameters, optimiser.init(parameters))

    def call():
        nonlocal carry
        carry = steps(*carry, jax.random.key(1))
        jax.block_until_ready(carry)

    return clock(call, 50)


def run(python: str, name: str, *sizes: int) -> float | None:
    """Measure in a process of its own; None if the library is not installed there."""
    command = [python, __file__, "--worker", name, *map(str, sizes)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        print(f"{name}: not measured ({done.stderr.strip().splitlines()[-1][:160]})", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter that has the peers")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        name, *sizes = arguments.worker
        print(json.dumps(globals()[f"measure_{name}"](*map(int, sizes))))
        return
    before = run(sys.executable, "matmul")
    step = run(sys.executable, "flowpkg", 12, 512, 1024)
    after = run(sys.executable, "matmul")
    kernels = 12 * (512 + 512 * 512 + 512 * 2)
    rate, peak = 6 * 1024 * kernels / step / 1e6, max(before, after)
    print(f"12 x [512, 512], batch 1024: {step:.1f} ms, {rate:.0f} GFLOP/s, {100 * rate / peak:.0f} % of {peak:.0f}")
    for sizes in ((6, 128, 512), (12, 512, 128)):
        times: dict[str, list[float]] = {}
        for _ in range(2):
            for name in ("flowpkg", "flowjax", "zuko", "normflows"):
                python = sys.executable if name == "flowpkg" else arguments.peers_python
                found = run(python, name, *sizes)
                if found:
                    times.setdefault(name, []).append(found)
        ours = min(times["flowpkg"])
        print(f"{sizes[0]} x [{sizes[1]}, {sizes[1]}], batch {sizes[2]}, ms per step (ratio to ours):")
        for name, found in times.items():
            print(f"  {name:10s} {min(found):7.2f}  ({min(found) / ours:.2f})")


if __name__ == "__main__":
    main()
