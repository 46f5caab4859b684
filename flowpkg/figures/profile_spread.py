"""Where the data inform and where the prior speaks."""

import matplotlib.pyplot as plt

from flowpkg.figures.ensembles import reference_name
from flowpkg.figures.style import LINES, ROLES


def draw(evaluation, options):
    """Draw posterior over prior standard deviation along the profile: of all observations, and of the reference ones."""
    arrays = evaluation.arrays
    axis, (low, middle, high) = arrays["x_axis"], arrays["spread_over_prior"]
    figure, ax = plt.subplots(figsize=(5.4, 3.6))
    ax.fill_between(
        axis, low, high, color=ROLES["generated"], alpha=0.3, lw=0, label="flow, 10 to 90 % of observations"
    )
    ax.plot(axis, middle, color=ROLES["generated"], label="flow, median")
    sd = arrays["reference_flow"].std(axis=1, ddof=1) if "reference_flow" in arrays else []
    for i, own in enumerate(arrays.get("reference_spread", [])):
        prior_sd = arrays["reference_samples"][i].std(axis=0, ddof=1) / own
        look = {"lw": 0.9, "ls": LINES[i % len(LINES)]}
        ax.plot(axis, own, color=ROLES["reference"], **look, label=f"{reference_name(evaluation)}, observation {i + 1}")
        ax.plot(axis, sd[i] / prior_sd, color=ROLES["data"], **look, label=f"flow, observation {i + 1}")
    ax.axhline(1.0, color=ROLES["reference"], lw=0.8)
    for name, marker in (("stations", "v"), ("receiver_depth", "v")):
        if name in arrays:
            at = arrays[name]
            ax.plot(
                at,
                [0.03] * len(at),
                marker,
                ms=4,
                color="black",
                transform=ax.get_xaxis_transform(),
                label=name.split("_")[0].rstrip("s"),
            )
    ax.set(xlabel=str(arrays["x_axis_name"]), ylabel="posterior sd / prior sd")
    ax.set_ylim(bottom=0.0)
    ax.set_title("1: the data say nothing; 0: they say all", fontsize=9)
    figure.legend(loc="outside right upper", fontsize=7)
    return figure
