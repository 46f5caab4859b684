"""Every bijector through one registry: inverses, log-determinants, shapes, gradients."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from flowpkg.bijectors import (
    ActNorm,
    AffineCoupling,
    LinearContext,
    OrthogonalMixing,
    Permutation,
    Sequential,
    SplineCoupling,
    Standardise,
)
from flowpkg.bijectors.coupling import bounded
from flowpkg.bijectors.rational_quadratic import rational_quadratic
from flowpkg.conditioners import Conditioner
from flowpkg.errors import DataError, SettingsError
from tests.conftest import randomise

F64 = tf.float64


def network(seed=0):
    return partial(Conditioner, hidden=[8], activation="tanh", rng=np.random.default_rng(seed), dtype=F64)


def data(dim):
    return np.random.default_rng(5).standard_normal((200, dim)) @ np.triu(np.ones((dim, dim))) + 3.0


def sequence():
    layers = [
        Standardise.fit(data(4), dtype=F64),
        AffineCoupling(4, network(1), dtype=F64),
        tfp.bijectors.Scale(tf.constant([2.0, 0.5, 1.5, 3.0], F64)),
        OrthogonalMixing.random(4, np.random.default_rng(1), dtype=F64),
        SplineCoupling(4, network(2), transform_first=True, dtype=F64),
    ]
    return Sequential(layers, dtype=F64)


# name -> (dim, context width, constructor)
REGISTRY = {
    "affine": (4, 0, lambda: AffineCoupling(4, network(), dtype=F64)),
    "affine_first_odd": (5, 0, lambda: AffineCoupling(5, network(), transform_first=True, dtype=F64)),
    "affine_context": (3, 2, lambda: AffineCoupling(3, network(), context_dim=2, dtype=F64)),
    "spline": (4, 0, lambda: SplineCoupling(4, network(), dtype=F64)),
    "spline_first_two": (2, 0, lambda: SplineCoupling(2, network(), transform_first=True, bins=5, dtype=F64)),
    "spline_context": (3, 1, lambda: SplineCoupling(3, network(), context_dim=1, dtype=F64)),
    "actnorm": (3, 0, lambda: ActNorm(3, dtype=F64)),
    "standardise_diagonal": (3, 0, lambda: Standardise.fit(data(3), "diagonal", dtype=F64)),
    "standardise_full": (3, 0, lambda: Standardise.fit(data(3), "full", dtype=F64)),
    "linear_context": (
        3,
        2,
        lambda: LinearContext.fit(data(3) - data(3).mean(0), data(2)[::-1] - data(2).mean(0), dtype=F64),
    ),
    "permutation": (4, 0, lambda: Permutation([2, 0, 3, 1], dtype=F64)),
    "orthogonal": (3, 0, lambda: OrthogonalMixing.random(3, np.random.default_rng(0), dtype=F64)),
    "sequential": (4, 0, sequence),
}
IDENTITY_AT_START = ["affine", "affine_context", "spline", "spline_context", "actnorm"]


@pytest.fixture(params=REGISTRY)
def case(request):
    dim, context_dim, constructor = REGISTRY[request.param]
    bijector = constructor()
    randomise(bijector)
    rng = np.random.default_rng(11)
    points = tf.constant(1.5 * rng.standard_normal((6, dim)), F64)
    context = tf.constant(rng.standard_normal((6, context_dim)), F64) if context_dim else None
    return bijector, points, context


def test_round_trip_both_ways(case):
    bijector, points, context = case
    for there, back in (
        (bijector.forward_and_log_det, bijector.inverse_and_log_det),
        (bijector.inverse_and_log_det, bijector.forward_and_log_det),
    ):
        mapped, change = there(points, context)
        # Through NumPy: TFP's cache would hand back the very tensor that went in.
        again, opposite = back(tf.constant(mapped.numpy()), context)
        np.testing.assert_allclose(again, points, atol=1e-9)
        np.testing.assert_allclose(change, -opposite, atol=1e-8)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_log_determinant_is_that_of_the_autodiff_jacobian(case, direction):
    bijector, points, context = case
    function = getattr(bijector, f"{direction}_and_log_det")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(points)
        mapped, log_det = function(points, context)
    jacobian = tape.batch_jacobian(mapped, points, experimental_use_pfor=False)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobian.numpy())[1], atol=1e-8)


def test_public_methods_agree_with_one_evaluation(case):
    bijector, points, context = case
    kwargs = {} if context is None else {"context": context}
    mapped, log_det = bijector.forward_and_log_det(points, context)
    np.testing.assert_allclose(bijector.forward(tf.identity(points), **kwargs), mapped)
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(tf.identity(points), event_ndims=1, **kwargs), log_det)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)], ids=str)
def test_batch_shapes(case, batch):
    bijector, points, context = case
    dim = points.shape[-1]
    one = tf.broadcast_to(points[0], [*batch, dim])
    where = None if context is None else tf.broadcast_to(context[0], [*batch, context.shape[-1]])
    expected, expected_log_det = bijector.inverse_and_log_det(points[:1], None if context is None else context[:1])
    mapped, log_det = bijector.inverse_and_log_det(one, where)
    assert mapped.shape == (*batch, dim) and log_det.shape == batch
    np.testing.assert_allclose(mapped, np.broadcast_to(expected[0], mapped.shape), atol=1e-12)
    np.testing.assert_allclose(log_det, np.broadcast_to(expected_log_det[0], batch), atol=1e-12)


def test_every_trainable_variable_gets_a_finite_gradient(case):
    bijector, points, context = case
    far = tf.concat([points, 100.0 * points], axis=0)
    where = None if context is None else tf.concat([context, context], axis=0)
    with tf.GradientTape() as tape:
        mapped, log_det = bijector.inverse_and_log_det(far, where)
        loss = tf.reduce_mean(tf.square(mapped)) - tf.reduce_mean(log_det)
    gradients = tape.gradient(loss, bijector.trainable_variables)
    for variable, gradient in zip(bijector.trainable_variables, gradients):
        assert gradient is not None, variable.name
        assert np.isfinite(gradient.numpy()).all() and np.abs(gradient.numpy()).max() > 0, variable.name


@pytest.mark.parametrize("name", IDENTITY_AT_START)
def test_identity_at_initialisation(name):
    dim, context_dim, constructor = REGISTRY[name]
    points = tf.constant(np.random.default_rng(0).standard_normal((5, dim)) * 4, F64)
    context = tf.ones([5, context_dim], F64) if context_dim else None
    mapped, log_det = constructor().inverse_and_log_det(points, context)
    np.testing.assert_allclose(mapped, points, atol=1e-12)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-12)


@pytest.mark.parametrize("name", ["affine", "affine_first_odd", "spline", "spline_first_two"])
def test_passive_part_is_unchanged_and_active_part_is_not(name):
    dim, _, constructor = REGISTRY[name]
    bijector = constructor()
    randomise(bijector)
    points = tf.constant(np.random.default_rng(0).standard_normal((5, dim)), F64)
    mapped = bijector.forward_and_log_det(points)[0]
    split = bijector.split
    first, second = np.abs(mapped - points)[:, :split], np.abs(mapped - points)[:, split:]
    active, passive = (first, second) if bijector.transform_first else (second, first)
    assert passive.max() == 0.0 and active.min() > 0.0


def test_context_changes_the_map():
    bijector = REGISTRY["affine_context"][2]()
    randomise(bijector)
    points = tf.ones([4, 3], F64)
    first, second = (bijector.inverse_and_log_det(points, tf.fill([4, 2], tf.constant(v, F64)))[0] for v in (0.0, 1.0))
    assert np.abs(first - second).max() > 1e-3
    with pytest.raises(SettingsError, match="expected a context of width 2; got none"):
        bijector.inverse_and_log_det(points)


def test_log_scales_are_bounded():
    values = tf.constant([-1e6, -3.0, 0.0, 3.0, 1e6], F64)
    squashed = bounded(values, 2.0).numpy()
    assert np.all(np.abs(squashed) <= 2.0) and np.all(np.diff(squashed) > 0)


def test_spline_agrees_with_tfp():
    rng, bins, bound = np.random.default_rng(0), 6, 5.0
    raw = tf.constant(rng.standard_normal((50, 3 * bins - 1)), F64)
    value = tf.constant(rng.uniform(-6, 6, 50), F64)
    min_bin, min_slope = 1e-3, 1e-2
    shares = min_bin + (1 - min_bin * bins) * tf.nn.softmax(tf.reshape(raw[:, : 2 * bins], [50, 2, bins]))
    slopes = min_slope + tf.nn.softplus(raw[:, 2 * bins :] + np.log(np.expm1(1 - min_slope)))
    reference = tfp.bijectors.RationalQuadraticSpline(
        2 * bound * shares[:, 0], 2 * bound * shares[:, 1], slopes, range_min=-bound
    )
    options = dict(bins=bins, bound=bound, min_bin=min_bin, min_slope=min_slope)
    mapped, log_slope = rational_quadratic(value, raw, inverse=False, **options)
    np.testing.assert_allclose(mapped, reference.forward(value), atol=1e-10)
    np.testing.assert_allclose(log_slope, reference.forward_log_det_jacobian(value), atol=1e-8)


def test_actnorm_standardises_its_initial_data():
    actnorm = ActNorm(3, dtype=F64)
    actnorm.initialise(tf.constant(data(3)))
    latent = actnorm.inverse_and_log_det(tf.constant(data(3)))[0].numpy()
    np.testing.assert_allclose(latent.mean(axis=0), 0.0, atol=1e-10)
    np.testing.assert_allclose(latent.std(axis=0), 1.0, atol=1e-4)


def test_full_standardisation_whitens():
    latent = Standardise.fit(data(3), "full", dtype=F64).inverse_and_log_det(tf.constant(data(3)))[0].numpy()
    np.testing.assert_allclose(np.corrcoef(latent.T), np.eye(3), atol=1e-10)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: AffineCoupling(1, network()), SettingsError, "expected dim >= 2"),
        (
            lambda: AffineCoupling(2, network(), log_scale_bound=0.0),
            SettingsError,
            "expected log_scale_bound > 0; got 0",
        ),
        (lambda: SplineCoupling(2, network(), bins=1), SettingsError, "expected bins >= 2"),
        (lambda: SplineCoupling(2, network(), bound=-1), SettingsError, "expected bound > 0"),
        (lambda: Permutation([0, 0, 1]), SettingsError, "expected each of 0 .. 2 once"),
        (lambda: OrthogonalMixing(np.ones((2, 2))), SettingsError, "expected an orthogonal matrix"),
        (lambda: Standardise([0.0], [[-1.0]]), SettingsError, "expected a positive diagonal"),
        (lambda: Standardise.fit(np.ones((5, 2)), names=["a", "b"]), DataError, "column a: .* got the constant 1"),
        (lambda: Standardise.fit(np.eye(3)[:, :2] @ np.ones((2, 2)), "full"), DataError, "singular"),
        (lambda: Standardise.fit(data(2), "half"), SettingsError, "expected none, diagonal or full; got half"),
        (
            lambda: Conditioner(1, 1, hidden=[2], activation="sine", rng=np.random.default_rng(0)),
            SettingsError,
            "activation: expected one of relu",
        ),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_linear_context_takes_off_what_is_linear():
    rng = np.random.default_rng(0)
    context = rng.standard_normal((5000, 2))
    x = context @ [[1.0, 0.5, 0.0], [0.0, -2.0, 1.0]] + rng.standard_normal((5000, 3)) * [0.1, 0.5, 2.0]
    z = LinearContext.fit(x, context, dtype=F64).inverse_and_log_det(tf.constant(x), tf.constant(context))[0].numpy()
    np.testing.assert_allclose(z.T @ z / 5000, np.eye(3), atol=1e-8)
    np.testing.assert_allclose(z.T @ context / 5000, 0.0, atol=1e-8)
    with pytest.raises(DataError, match="does not determine linearly; got a residual variance"):
        LinearContext.fit(context, context)
    with pytest.raises(SettingsError, match="context of width 2; got none"):
        LinearContext.fit(x, context, dtype=F64).inverse_and_log_det(tf.constant(x))
