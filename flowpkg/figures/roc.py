"""Receiver operating characteristic of the flow and of reference detectors."""

import matplotlib.pyplot as plt

from flowpkg.figures.style import ROLES

METHODS = {
    "flow": ("flow", "auroc_anomaly", ROLES["data"], "-"),
    "gaussian": ("Gaussian", "auroc_gaussian", ROLES["generated"], "--"),
    "local_outlier_factor": ("local outlier factor", "auroc_local_outlier_factor", ROLES["latent"], "-."),
    "isolation_forest": ("isolation forest", "auroc_isolation_forest", ROLES["reference"], ":"),
}


def draw(evaluation, options):
    """Draw true against false positive rate; the legend gives AUROC with its 95 % bootstrap interval."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    figure, ax = plt.subplots(figsize=(4.4, 4.2))
    ax.plot([0, 1], [0, 1], color="0.8", lw=0.8)
    for method, (label, key, colour, line) in METHODS.items():
        interval = f"{metrics[key]:.3f} [{metrics[f'{key}_low']:.3f}, {metrics[f'{key}_high']:.3f}]"
        ax.plot(
            arrays[f"roc_{method}_fpr"], arrays[f"roc_{method}_tpr"], color=colour, ls=line, label=f"{label} {interval}"
        )
    ax.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal", xlim=(-0.01, 1), ylim=(0, 1.01))
    ax.legend(title="AUROC [95 % interval]", loc="lower right")
    return figure
