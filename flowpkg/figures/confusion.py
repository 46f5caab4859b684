"""Which class is taken for which."""

import matplotlib.pyplot as plt
import numpy as np


def draw(evaluation, options):
    """Draw the confusion matrix: true class down, most probable class across, counts of held-out images."""
    counts = evaluation.arrays["confusion"]
    names = [str(name) for name in evaluation.arrays["class_names"]]
    metrics = evaluation.metrics
    side = 2.4 + 0.28 * len(names)
    figure, ax = plt.subplots(figsize=(side, side))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            ax.text(
                column, row, f"{count}", ha="center", va="center", fontsize=8,
                color="white" if share[row, column] > 0.5 else "black",
            )  # fmt: skip
    ticks = np.arange(len(names))
    ax.set_xticks(ticks, names)
    ax.set_yticks(ticks, names)
    ax.set(xlabel="most probable class", ylabel="true class")
    for spine in ax.spines.values():
        spine.set_visible(False)
    references = ", ".join(
        f"{name} {metrics[f'accuracy_{key}']:.3f}" for key, name in (("logistic", "logistic"), ("svm", "SVM"))
    )
    ax.set_title(f"accuracy {metrics['accuracy']:.3f} ± {metrics['accuracy_se']:.3f}\n({references})", fontsize=9)
    return figure
