"""Posterior samples a second of trained models, with one and two threads, beside the matrix product of the machine.

Usage: python benchmarks/posterior_speed.py results/arm/model results/arm_conditional/model
"""

from __future__ import annotations

import subprocess
import sys
import time


def measure(model: str, threads: int) -> None:
    """Print samples a second: 1,000 observations x 1,000 samples, compiled, the median of five calls."""
    from flowpkg.tensorflow_setup import set_up_tensorflow

    set_up_tensorflow(threads)
    import numpy as np
    import tensorflow as tf

    from flowpkg.model import FlowModel

    flow = FlowModel.load(model)
    y = np.tile(flow.standardise_y.loc.numpy(), (1000, 1))
    flow.posterior(y, 1000)
    seconds = []
    for seed in range(5):
        start = time.perf_counter()
        flow.posterior(y, 1000, seed=(seed, 1))
        seconds.append(time.perf_counter() - start)
    square = tf.random.normal([4096, 4096])
    tf.matmul(square, square)
    start = time.perf_counter()
    tf.matmul(square, square).numpy()
    peak = 2e-9 * 4096**3 / (time.perf_counter() - start)
    rate = 1e6 / np.median(seconds)
    used = 1e-9 * rate * flow.flops_per_example()
    print(
        f"{model}: {threads} threads: {rate:,.0f} samples/s, {used:.0f} GFLOP/s (matrix product {peak:.0f})", flush=True
    )


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        measure(sys.argv[2], int(sys.argv[3]))
    else:
        for folder in sys.argv[1:]:
            for count in ("1", "2"):
                # A process each: TensorFlow takes its number of threads once.
                subprocess.run(
                    [sys.executable, __file__, "--one", folder, count], check=True, stderr=subprocess.DEVNULL
                )
