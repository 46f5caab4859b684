"""The noise that posterior samples leave of the data against the noise that was drawn."""

import matplotlib.pyplot as plt
import numpy as np

from flowpkg.figures.style import ROLES, WIDTH, scatter


def draw(evaluation, options):
    """Draw recovered against drawn noise (left) and, for a flow that decodes noise itself, its noise against that left."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    drawn, mean, sd = (arrays[f"noise_{key}"] for key in ("drawn", "mean", "sd"))
    both = "noise_decoded" in arrays
    figure, axes = plt.subplots(1, 1 + both, figsize=(WIDTH if both else 3.6, 3.5), squeeze=False)
    left = axes[0, 0]
    reach = 1.05 * max(np.abs(drawn).max(), np.abs(mean).max())
    few = min(len(drawn), max(1, options["points"] // drawn.shape[1]))
    bars = left.errorbar(
        drawn[:few].ravel(),
        mean[:few].ravel(),
        yerr=sd[:few].ravel(),
        fmt="o",
        ms=2,
        mew=0,
        lw=0.4,
        color=ROLES["data"],
        ecolor="#99C7E0",
    )
    for part in (bars[0], *bars[2]):
        part.set_rasterized(True)
    left.set_title(f"r = {metrics['noise_correlation']:.3f}")
    left.set(xlabel="noise drawn (sd)", ylabel="noise left by the posterior,\nmean ± sd (sd)")
    if both:
        right = axes[0, 1]
        points = np.stack([arrays["noise_left"].ravel(), arrays["noise_decoded"].ravel()], axis=1)
        reach = max(reach, 1.05 * np.abs(points).max())
        scatter(right, points, s=4, c=ROLES["generated"], alpha=0.6)
        right.set_title(f"root mean square gap {metrics['noise_consistency_rms']:.2f}")
        right.set(xlabel="noise left by x, data − simulate(x) (sd)", ylabel="noise e decoded with x (sd)")
    for ax in axes[0]:
        ax.plot([-reach, reach], [-reach, reach], color=ROLES["reference"], lw=0.8, zorder=0)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return figure
