"""The figures of the conditional applications, on small synthetic evaluations."""

import importlib
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection

from flowpkg.figures.arm_explorer import page
from flowpkg.figures.comparison import draw_table
from flowpkg.figures.evaluation import Evaluation
from flowpkg.figures.posterior_arms import arm_positions
from flowpkg.figures.reliability import wilson_interval
from flowpkg.figures.style import save_figure, use_style

LABELLED = ["labels_and_latent", "conditional_samples", "class_probabilities", "reliability", "latent_regions"]
INFERENCE = ["sbc_ranks", "sbc_ecdf", "coverage", "certificate", "recovery"]
LENGTHS = np.array([0.5, 0.5, 1.0])


def labelled(count, n=300, g=12):
    rng = np.random.default_rng(count)
    turn = 2 * np.pi * np.arange(8) / 8
    centres = 4 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    mode_label = np.arange(8) % count
    mode = rng.integers(0, 8, n)
    x = centres[mode] + 0.4 * rng.normal(size=(n, 2))
    grid = np.linspace(-6, 6, g)
    plane = np.stack(np.meshgrid(grid, grid), axis=-1)

    def probabilities(sd):
        squares = ((plane[:, :, None] - centres) ** 2).sum(axis=-1) / (2 * sd**2)
        weight = np.exp(-(squares - squares.min(axis=-1, keepdims=True)))
        weight = np.stack([weight[..., mode_label == k].sum(axis=-1) for k in range(count)], axis=-1)
        return weight / weight.sum(axis=-1, keepdims=True)

    def samples(sd):
        own = [np.flatnonzero(mode_label == k) for k in range(count)]
        return np.stack([centres[rng.choice(o, n)] + sd * rng.normal(size=(n, 2)) for o in own])

    z = np.linspace(-3.5, 3.5, g)
    angle = np.arctan2(z[:, None], z[None, :])
    regions = []
    for k in range(count):
        own = np.flatnonzero(mode_label == k)
        regions.append(own[((angle + np.pi) / (2 * np.pi) * len(own)).astype(int) % len(own)])
    confidence = np.array([1.0]) if count == 1 else np.linspace(0.35, 0.99, 10)
    arrays = {
        "heldout_x": x,
        "heldout_label": mode_label[mode],
        "heldout_z": rng.normal(size=(n, 3)),
        "sampled_x": samples(0.5),
        "true_x": samples(0.4),
        "grid_x1": grid,
        "grid_x2": grid,
        "grid_probability": probabilities(1.3),
        "grid_bayes": probabilities(1.0),
        "reliability_confidence": confidence,
        "reliability_accuracy": np.clip(confidence - 0.02, 0, 1) if count > 1 else confidence,
        "reliability_count": np.geomspace(3, 2000, len(confidence)).round(),
        "region_z1": z,
        "region_z2": z,
        "region_mode": np.array(regions),
        "centres": centres,
        "mode_label": mode_label,
        "names": np.array(["x1", "x2"]),
    }
    return Evaluation(arrays, {"accuracy": 0.98, "bayes_accuracy": 0.985, "ece": 0.01}, {})


def inference(count, m=200):
    rng = np.random.default_rng(count)
    draws, bins = 99, 20
    ranks = rng.integers(0, draws + 1, (m, count))
    grid = np.linspace(0, 1, 101)
    observed = (ranks[:, :, None] / draws <= grid).mean(axis=0)
    levels = np.linspace(0.05, 0.95, 19)
    central = (np.abs(ranks / draws - 0.5)[:, :, None] * 2 <= levels).mean(axis=0)
    half = 1.36 * np.sqrt(np.maximum(grid * (1 - grid), 1e-4) * 4) / np.sqrt(m)
    sd = np.linspace(0.2, 0.5, count)
    truth = rng.normal(size=(m, count))
    mean = truth + sd * rng.normal(size=(m, count))
    spread = 1.96 * np.sqrt(levels * (1 - levels) / m)
    arrays = {
        "names": np.array([f"angle {i + 1} (rad)" for i in range(count)]),
        "sbc_ranks": ranks,
        "sbc_draws": np.array(draws),
        "sbc_bins": np.array(bins),
        "sbc_band_low": np.array(m / bins - 2 * np.sqrt(m / bins)),
        "sbc_band_high": np.array(m / bins + 2 * np.sqrt(m / bins)),
        "ecdf_grid": grid,
        "ecdf_difference": observed - grid,
        "ecdf_low": -half,
        "ecdf_high": half,
        "coverage_levels": levels,
        "coverage_observed": central,
        "coverage_low": levels - spread,
        "coverage_high": levels + spread,
        "certificate_truth": truth[:3],
        "certificate_mean": mean[:3] + 0.02 * rng.normal(size=(3, count)),
        "certificate_sd": sd * np.exp(0.03 * rng.normal(size=(3, count))),
        "exact_mean": mean[:3],
        "exact_sd": sd,
        "recovery_truth": truth,
        "recovery_mean": mean,
        "recovery_sd": np.broadcast_to(sd, truth.shape),
    }
    return Evaluation(arrays, {}, {})


def arm(targets=2, s=150):
    """Arms of the prior that end nearest each target."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60 * s, 4)) * [0.25, 0.5, 0.5, 0.5]
    ends = arm_positions(x, LENGTHS)[:, -1]
    y = np.array([[1.5, 0.0], [1.2, 0.8], [1.8, -0.4], [0.9, -1.0]])[:targets]
    near = np.array([x[np.argsort(((ends - target) ** 2).sum(axis=1))[: 2 * s]] for target in y])
    for row in near:
        rng.shuffle(row)
    probability = 1.0 - np.geomspace(1, 1e-4, 60)
    arrays = {
        "lengths": LENGTHS,
        "names": np.array(["height (length)", "angle 1 (rad)", "angle 2 (rad)", "angle 3 (rad)"]),
        "demo_y": y,
        "demo_posterior": near[:, :s],
        "demo_reference": near[:, s:],
        "resim_distance": 0.02 * np.sqrt(-2 * np.log1p(-probability)),
        "resim_probability": probability,
        "explorer_y1": np.array([0.5, 1.0, 1.5]),
        "explorer_y2": np.array([-0.5, 0.5]),
        "explorer_x": rng.normal(size=(3, 2, 5, 4)),
    }
    return Evaluation(arrays, {"err_resim": 8e-4, "err_resim_median": 5.5e-4, "err_resim_q999": 5.5e-3}, {})


def drawn(name, evaluation, path):
    """Draw and save a figure; return it after checking that every panel says what it shows."""
    figure = importlib.import_module(f"flowpkg.figures.{name}").draw(evaluation, {"points": 100, "dpi": 50})
    save_figure(figure, path / "figure.png", {}, 50)
    assert (path / "figure.png").stat().st_size > 2000
    panels = [ax for ax in figure.axes if ax.axison]
    for ax in panels:
        assert ax.has_data()
        below = [o for o in panels if o.get_subplotspec() and o.get_shared_x_axes().joined(ax, o)]
        beside = [o for o in panels if o.get_subplotspec() and o.get_shared_y_axes().joined(ax, o)]
        if ax.get_label() != "<colorbar>" and name != "posterior_arms":
            assert ax.get_xlabel() or any(o.get_xlabel() for o in below) or "latent" in name or name == "recovery"
            assert ax.get_ylabel() or any(o.get_ylabel() for o in beside) or name in ("recovery", "posterior_pairs")
    assert any(ax.get_title() for ax in panels) or figure.get_suptitle()
    assert any(ax.get_xlabel() for ax in panels) and any(ax.get_ylabel() for ax in panels)
    return figure, panels


@pytest.fixture(autouse=True)
def style():
    with use_style():
        yield
    plt.close("all")


@pytest.mark.parametrize("count", [1, 4, 8])
@pytest.mark.parametrize("name", LABELLED)
def test_labelled_figures(name, count, tmp_path):
    figure, panels = drawn(name, labelled(count), tmp_path)
    titles = [ax.get_title() for ax in panels]
    if name == "labels_and_latent":
        assert [len(ax.collections) for ax in panels] == [count, count]
        assert sum(len(c.get_offsets()) for c in panels[0].collections) == 100
        assert len(figure.legends[0].get_texts()) == count
    elif name == "conditional_samples":
        assert sorted(titles) == sorted(f"{s}, label {k}" for s in ("Flow", "Truth") for k in range(count))
        assert sum(len(ax.lines[0].get_xdata()) for ax in panels) == 16
    elif name == "class_probabilities":
        assert titles[:3] == ["Learned", "Exact (Bayes)", "Largest difference"]
        assert all(len(ax.images) == 1 for ax in panels[:3])
        assert (np.ptp(panels[0].images[0].get_array().reshape(-1, 3), axis=0).max() > 0.1) == (count > 1)
    elif name == "reliability":
        assert len(panels[1].patches) == (1 if count == 1 else 10)
        assert panels[0].get_ylim()[1] > 1.0 > panels[0].get_ylim()[0]
    else:
        assert titles[:count] == [f"Label {k}" for k in range(count)]
        assert sum(len(ax.images) for ax in panels) == count
        assert sum(len(ax.patches) for ax in panels) == 3 * count
        assert len(panels[-1].texts) == 8


@pytest.mark.parametrize("count", [4, 16])
@pytest.mark.parametrize("name", INFERENCE)
def test_inference_figures(name, count, tmp_path):
    evaluation = inference(count)
    figure, panels = drawn(name, evaluation, tmp_path)
    names = evaluation.arrays["names"].tolist()
    if name == "sbc_ranks":
        assert [ax.get_title() for ax in panels] == names
        heights = [ax.patches[-1].get_data().values.sum() for ax in panels]
        assert heights == [200] * count
    elif name == "sbc_ecdf":
        assert [t.get_text() for t in figure.legends[0].get_texts()] == ["95 % band", *names]
        assert panels[0].get_title().endswith(f"of {count} inside the simultaneous band")
    elif name == "coverage":
        assert [len(ax.lines) for ax in panels] == [count + 1, count + 1]
        np.testing.assert_allclose(
            panels[1].lines[1].get_ydata() + panels[1].lines[1].get_xdata(), panels[0].lines[1].get_ydata()
        )
    elif name == "certificate":
        assert len(panels) == 9
        np.testing.assert_allclose(
            panels[6].lines[1].get_ydata() * evaluation.arrays["exact_sd"], evaluation.arrays["certificate_sd"][0]
        )
    else:
        assert [ax.get_title() for ax in panels] == names[:8]
        expected = np.corrcoef(evaluation.arrays["recovery_truth"][:, 1], evaluation.arrays["recovery_mean"][:, 1])[
            0, 1
        ]
        assert panels[1].texts[0].get_text() == f"r = {expected:.3f}"


@pytest.mark.parametrize("targets", [1, 2, 4])
def test_posterior_arms(targets, tmp_path):
    _, panels = drawn("posterior_arms", arm(targets), tmp_path)
    assert len(panels) == 2 * targets
    assert panels[0].get_title() == "$y^*$ = (1.50, 0.00)"
    for ax in panels:
        arms = next(c for c in ax.collections if isinstance(c, LineCollection)).get_segments()
        assert len(arms) == 60
        np.testing.assert_allclose(np.linalg.norm(np.diff(arms[0], axis=0), axis=1), LENGTHS)
    assert panels[0].get_xlim() == panels[targets].get_xlim()


def test_arm_positions():
    positions = arm_positions(np.array([[0.3, np.pi / 2, -np.pi / 2, np.pi]]), LENGTHS)[0]
    np.testing.assert_allclose(positions, [[0, 0.3], [0, 0.8], [0.5, 0.8], [-0.5, 0.8]], atol=1e-12)


@pytest.mark.parametrize("count", [1, 4, 7])
def test_posterior_pairs(count, tmp_path):
    evaluation = arm()
    rng = np.random.default_rng(0)
    changed = {f"demo_{key}": rng.normal(size=(1, 80, count)) for key in ("posterior", "reference")}
    _, panels = drawn("posterior_pairs", Evaluation(evaluation.arrays | changed, {}, {}), tmp_path)
    shown = min(count, 6)
    assert len(panels) == shown * (shown + 1) // 2
    assert sum(len(ax.collections) for ax in panels) == shown * (shown - 1)


def test_resimulation_marks_distances_not_squares(tmp_path):
    evaluation = arm()
    _, (ax,) = drawn("resimulation", evaluation, tmp_path)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    places = [line.get_xdata()[0] for line in ax.lines[1:]]
    np.testing.assert_allclose(places, np.sqrt([5.5e-4, 8e-4, 5.5e-3]))


def test_page_is_self_contained():
    evaluation = arm()
    evaluation.arrays["explorer_x"][0, 0, 0, 0] = np.nan
    text = page(evaluation)
    assert "http" not in text and "<title>Planar arm: posterior of the joint angles</title>" in text
    data = json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)[1])
    assert data["lengths"] == LENGTHS.tolist() and data["y1"] == [500, 1000, 1500]
    assert len(data["x"][0][0]) == 4 * 4 and len(data["x"][2][1]) == 4 * 5
    np.testing.assert_allclose(
        np.reshape(data["x"][2][1], (5, 4)) * data["unit"], evaluation.arrays["explorer_x"][2, 1], atol=5.1e-4
    )


def test_table_marks_the_best_and_ends_with_the_goals():
    figure = draw_table(
        ["a", "b"], ["loss", "score"], [["1", "2"], ["3", "4"]], [[True, False], [False, True]], ["< 1", "> 5"]
    )
    texts = figure.axes[0].texts
    assert {t.get_text() for t in texts if t.get_weight() == "bold"} == {"1", "4"}
    lowest = min(t.get_position()[1] for t in texts)
    assert [t.get_text() for t in texts if t.get_position()[1] == lowest] == ["goal", "< 1", "> 5"]


def test_wilson_interval_at_the_edge():
    low, high = wilson_interval(np.array([1.0]), np.array([10.0]))
    assert low[0] == pytest.approx(0.7225, abs=1e-4) and high[0] == pytest.approx(1.0)
