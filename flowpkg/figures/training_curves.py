"""The loss over training."""

import matplotlib.pyplot as plt

from flowpkg.figures.style import ROLES, WIDTH


def draw(evaluation, options):
    """Draw training and validation loss with the entropy as their floor, and the learning rate below."""
    history = evaluation.history
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(WIDTH, 3.6), sharex=True, height_ratios=(3, 1))
    top.plot(history["step"], history["train_loss"], color=ROLES["data"], label="training (mean since the last point)")
    top.plot(
        history["step"], history["validation_loss"], color=ROLES["generated"], marker="o", ms=2.5, label="validation"
    )
    if "entropy_nats" in evaluation.metrics:
        top.axhline(
            evaluation.metrics["entropy_nats"], color=ROLES["reference"], ls="--", lw=0.9, label="entropy of the truth"
        )
    best = history["validation_loss"].argmin()
    top.plot(
        history["step"][best], history["validation_loss"][best], "o", mfc="none", color=ROLES["outlier"], label="best"
    )
    likelihood = str(evaluation.arrays["objective"]) == "likelihood"
    top.set(ylabel="NLL (nats per point)" if likelihood else "training objective (MMD, weighted sum)")
    top.legend(loc="upper right")
    bottom.plot(history["step"], history["learning_rate"], color=ROLES["reference"])
    bottom.set(xlabel="optimiser step", ylabel="learning rate", ylim=(0, None))
    return figure
