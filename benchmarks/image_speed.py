"""Training speed of image flows beside TensorFlow Probability, FrEIA and normflows, in one run.

    python benchmarks/image_speed.py --peers-python /tmp/peers/bin/python [--rounds 3] [--article]

A Glow of 32 x 32 x 3, 3 levels x 4 steps x 64 filters, batch 64, ReLU, Adam: milliseconds of a training step. Each
library runs in a process of its own, one after the other, for some rounds; the smallest time counts. Ours includes the
streaming of images from disk with dequantisation, and the split prior, which of the peers only TensorFlow Probability
has. Peers: an environment with torch, FrEIA and normflows. On a busy machine PyTorch's threads wait for one another and
a step takes up to 60 times longer: measure on a quiet one.

`--article` instead builds the article's model (128 x 128 x 3, 3 x 12 x 256, batch 32), takes three steps, draws images,
and prints time and arithmetic of a step, memory, and what the step would take on one GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LEVELS, STEPS, FILTERS, BATCH = 3, 4, 64, 64
# Half of the TF32 peak of an A100, 156 TFLOP/s, is a rate that convolutions of this kind reach at best; a tenth is safe.
GPU_TFLOPS = 15.6


def clock(call, seconds: float = 10.0) -> float:
    """Return the least milliseconds of repeated calls, after three to warm up."""
    for _ in range(3):
        call()
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return 1000.0 * best


def images(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def trainer(folder: str, size: int, levels: int, steps: int, filters: int, batch: int, **training):
    from flowpkg.dequantise import dequantise
    from flowpkg.flows import build_flow
    from flowpkg.partition import Partition
    from flowpkg.settings import resolve
    from flowpkg.training import Trainer
    from flowpkg.training_data import Dataset

    flow = {
        "name": "glow", "levels": levels, "steps_per_level": steps, "filters": filters, "activation": "relu",
    }  # fmt: skip
    settings = resolve(
        {
            "application": "distribution_mapping",
            "problem": {"name": "moons"},
            "flow": flow,
            "training": {"batch_size": batch, "steps": 100_000, "gradient_norm": 100.0, **training},
        }
    )
    path = Path(folder) / "images.npy"
    np.save(path, images(20 * batch, size))
    data = np.load(path, mmap_mode="r")
    shape = (size, size, 3)
    model = build_flow(
        settings["flow"],
        Partition(x=size * size * 3),
        image_shape=shape,
        seed=1,
        training_inputs=dequantise(data[:batch], 1),
    )
    split = Dataset.of(model, data)
    return Trainer(model, split, Dataset.of(model, data[:1]), settings["training"], seed=1)


def measure_flowpkg(precision: str = "float32") -> float:
    with tempfile.TemporaryDirectory() as folder:
        job = trainer(folder, 32, LEVELS, STEPS, FILTERS, BATCH, precision=precision)
        step = 0

        def call():
            nonlocal step
            job._call(step, 1)[0].numpy()
            step += 1

        found = clock(call)
        job._batches = None
        return found


def measure_bfloat16() -> float:
    return measure_flowpkg("bfloat16")


def measure_tfp() -> float:
    from functools import partial

    import tensorflow as tf
    import tensorflow_probability as tfp
    import tf_keras

    tfb = tfp.bijectors
    glow = tfb.Glow(
        output_shape=(32, 32, 3),
        num_glow_blocks=LEVELS,
        num_steps_per_block=STEPS,
        coupling_bijector_fn=partial(tfb.GlowDefaultNetwork, num_hidden=FILTERS),
        exit_bijector_fn=tfb.GlowDefaultExitNetwork,
        grab_after_block=[0.5, 0.5, 0.5],
    )
    base = tfp.distributions.MultivariateNormalDiag(tf.zeros([32 * 32 * 3]))
    flow = tfp.distributions.TransformedDistribution(base, glow)
    data = tf.constant(images(20 * BATCH, 32).astype(np.float32) / 256.0 - 0.5)
    flow.log_prob(data[:2])
    variables = flow.trainable_variables
    optimiser = tf_keras.optimizers.Adam(1e-4)

    @tf.function
    def step(rows):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(tf.gather(data, rows)))
        optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    rows = tf.range(BATCH)
    return clock(lambda: step(rows).numpy())


def _torch(model, loss) -> float:
    import torch

    data = torch.from_numpy(images(20 * BATCH, 32).astype(np.float32) / 256.0 - 0.5).permute(0, 3, 1, 2).contiguous()
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-4)
    generator = torch.Generator().manual_seed(0)

    def step():
        optimiser.zero_grad()
        loss(data[torch.randint(len(data), (BATCH,), generator=generator)]).backward()
        optimiser.step()

    return clock(step)


def measure_freia() -> float:
    import FrEIA.framework as ff
    import FrEIA.modules as fm
    import torch

    def network(inputs, outputs):
        nn = torch.nn
        return nn.Sequential(
            nn.Conv2d(inputs, FILTERS, 3, padding=1), nn.ReLU(), nn.Conv2d(FILTERS, FILTERS, 1), nn.ReLU(),
            nn.Conv2d(FILTERS, outputs, 3, padding=1),
        )  # fmt: skip

    node = ff.InputNode(3, 32, 32)
    nodes, outputs = [node], []
    for level in range(LEVELS):
        nodes.append(ff.Node(nodes[-1], fm.IRevNetDownsampling, {}))
        for _ in range(STEPS):
            nodes.append(ff.Node(nodes[-1], fm.AllInOneBlock, {"subnet_constructor": network}))
        if level < LEVELS - 1:
            split = ff.Node(nodes[-1], fm.Split, {})
            nodes.append(split)
            outputs.append(ff.OutputNode(split.out1))
            # The half that stays is the first output of the split.
            nodes.append(ff.Node(split.out0, fm.PermuteRandom, {"seed": 0}))
    outputs.append(ff.OutputNode(nodes[-1]))
    model = ff.GraphINN([*nodes, *outputs])

    def loss(x):
        latents, log_det = model(x)
        return (sum(0.5 * (z**2).flatten(1).sum(1) for z in latents) - log_det).mean()

    return _torch(model, loss)


def measure_normflows() -> float:
    import normflows as nf

    bases, merges, flows = [], [], []
    for level in range(LEVELS):
        channels = 3 * 2 ** (LEVELS + 1 - level)
        block = [nf.flows.GlowBlock(channels, FILTERS, split_mode="channel", scale=True) for _ in range(STEPS)]
        flows.append([*block, nf.flows.Squeeze()])
        size = 32 // 2 ** (LEVELS - level)
        if level > 0:
            merges.append(nf.flows.Merge())
            shape = (channels // 2, size, size)
        else:
            shape = (channels, size, size)
        bases.append(nf.distributions.DiagGaussian(shape, trainable=False))
    model = nf.MultiscaleFlow(bases, flows, merges, class_cond=False)
    return _torch(model, lambda x: -model.log_prob(x, None).mean())


def measure_article() -> dict[str, float]:
    import resource

    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        job = trainer(folder, 128, 3, 12, 256, 32)
        times = []
        for step in range(3):
            start = time.perf_counter()
            loss = float(job._call(step, 1)[0].numpy()[0])
            times.append(time.perf_counter() - start)
        start = time.perf_counter()
        drawn = job.model.sample(4, temperature=0.7).x.numpy()
        sampling = time.perf_counter() - start
        job._batches = None
    weights = sum(int(tf.size(variable)) for variable in job.model.trainable_variables)
    return {
        "seconds_per_step": min(times[1:]), "tflop_per_step": 3e-12 * 32 * job.model.flops_per_example(),
        "memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "weights": weights, "loss": loss,
        "finite_samples": bool(np.isfinite(drawn).all()), "seconds_for_4_samples": sampling,
    }  # fmt: skip


def run(python: str, name: str):
    """Measure in a process of its own; None if it cannot be measured there."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([python, __file__, "--worker", name], capture_output=True, text=True, env=environment)
    if done.returncode:
        print(
            f"{name}: not measured ({done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1][:200]})",
            file=sys.stderr,
        )
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter that has torch, FrEIA, normflows")
    parser.add_argument("--rounds", type=int, default=3, help="times that each library is measured")
    parser.add_argument("--article", action="store_true", help="measure the article's model instead")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(globals()[f"measure_{arguments.worker}"]()))
        return
    if arguments.article:
        found = run(sys.executable, "article")
        if found is None:
            raise SystemExit(1)
        print(json.dumps(found, indent=2))
        rate = found["tflop_per_step"] / found["seconds_per_step"]
        print(f"article model, batch 32: {found['seconds_per_step']:.1f} s a step here ({1000 * rate:.0f} GFLOP/s)")
        seconds = found["tflop_per_step"] / GPU_TFLOPS
        print(f"estimate for a GPU at {GPU_TFLOPS} TFLOP/s (a tenth of an A100's TF32 peak): {seconds:.2f} s a step")
        return
    times: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        for name in ("flowpkg", "bfloat16", "tfp", "freia", "normflows"):
            python = sys.executable if name in ("flowpkg", "bfloat16", "tfp") else arguments.peers_python
            found = run(python, name)
            if found:
                times.setdefault(name, []).append(found)
    print("32 x 32 x 3, 3 levels x 4 steps x 64 filters, batch 64: ms per step, and ours over it")
    for name, found in times.items():
        print(f"  {name:10s} {min(found):7.1f}  {min(times['flowpkg']) / min(found):5.2f}")


if __name__ == "__main__":
    main()
