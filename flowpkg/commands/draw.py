"""`flowpkg draw`: draw one figure from an evaluation; imports no TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowpkg.errors import SettingsError
from flowpkg.figures import PAGES, get_draw, get_page
from flowpkg.figures.evaluation import Evaluation
from flowpkg.figures.style import STYLE_SHEET, save_figure, use_style
from flowpkg.files import atomic_path, read_json


def draw(
    settings: dict[str, Any],
    figure: str,
    evaluation: str | Path,
    model: str | Path,
    out: list[str | Path],
    *,
    style: str | Path = STYLE_SHEET,
) -> None:
    """Draw a figure into each of the given files, PNG or PDF by their suffix, or an interactive page into an HTML file.

    Args:
        settings: the run's complete settings.
        figure: name of the figure.
        evaluation: folder of `flowpkg evaluate`.
        model: folder of `flowpkg train`, for `history.csv`.
        out: file names.
        style: Matplotlib style sheet.

    Raises:
        SettingsError: unknown figure or suffix.
        DataError: the evaluation is missing or damaged.
    """
    if figure in PAGES:
        if [Path(path).suffix for path in out] != [".html"]:
            raise SettingsError(f"{out[0]}: expected one file ending in .html for the page {figure}")
        with atomic_path(out[0]) as temporary:
            temporary.write_text(get_page(figure)(_load(evaluation, model)), encoding="utf-8")
        return
    function = get_draw(figure)
    for path in out:
        if Path(path).suffix not in (".png", ".pdf"):
            raise SettingsError(f"{path}: expected a figure ending in .png or .pdf; got {Path(path).suffix}")
    evaluation = Path(evaluation)
    source = _load(evaluation, model)
    digest = read_json(evaluation / "provenance.json")["settings_sha256"]
    options = settings["figures"][figure]
    with use_style(style):
        drawn = function(source, options)
        for path in out:
            save_figure(drawn, path, {"settings_sha256": digest, "figure": figure}, options["dpi"])


def _load(evaluation: str | Path, model: str | Path) -> Evaluation:
    evaluation = Path(evaluation)
    return Evaluation.load(evaluation / "arrays.npz", evaluation / "metrics.json", Path(model) / "history.csv")
