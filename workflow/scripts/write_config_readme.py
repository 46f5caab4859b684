"""Write config/README.md from the schemas, so that the page, the schemas and the defaults cannot part."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]

METRICS = {
    "nll_nats": "mean negative log-density of held-out rows, with `nll_nats_se`; reference `entropy_nats`",
    "entropy_nats": "entropy of the true density (closed form or quadrature)",
    "kl_nats": "KL(truth || flow): mean of exact minus learned log-density, with `kl_nats_se`; 0 is perfect",
    "log_prob_max_abs_error_p99": "99th percentile over held-out points of |exact - learned log-density|",
    "round_trip_max_abs": "largest |decode(encode(x)) - x|, in training standard deviations of each column; images: as a share of the pixel range",
    "latent_mean_max_abs": "largest absolute mean of a latent; 0 is perfect",
    "latent_cov_max_abs_error": "largest absolute entry of the latents' covariance minus the identity",
    "latent_energy_distance": "energy distance of latents to the standard normal; reference "
    "`latent_energy_distance_null_q95`, the 95 % quantile for truly normal samples of that size",
    "c2st": "accuracy of a classifier telling held-out from generated rows, with `c2st_se` and `c2st_rows`; 0.5 is perfect",
    "auroc_anomaly": "area under the ROC of the flow's score, with 95 % interval `_low`, `_high`; references "
    "`auroc_gaussian`, `auroc_isolation_forest`, `auroc_local_outlier_factor` on the same split",
    "bits_per_dim": "images: mean negative log-likelihood in bits per dimension, uniform dequantisation, all grey levels counted, by split "
    "(`train`, `validation`, `test`), with `bits_per_dim_se`; 8 bits is a uniform image of 256 levels",
    "auroc": "images: area under the ROC by kind, then score, against held-out normal images, with `auroc_low`, `auroc_high` (95 %); "
    "`pca_no_flow` is the reconstruction error of pixels' principal components, which needs no flow",
    "auroc_best": "the same by kind, of the score that `evaluation.anomaly_score` names; `anomaly_rows` by kind",
    "frechet_distance": "squared Frechet distance of principal components of pixels, generated against held-out images, with `_se`; "
    "reference `frechet_distance_halves` between two halves of held-out images of the same size",
    "frechet_ratio": "the former over the latter, with `frechet_ratio_se`; 1 is perfect; `frechet_ratio_pca_sampling` with PCA sampling",
    "nearest_neighbour_ratio": "mean distance to the nearest training image, generated over held-out images, with `_se`; far below 1 means copies",
    "accuracy_svm": "accuracy of a support vector machine on the same split, `accuracy_logistic` of a logistic regression, each with `_se`",
    "nll": "images: mean -log p(class of the image), nats, with `nll_se`; `nll_calibrated`, `ece_calibrated` after division of the "
    "log-odds by `label_temperature`, fitted on validation images",
    "heldout_rows": "rows behind these numbers; anomalies: `anomaly_rows`",
    "accuracy": "share of held-out points given their label, with `accuracy_se`; reference `bayes_accuracy` of the exact mixture",
    "ece": "expected calibration error of class probabilities, 10 bins, with bootstrap `ece_se`; 0 is perfect",
    "conditional_c2st": "C2ST of samples given a label against true ones, worst label, with `conditional_c2st_se`",
    "mode_weight_max_abs_error": "largest error of a mode's share of its label's samples (20,000), with `mode_weight_max_abs_error_se`",
    "out_of_mode_fraction": "share of samples beyond 4 standard deviations of every mode; reference `out_of_mode_fraction_true`",
    "predicted_label_rmse": "root mean square of the y part of encode minus the one-hot label; the target width is `flow.sigma_y`",
    "err_post": "mean over observations of the squared MMD (unbiased, widths 0.05, 0.2, 0.9) of posterior and rejection samples, with "
    "`err_post_se`; reference `err_post_reference`, two sets of rejection samples",
    "err_resim": "mean squared distance of re-simulated samples to the observation, with `err_resim_se`, `err_resim_median` and "
    "`err_resim_q999` (99.9 % quantile); reference `err_resim_reference`, rejection samples of width `reference_width`",
    "calibration_error": "median over 100 levels of |observed inlier fraction - nominal|, mean over parameters, with `calibration_error_se`; "
    "references `calibration_error_null_q95`, the 95 % quantile for a calibrated posterior, and `calibration_error_reference`, the "
    "reference posterior on the same observations",
    "calibration_error_many": "the same over `observations_many` observations, with `calibration_error_many_se`, "
    "`calibration_error_many_null_q95` and `sbc_ks_p_min_many`",
    "calibration_error_68": "the same at the 68 % level alone, with an upper bound `calibration_error_68_se`",
    "sbc_ks_p_min": "smallest Kolmogorov-Smirnov p-value of the parameters' SBC ranks; reference `sbc_ks_p_min_reference`, the reference posterior",
    "coverage_max_abs_error": "largest |observed - nominal coverage| over levels and parameters; reference `coverage_max_abs_error_null_q95`",
    "tarp_max_abs_error": "largest |expected coverage - credibility| of TARP; `tarp_p` tests it",
    "recovery_correlation_min": "smallest correlation of posterior mean and truth over parameters",
    "posterior_c2st": "mean C2ST of posterior against reference samples over observations, with `posterior_c2st_se`, `posterior_c2st_max`",
    "mean_error_sd": "mean of |posterior mean - exact mean| in exact standard deviations, with `mean_error_sd_se`; reference "
    "`mean_error_sd_reference`, what sampling alone gives a perfect posterior",
    "spread_ratio": "mean of posterior over exact standard deviation, with `spread_ratio_se`; `spread_ratio_min`, `spread_ratio_max` over parameters",
    "contraction": "mean over parameters of 1 - posterior variance / prior variance, for inverse problems and a user's own simulator; 1 is everything learned; "
    "`contraction_min` is that of the parameter least learned, with `contraction_min_se`",
    "err_resim_over_noise": "`err_resim` of the inverse problems, there a root mean square in units of y, over the noise (or stated data error); "
    "1 for a right posterior, `err_resim_reference` is that of MCMC",
    "misfit_q99_of_spread": "99 % quantile of |re-simulated - observed| over the prior spread of the data, at the station where it is largest; "
    "`misfit_within_2_percent_min` is the share of samples within 2 %",
    "posterior_ms_1000": "milliseconds of 1,000 samples for one new observation, model loaded: median of 15 calls, and `posterior_ms_1000_max` (measured)",
    "speedup_vs_mcmc": "seconds of MCMC per effective sample over those of the flow, training excluded; `speedup_vs_mcmc_with_training` counts "
    "training and 1,000 samples of each of 100 observations (measured); `reference_seconds_per_effective_sample` (measured)",
    "reference_rhat_max": "largest R-hat of the reference posteriors, which is at most 1.01, with `reference_ess_min`, at least 400, and `reference_seconds`",
    "noise_correlation": "correlation of the noise that posterior samples leave, their mean, with the noise drawn; `noise_rms` is its size in "
    "standard deviations, 1 for a right posterior",
    "noise_consistency_rms": "root mean square of decoded noise minus data minus re-simulation, in standard deviations of the noise; 0 for an exact "
    "inverse; `decoded_noise_sd` should be 1",
    "level_spread_ratio": "posterior spread of log x over that of the normal approximation around the most probable profile, mean over "
    "noise levels and depths, with `level_spread_ratio_min`, `level_spread_ratio_max`",
    "coverage_max_abs_error_many": "`coverage_max_abs_error` over `observations_many` observations; reference `coverage_max_abs_error_many_null_q95`",
    "observations": "observations behind the posterior diagnostics, each with `posterior_samples` samples",
    "samples_per_second": "posterior samples a second, compiled, all observations in one call; `sampling_seconds` (measured)",
    "train_seconds": "seconds of training, compilation included (measured, differs between runs)",
    "train_steps_per_second": "optimiser steps a second once compiled (measured)",
    "train_gflops": "GFLOP/s of the networks' matrix products once compiled, 3 x forward (measured)",
    "peak_memory_mb": "largest resident memory of the training process (measured)",
    "train_steps": "optimiser steps taken",
}


def kind(schema: dict) -> str:
    """Return the type column of a key."""
    if "enum" in schema:
        return " / ".join(f"`{value}`" for value in schema["enum"])
    name = schema.get("type", "")
    limits = [("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<")]
    text = name if isinstance(name, str) else " or ".join(name)
    return " ".join([text, *(f"{sign} {schema[key]}" for key, sign in limits if key in schema)])


def table(properties: dict) -> list[str]:
    """Return the Markdown table of some keys."""
    lines = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, schema in properties.items():
        default = f"`{json.dumps(schema['default'])}`" if "default" in schema else "required"
        lines.append(f"| `{name}` | {kind(schema)} | {default} | {schema['description']} |")
    return [*lines, ""]


def page() -> str:
    """Return the text of config/README.md."""
    config = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    run = yaml.safe_load((ROOT / "flowpkg/schemas/run.schema.yaml").read_text())
    lines = [
        "# Configuration",
        "",
        "`config.yaml` is the laptop default, `smoke.yaml` runs everything tiny, `article.yaml` is the article's scale.",
        "A file named with `snakemake --configfile FILE` takes the place of `config.yaml`. Unknown keys are refused.",
        "This page is written by `workflow/scripts/write_config_readme.py` from the schemas.",
        "",
        "## Top level",
        "",
        *table(config["properties"]),
        "## A run",
        "",
        *table({key: run["properties"][key] for key in ("application", "seed")}),
    ]
    lines += ["### `problem`", "", run["properties"]["problem"]["description"], ""]
    for case in run["properties"]["problem"]["allOf"]:
        name = case["if"]["properties"]["name"]["const"]
        keys = dict(case["then"]["properties"])
        lines += [f"`name: {name}`: {keys.pop('name')['description']}", ""]
        required = case["then"].get("required", [])
        lines += table({key: value for key, value in keys.items() if "default" in value or key in required})
    for section in ("data", "flow", "training", "evaluation"):
        schema = run["properties"][section]
        lines += [f"### `{section}`", "", schema["description"], "", *table(schema["properties"])]
    lines += ["`data.augment` takes:", "", *table(run["$defs"]["augment"]["properties"])]
    lines += ["`training.mmd` takes:", "", *table(run["$defs"]["mmd"]["properties"])]
    figures = run["properties"]["figures"]
    lines += ["### `figures`", "", figures["description"], "", "Figures: "]
    lines[-1] += ", ".join(f"`{name}`" for name in figures["properties"]) + ". Each takes:"
    lines += ["", *table(run["$defs"]["figure"]["properties"])]
    lines += [
        "## Metrics",
        "",
        "Keys of `results/<run>/evaluation/metrics.json`:",
        "",
        "| key | meaning |",
        "| --- | --- |",
    ]
    lines += [f"| `{key}` | {text} |" for key, text in METRICS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "config" / "README.md").write_text(page())
