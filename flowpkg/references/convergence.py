"""Have the chains converged? R-hat and effective sample sizes by ArviZ."""

from __future__ import annotations

import warnings

import numpy as np

from flowpkg.errors import ConvergenceError

RHAT_MOST = 1.01
ESS_LEAST = 400


def measure(draws: np.ndarray) -> dict[str, np.ndarray]:
    """Return `rhat_max`, `ess_bulk_min` and `ess_tail_min` over parameters for each observation, `[m]`.

    Args:
        draws: `[chains, draws, m, P]`.

    Source: Vehtari et al. 2021, arXiv:1903.08008 (rank-normalised split R-hat, bulk and tail effective sample size).
    """
    with warnings.catch_warnings():
        # ArviZ announces its next version whenever it is imported.
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    found = []
    for rows in np.moveaxis(draws, 2, 0):
        data = arviz.convert_to_dataset({"u": rows})
        found.append(
            [
                float(arviz.rhat(data)["u"].max()),
                float(arviz.ess(data, method="bulk")["u"].min()),
                float(arviz.ess(data, method="tail")["u"].min()),
            ]
        )
    return dict(zip(("rhat_max", "ess_bulk_min", "ess_tail_min"), np.array(found).T, strict=True))


def has_converged(found: dict[str, np.ndarray]) -> np.ndarray:
    """Return which observations `[m]` have R-hat of at most 1.01 and at least 400 effective samples."""
    # A NaN, of a chain that never moved, has not converged: hence the comparison that way round.
    effective = np.minimum(found["ess_bulk_min"], found["ess_tail_min"])
    return (found["rhat_max"] <= RHAT_MOST) & (effective >= ESS_LEAST)


def require_convergence(found: dict[str, np.ndarray]) -> None:
    """Raise unless every observation has converged.

    Raises:
        ConvergenceError: names the first observation that has not.
    """
    for i in np.flatnonzero(~has_converged(found))[:1]:
        effective = min(found["ess_bulk_min"][i], found["ess_tail_min"][i])
        raise ConvergenceError(
            f"reference posterior of observation {i + 1}: expected R-hat <= {RHAT_MOST} and effective sample size >= "
            f"{ESS_LEAST}; got {found['rhat_max'][i]:.4f} and {effective:.0f}"
        )
