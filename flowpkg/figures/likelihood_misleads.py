"""Where raw likelihood alone misleads, and a score that does not."""

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from flowpkg.figures.image_panels import SCORE_NAMES, group_histogram, kind_colour, show_images
from flowpkg.figures.style import ROLES, WIDTH

PROBES = ("blurred", "scrambled")


def draw(evaluation, options):
    """Draw the kind of images that raw likelihood ranks worst: images above, raw and named score below."""
    arrays, metrics = evaluation.arrays, evaluation.metrics
    kinds, best = [str(kind) for kind in arrays["kinds"]], str(arrays["best_score"])
    kind = min(kinds, key=lambda name: metrics["auroc"][name]["nll"])
    colour = kind_colour(kinds.index(kind))
    figure = plt.figure(figsize=(WIDTH, 4.6))
    grid = figure.add_gridspec(3, 2, height_ratios=(1, 1, 2.4))
    for row, (images, title) in enumerate(
        (
            (arrays["heldout_images"][:8], "held-out normal images"),
            (arrays[f"images_{kind}"][:8], f"{kind} images" if kind in PROBES else kind),
        )
    ):
        show_images(figure.add_subplot(grid[row, :]), images, len(images), title=title)
    for column, name in enumerate(("nll", best)):
        ax = figure.add_subplot(grid[2, column])
        groups = [
            ("held-out normal", arrays[f"score_normal_{name}"], ROLES["data"]),
            (kind, arrays[f"score_{kind}_{name}"], colour),
        ]
        group_histogram(ax, groups)
        area, low, high = (metrics[f"auroc{key}"][kind][name] for key in ("", "_low", "_high"))
        ax.set_title(f"AUROC {area:.3f} [{low:.3f}, {high:.3f}]", fontsize=9)
        unit = " (bits per dimension)" if name == "nll" else ""
        ax.set(xlabel=f"{SCORE_NAMES[name]}{unit}\nlarger is more anomalous", ylabel="images (%)")
        # Room for the legend above the bars.
        ax.set_ylim(top=1.4 * ax.get_ylim()[1])
        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.legend(fontsize=7)
    return figure
