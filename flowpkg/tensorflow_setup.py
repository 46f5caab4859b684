"""Load TensorFlow with settings that make results repeat."""

from __future__ import annotations

import os
import sys


def set_up_tensorflow(threads: int = 0, gpus: int | None = None) -> None:
    """Import TensorFlow quietly, fix its thread count and make its operations deterministic.

    Args:
        threads: threads of one operation; 0 leaves TensorFlow's choice. Results are byte-identical only for
            the same number.
        gpus: 0 hides every GPU, so that a small job does not take the memory of one; with another number, fewer
            GPUs are said on standard error, and the processor does the work; None uses what there is.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Said by name, because TensorFlow prints a notice when it chooses for itself.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    try:
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.experimental.enable_op_determinism()
        found = tf.config.list_physical_devices("GPU") if gpus is not None else []
        if gpus == 0 and found:
            tf.config.set_visible_devices([], "GPU")
        elif gpus and len(found) < gpus:
            print(f"flowpkg: expected {gpus} GPU; TensorFlow found {len(found)}", file=sys.stderr, flush=True)
    except RuntimeError:
        # Already running in this process (tests); threads are then as they were.
        pass
