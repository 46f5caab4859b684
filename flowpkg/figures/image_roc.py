"""ROC curves of the anomaly scores of images, one panel for each kind."""

from flowpkg.figures.image_panels import SCORE_NAMES
from flowpkg.figures.style import CLASS_COLOURS, LABEL_BOX, LINES, ROLES, panel_grid

ORDER = ("nll", "typicality", "typicality_5", "typicality_10", "latent", "complexity", "combined", "pca_no_flow")


def draw(evaluation, options):
    """Draw true against false positive rate of each score for each kind; numbers in a panel are AUROC."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    kinds = [str(kind) for kind in arrays["kinds"]]
    figure, axes = panel_grid(len(kinds), 3, height=3.1, sharey=True)
    for ax, kind in zip(axes, kinds):
        ax.plot([0, 1], [0, 1], color="0.8", lw=0.8)
        shown = [name for name in ORDER if f"roc_{kind}_{name}_fpr" in arrays]
        ax.text(0.98, 0.06 + 0.075 * len(shown), "AUROC", ha="right", fontsize=7, bbox=LABEL_BOX)
        for index, name in enumerate(shown):
            best = name == str(arrays["best_score"])
            colour = "black" if best else ROLES["reference"] if name == "pca_no_flow" else CLASS_COLOURS[index % 7]
            ax.plot(
                arrays[f"roc_{kind}_{name}_fpr"],
                arrays[f"roc_{kind}_{name}_tpr"],
                color=colour,
                lw=1.8 if best else 1.1,
                ls="-" if best else LINES[index % 4],
                label=SCORE_NAMES[name],
            )
            number, height = f"{metrics['auroc'][kind][name]:.3f}", 0.05 + 0.075 * (len(shown) - 1 - index)
            ax.text(0.98, height, number, color=colour, ha="right", fontsize=7, bbox=LABEL_BOX)
        ax.set(xlabel="false positive rate", xlim=(-0.01, 1), ylim=(0, 1.01), box_aspect=1)
        ax.set_title(f"normal against {kind} ({int(metrics['anomaly_rows'][kind]):,})", fontsize=9)
    axes[0].set_ylabel("true positive rate")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=min(3, 1 + len(kinds)), fontsize=7
    )
    return figure
