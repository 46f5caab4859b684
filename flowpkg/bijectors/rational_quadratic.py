"""The monotone rational-quadratic spline as a plain function of tensors."""

from __future__ import annotations

import math

import tensorflow as tf


def rational_quadratic(
    value: tf.Tensor,
    parameters: tf.Tensor,
    *,
    bins: int,
    bound: float,
    min_bin: float,
    min_slope: float,
    inverse: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate an elementwise rational-quadratic spline, or its inverse, with its log-slope.

    Inside `[-bound, bound]` the spline passes through `bins + 1` knots with given slopes; outside it is the
    identity. Zero parameters give the identity everywhere.

    Args:
        value: `[..., A]`.
        parameters: `[..., A, 3 * bins - 1]`, unbounded: widths, heights, and slopes of the inner knots.
        bins: number of bins.
        bound: half-width of the interval.
        min_bin: smallest bin width and height, as a share of the interval.
        min_slope: smallest slope at a knot.
        inverse: solve for the argument instead of evaluating.

    Returns:
        The mapped values and the log-slopes of the map that was asked for, both `[..., A]`.

    Source: Durkan et al. 2019, arXiv:1906.04032, equations 4 to 8 (inverse: appendix A.3).
    """
    dtype = value.dtype
    inside = (value > -bound) & (value < bound)
    # Values outside take part with a harmless stand-in, so that their unused branch has a finite gradient.
    point = tf.where(inside, value, tf.zeros_like(value))

    widths, left = _bins(parameters[..., :bins], bound, min_bin)
    heights, bottom = _bins(parameters[..., bins : 2 * bins], bound, min_bin)
    # softplus(offset) = 1 - min_slope, so that a zero parameter means slope one.
    offset = math.log(math.expm1(1.0 - min_slope))
    inner = min_slope + tf.nn.softplus(parameters[..., 2 * bins :] + tf.constant(offset, dtype))
    edge = tf.ones_like(inner[..., :1])
    slopes_left = tf.concat([edge, inner], axis=-1)
    slopes_right = tf.concat([inner, edge], axis=-1)

    edges = bottom if inverse else left
    # One-hot of the bin by comparison: a gather would be slower under XLA and its gradient a scatter.
    at_or_after = point[..., None] >= edges
    next_edge = tf.concat([at_or_after[..., 1:], tf.zeros_like(at_or_after[..., :1])], axis=-1)
    lowest = tf.concat([tf.ones_like(at_or_after[..., :1]), at_or_after[..., 1:]], axis=-1)
    chosen = tf.cast(lowest & ~next_edge, dtype)

    def pick(table):
        return tf.reduce_sum(table * chosen, axis=-1)

    width, height = pick(widths), pick(heights)
    x_left, y_bottom = pick(left), pick(bottom)
    slope_left, slope_right = pick(slopes_left), pick(slopes_right)
    secant = height / width
    bend = slope_left + slope_right - 2.0 * secant

    if inverse:
        rise = point - y_bottom
        a = height * (secant - slope_left) + rise * bend
        b = height * slope_left - rise * bend
        c = -secant * rise
        # max(.., 0): rounding can push an exact zero below it.
        root = tf.sqrt(tf.maximum(tf.square(b) - 4.0 * a * c, tf.cast(1e-30, dtype)))
        # Of the two forms of the root, the one whose sum does not cancel; each branch is safe where unused.
        plain = b >= 0.0
        q = -0.5 * (b + tf.where(plain, root, -root))
        first = c / tf.where(plain, q, -tf.ones_like(q))
        second = q / tf.where(plain, tf.ones_like(a), a)
        fraction = tf.clip_by_value(tf.where(plain, first, second), 0.0, 1.0)
        mapped = x_left + fraction * width
    else:
        fraction = (point - x_left) / width
        mapped = None
    rest = 1.0 - fraction
    denominator = secant + bend * fraction * rest
    if mapped is None:
        mapped = y_bottom + height * (secant * tf.square(fraction) + slope_left * fraction * rest) / denominator
    log_slope = (
        2.0 * tf.math.log(secant)
        + tf.math.log(slope_right * tf.square(fraction) + 2.0 * secant * fraction * rest + slope_left * tf.square(rest))
        - 2.0 * tf.math.log(denominator)
    )
    if inverse:
        log_slope = -log_slope
    return tf.where(inside, mapped, value), tf.where(inside, log_slope, tf.zeros_like(log_slope))


def _bins(unbounded: tf.Tensor, bound: float, min_bin: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Return bin sizes that add up to the interval, and the lower edge of each bin."""
    bins = unbounded.shape[-1]
    share = min_bin + (1.0 - min_bin * bins) * tf.nn.softmax(unbounded, axis=-1)
    sizes = 2.0 * bound * share
    return sizes, tf.cumsum(sizes, axis=-1, exclusive=True) - bound
