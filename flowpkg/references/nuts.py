"""Reference posteriors by the No-U-Turn sampler of TensorFlow Probability."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from flowpkg.references.convergence import has_converged, measure, require_convergence
from flowpkg.references.laplace import starting_points
from flowpkg.references.simulators import build_log_joint
from flowpkg.seeds import generator, tensorflow_seed

# Steps in one compiled call.
BLOCK = 50


def nuts_posterior(
    problem,
    y: np.ndarray,
    n: int,
    seed: int,
    *,
    chains: int = 8,
    warmup: int = 300,
    draws: int = 1000,
    target_accept: float = 0.8,
    max_tree_depth: int = 3,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Draw from the posteriors of observations, all chains of all of them side by side.

    The sampler runs in v, u = u* + R^-T v, with u standard normal a priori, u* the most probable u and R R^T = I + J^T J
    the Gauss-Newton precision there, so that the posterior in v is close to standard normal. The step size of each
    observation is found by dual averaging during the warm-up and kept afterwards. Where chains of such a short run have
    not converged, a second run takes twice the steps, trajectories of up to 255 steps, and an acceptance of 0.95.

    Args:
        problem: with a differentiable simulator, see `flowpkg.references.simulators`.
        y: observations `[m, M]`.
        n: samples for each observation, taken evenly from the draws of all chains; at most chains x draws.
        seed: of everything random.
        chains: for each observation.
        warmup: steps of each chain that are thrown away.
        draws: steps of each chain that count.
        target_accept: mean acceptance that dual averaging aims for.
        max_tree_depth: trajectories have at most 2^this - 1 steps. In a target close to standard normal all coordinates
            turn together, and whole circles pass the U-turn test unseen (Stan's extra test is not in TensorFlow Probability);
            7 steps at the usual step size are one circle. Too few for a posterior shows in the effective sample size.

    Returns:
        Samples of x `[m, n, P]`, and a report: for each observation `rhat_max`, `ess_bulk_min`, `ess_tail_min`,
        `step_size`, `accept_mean`, `leapfrogs_mean`, `divergences` (lists), and in all `runs` (1 or 2),
        `gradient_evaluations`, `seconds` (optimisation, warm-up and draws), `compile_seconds` (not part of it), both of all runs, and
        `seconds_per_effective_sample`, with the effective samples of all observations together.

    Raises:
        ConvergenceError: the chains of the second run have not converged either.

    Source: Hoffman & Gelman 2014, arXiv:1111.4246; Phan, Pradhan & Jankowiak 2019, arXiv:1912.11554 for the iterative
        form that TensorFlow Probability uses.
    """
    y = np.atleast_2d(np.asarray(y, np.float64))
    rng = generator(seed, "reference")
    begin = time.perf_counter()
    top, start = starting_points(problem, y, chains, rng)
    root = np.linalg.cholesky(top.precision)
    spread = np.linalg.solve(np.swapaxes(root, 1, 2), rng.standard_normal(start.shape)[..., None])[..., 0]
    first = np.einsum("mqp,cmq->cmp", root, start + spread - top.u)
    seconds, compile_seconds, evaluations = time.perf_counter() - begin, 0.0, 0
    target = _preconditioned(problem, y, top.u, root)
    plans = [
        {"steps": (warmup, draws), "accept": target_accept, "depth": max_tree_depth},
        {"steps": (2 * warmup, 2 * draws), "accept": max(0.95, target_accept), "depth": max(8, max_tree_depth)},
    ]
    for run, plan in enumerate(plans, start=1):
        v, trace, spent, compiling = _sample(target, first, seed, **plan)
        seconds, compile_seconds = seconds + spent, compile_seconds + compiling
        evaluations += int(trace["leapfrogs"].sum())
        kept = plan["steps"][0]
        u = top.u + np.einsum("mqp,cdmq->dcmp", np.linalg.inv(root), np.swapaxes(v[kept:], 0, 1))
        found = measure(np.swapaxes(u, 0, 1))
        if run == len(plans):
            require_convergence(found)
        if has_converged(found).all():
            break
    effective = np.minimum(found["ess_bulk_min"], found["ess_tail_min"])
    report = {key: value.tolist() for key, value in found.items()} | {
        "step_size": trace["step_size"][-1].ravel().tolist(),
        "accept_mean": np.exp(np.minimum(trace["log_accept"][kept:], 0.0)).mean(axis=(0, 1)).tolist(),
        "leapfrogs_mean": trace["leapfrogs"][kept:].mean(axis=(0, 1)).tolist(),
        "divergences": trace["diverged"][kept:].sum(axis=(0, 1)).tolist(),
        "sampler": "nuts",
        "runs": run,
        "chains": chains,
        "warmup": plan["steps"][0],
        "draws": plan["steps"][1],
        "gradient_evaluations": evaluations,
        "seconds": seconds,
        "compile_seconds": compile_seconds,
        "seconds_per_effective_sample": seconds / float(effective.sum()),
    }
    flat = np.moveaxis(u, 2, 0).reshape(len(y), -1, problem.dim)
    flat = flat[:, np.round(np.linspace(0, flat.shape[1] - 1, n)).astype(int)]
    return (problem.from_normal(flat) if hasattr(problem, "from_normal") else flat), report


def _preconditioned(problem, y, centre, root):
    joint = build_log_joint(problem, y)
    inverse, centre = tf.constant(np.linalg.inv(root)), tf.constant(centre)
    return lambda v: joint(centre + tf.einsum("mqp,...mq->...mp", inverse, v))


def _sample(target, first, seed, *, steps, accept, depth):
    """Run chains from `first [chains, m, P]`; return states `[steps, chains, m, P]`, trace, and two times in s."""
    warmup, total = steps[0], sum(steps)
    kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
        tfp.mcmc.NoUTurnSampler(
            target, step_size=tf.fill([first.shape[1], 1], tf.constant(0.5, tf.float64)), max_tree_depth=depth
        ),
        num_adaptation_steps=int(0.8 * warmup),
        target_accept_prob=tf.constant(accept, tf.float64),
        step_size_setter_fn=lambda results, step: results._replace(step_size=step),
        step_size_getter_fn=lambda results: results.step_size,
        log_accept_prob_getter_fn=lambda results: results.log_accept_ratio,
    )

    def trace(_, results):
        inner = results.inner_results
        return {
            "step_size": inner.step_size,
            "log_accept": inner.log_accept_ratio,
            "leapfrogs": inner.leapfrogs_taken,
            "diverged": inner.has_divergence,
        }

    @tf.function(jit_compile=True, autograph=False)
    def advance(state, results, seeds):
        return tfp.mcmc.sample_chain(
            num_results=BLOCK,
            current_state=state,
            previous_kernel_results=results,
            kernel=kernel,
            trace_fn=trace,
            return_final_kernel_results=True,
            seed=seeds,
        )

    seeds = [tensorflow_seed(seed, "reference chains", block) for block in range(-(-total // BLOCK))]
    state, begin = tf.constant(first), time.perf_counter()
    results = kernel.bootstrap_results(state)
    # Once to compile, so that the seconds of compilation are told apart from those of sampling.
    advance(state, results, tf.constant(seeds[0]))
    compile_seconds, begin = time.perf_counter() - begin, time.perf_counter()
    blocks = []
    for pair in seeds:
        found = advance(state, results, tf.constant(pair))
        state, results = found.all_states[-1], found.final_kernel_results
        blocks.append({"v": found.all_states.numpy()} | {key: part.numpy() for key, part in found.trace.items()})
    parts = {key: np.concatenate([block[key] for block in blocks])[:total] for key in blocks[0]}
    return parts.pop("v"), parts, time.perf_counter() - begin, compile_seconds
