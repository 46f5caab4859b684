"""ROC curves of the anomaly scores of images, one panel for each kind."""

from flowpkg.figures.image_panels import SCORE_NAMES
from flowpkg.figures.style import CLASS_COLOURS, LINES, ROLES, panel_grid

ORDER = ("nll", "typicality", "typicality_5", "typicality_10", "latent", "complexity", "combined", "pca_no_flow")


def draw(evaluation, options):
    """Draw true against false positive rate of each score for each kind; the legend gives AUROC."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    kinds = [str(kind) for kind in arrays["kinds"]]
    figure, axes = panel_grid(len(kinds), 3, height=4.4, sharey=True)
    for ax, kind in zip(axes, kinds):
        ax.plot([0, 1], [0, 1], color="0.8", lw=0.8)
        for index, name in enumerate(ORDER):
            if f"roc_{kind}_{name}_fpr" not in arrays:
                continue
            best = name == str(arrays["best_score"])
            colour = "black" if best else ROLES["reference"] if name == "pca_no_flow" else CLASS_COLOURS[index % 7]
            label = SCORE_NAMES[name]
            ax.plot(
                arrays[f"roc_{kind}_{name}_fpr"],
                arrays[f"roc_{kind}_{name}_tpr"],
                color=colour,
                lw=1.8 if best else 1.1,
                ls="-" if best else LINES[index % 4],
                label=f"{metrics['auroc'][kind][name]:.3f}  {label}",
            )
        ax.set(xlabel="false positive rate", xlim=(-0.01, 1), ylim=(0, 1.01), box_aspect=1)
        ax.set_title(f"normal against {kind} ({int(metrics['anomaly_rows'][kind]):,})", fontsize=9)
        ax.legend(title="AUROC", loc="upper center", bbox_to_anchor=(0.5, -0.22), fontsize=7, title_fontsize=7)
    axes[0].set_ylabel("true positive rate")
    return figure
