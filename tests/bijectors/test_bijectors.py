"""Every bijector through one registry: inverses, log-determinants, shapes, gradients."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from flowpkg.bijectors import (
    ActNorm,
    AffineCoupling,
    ConvolutionCoupling,
    GlowStep,
    ImageActNorm,
    InvertibleConvolution,
    LatentWhitening,
    Leading,
    LinearContext,
    Logarithm,
    MultiScale,
    OrthogonalMixing,
    Permutation,
    PixelScaling,
    Sequential,
    SplineCoupling,
    Squeeze,
    Standardise,
)
from flowpkg.bijectors.coupling import bounded
from flowpkg.bijectors.rational_quadratic import rational_quadratic
from flowpkg.conditioners import Conditioner, ConvolutionalConditioner
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


def convolutions(filters=4, context_dim=0, seed=0):
    return partial(
        ConvolutionalConditioner,
        filters=filters,
        activation="tanh",
        context_dim=context_dim,
        rng=np.random.default_rng(seed),
        dtype=F64,
    )


def multi_scale(context_dim=0, prior=True):
    rng = np.random.default_rng(4)
    return MultiScale(
        (4, 4, 2),
        levels=2,
        steps=1,
        step=lambda shape: GlowStep(shape, convolutions(3, context_dim), rng, dtype=F64),
        split_prior=(lambda shape: ConvolutionCoupling(shape, convolutions(0, context_dim), dtype=F64))
        if prior
        else None,
        dtype=F64,
    )


def fitted_whitening():
    layer = LatentWhitening(4, 3, skip=1, dtype=F64)
    layer.fit(data(4), data(4))
    return layer


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
    "logarithm_of_none": (3, 0, lambda: Logarithm([0, 0, 0], dtype=F64)),
    "permutation": (4, 0, lambda: Permutation([2, 0, 3, 1], dtype=F64)),
    "orthogonal": (3, 0, lambda: OrthogonalMixing.random(3, np.random.default_rng(0), dtype=F64)),
    "sequential": (4, 0, sequence),
    "leading": (4, 0, lambda: Leading([AffineCoupling(3, network(), dtype=F64)], 3, dtype=F64)),
    "whitening": (4, 0, fitted_whitening),
    "squeeze": (16, 0, lambda: Squeeze((4, 2, 2), dtype=F64)),
    "image_actnorm": (12, 0, lambda: ImageActNorm((2, 2, 3), dtype=F64)),
    "invertible_convolution": (
        12,
        0,
        lambda: InvertibleConvolution((2, 2, 3), np.random.default_rng(2), dtype=F64),
    ),
    "convolution_coupling": (18, 0, lambda: ConvolutionCoupling((3, 2, 3), convolutions(), dtype=F64)),
    "convolution_coupling_context": (16, 2, lambda: ConvolutionCoupling((2, 2, 4), convolutions(4, 2), dtype=F64)),
    "glow_step": (18, 0, lambda: GlowStep((3, 3, 2), convolutions(), np.random.default_rng(3), dtype=F64)),
    "multi_scale": (32, 0, multi_scale),
    "multi_scale_context": (32, 2, lambda: multi_scale(2)),
    "multi_scale_no_prior": (32, 0, lambda: multi_scale(prior=False)),
}
# Maps of numbers within limits, 0 .. 256: their latents are of another kind than their data.
PIXELS = {kind: PixelScaling(kind, dtype=F64) for kind in ("plain", "logit")}
IDENTITY_AT_START = [
    "affine", "affine_context", "spline", "spline_context", "actnorm", "leading", "image_actnorm",
    "convolution_coupling", "convolution_coupling_context",
]  # fmt: skip


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


@pytest.mark.parametrize("kind", PIXELS)
def test_pixel_scaling(kind):
    x = tf.constant(np.random.default_rng(0).uniform(0.0, 256.0, (5, 3)), F64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z, log_det = PIXELS[kind].inverse_and_log_det(x)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(tape.batch_jacobian(z, x).numpy())[1], atol=1e-9)
    back, opposite = PIXELS[kind].forward_and_log_det(tf.constant(z.numpy()))
    np.testing.assert_allclose(back, x, atol=1e-9)
    np.testing.assert_allclose(opposite, -log_det, atol=1e-9)
    ends = PIXELS[kind].inverse_and_log_det(tf.constant([[0.0, 128.0, 256.0]], F64))[0].numpy()
    np.testing.assert_allclose(ends, [[-ends[0, 2], 0.0, ends[0, 2]]], atol=1e-9)


def test_glow_step_is_its_three_parts():
    step = REGISTRY["glow_step"][2]()
    randomise(step)
    x = tf.constant(np.random.default_rng(0).standard_normal((4, 18)), F64)
    together, log_det = step.inverse_and_log_det(x)
    one_by_one, total = Sequential([step.actnorm, step.mixing, step.coupling], dtype=F64).inverse_and_log_det(x)
    np.testing.assert_allclose(together, one_by_one, atol=1e-12)
    np.testing.assert_allclose(log_det, total, atol=1e-12)


def test_multi_scale_hands_out_the_coarsest_latents_first():
    bijector = multi_scale(prior=False)
    # An image of one colour has nothing fine: after averaging steps only the coarsest latents can differ.
    for steps in bijector.steps:
        for step in steps:
            channels = step.shape[2]
            step.mixing.permutation.assign(np.eye(channels))
            step.mixing.lower.assign(np.zeros((channels, channels)))
            step.mixing.upper.assign(np.zeros((channels, channels)))
            step.mixing.log_diagonal.assign(np.zeros(channels))
            step.mixing.sign.assign(np.ones(channels))
    image = np.arange(32.0).reshape(1, 4, 4, 2)
    latents = bijector.inverse_and_log_det(tf.constant(image.reshape(1, -1), F64))[0].numpy()[0]
    # With the identity as steps, squeezing puts the upper pixels of each 2 x 2 block into the half that stays.
    assert bijector.coarsest_shape == (1, 1, 16)
    assert sorted(latents[:16]) == sorted(image[:, ::2].ravel())
    assert sorted(latents[16:]) == sorted(image[:, 1::2].ravel())


def test_image_actnorms_standardise_what_they_are_initialised_on():
    bijector = multi_scale()
    x = np.random.default_rng(0).standard_normal((300, 32)) * 3.0 + 5.0
    bijector.initialise(tf.constant(x, F64))
    squeezed = bijector.squeezes[0].image_inverse(tf.reshape(tf.constant(x, F64), [-1, 4, 4, 2]))[0]
    normed = bijector.steps[0][0].actnorm.image_inverse(squeezed)[0].numpy()
    np.testing.assert_allclose(normed.mean(axis=(0, 1, 2)), 0.0, atol=1e-10)
    np.testing.assert_allclose(normed.std(axis=(0, 1, 2)), 1.0, atol=1e-6)


def test_whitening_finds_a_covariance_and_refuses_to_fit_noise():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    draw = lambda n: rng.standard_normal((n, 5)) * [3.0, 1.0, 1.0, 1.0, 0.2] @ turn + 1.0  # noqa: E731
    layer = LatentWhitening(6, 5, skip=1, dtype=F64)
    train, fresh = (np.concatenate([np.full((n, 1), 7.0), draw(n)], axis=1) for n in (4000, 4000))
    gain = layer.fit(train, fresh)
    z, log_det = layer.inverse_and_log_det(tf.constant(fresh))
    np.testing.assert_array_equal(z[:, 0], 7.0)
    # Correlations of 4,000 draws have a standard error of 0.016; 0.08 is 5 of them for 15 entries.
    np.testing.assert_allclose(np.cov(z[:, 1:].numpy().T), np.eye(5), atol=0.08)
    density = lambda values: -0.5 * np.sum(np.asarray(values) ** 2, axis=1)  # noqa: E731
    assert gain == pytest.approx(np.mean(density(z) + log_det - density(fresh)), rel=1e-6)
    noise = LatentWhitening(200, 100, dtype=F64)
    # 60 rows of 200 standard normal numbers have singular sample covariance, which must not be believed.
    assert noise.fit(rng.standard_normal((60, 200)), rng.standard_normal((500, 200))) < 1.0


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
        (lambda: Squeeze((3, 2, 1)), SettingsError, "expected an even height and width; got 3 x 2"),
        (lambda: ConvolutionCoupling((2, 2, 1), convolutions()), SettingsError, "at least two channels"),
        (lambda: PixelScaling("log"), SettingsError, "flow.pixel_transform: expected plain or logit; got log"),
        (
            lambda: MultiScale((4, 6, 1), levels=2, steps=1, step=None),
            SettingsError,
            r"flow.levels: expected .* divisible by 2\^levels = 4; got 4 x 6",
        ),
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


def test_logarithm_takes_the_signs_of_training_data():
    rows = np.abs(data(4)) * [1.0, -1.0, 1.0, 1.0] + [0.1, -0.1, 0.1, -5.0]
    layer = Logarithm.fit(rows, 2, dtype=F64)
    np.testing.assert_array_equal(layer.sign, [1.0, -1.0, 0.0, 0.0])
    z, log_det = layer.inverse_and_log_det(tf.constant(rows[:5]))
    np.testing.assert_allclose(z, np.concatenate([np.log(np.abs(rows[:5, :2])), rows[:5, 2:]], axis=1))
    np.testing.assert_allclose(log_det, -np.log(np.abs(rows[:5, :2])).sum(axis=1))
    again, opposite = layer.forward_and_log_det(tf.constant(z.numpy()))
    np.testing.assert_allclose(again, rows[:5], rtol=1e-12)
    np.testing.assert_allclose(opposite, -log_det.numpy())
    with tf.GradientTape() as tape:
        x = tf.constant(-rows[:2])
        tape.watch(x)
        value = layer.inverse_and_log_det(-x)[0]
    jacobian = tape.batch_jacobian(value, x)
    np.testing.assert_allclose(np.linalg.slogdet(jacobian)[1], log_det[:2])
    with pytest.raises(DataError, match="column b: expected numbers of one sign; got -"):
        Logarithm.fit(rows - rows.mean(axis=0), 2, names=["b", "b"])
    with pytest.raises(SettingsError, match="expected signs 1, -1 or 0; got"):
        Logarithm([2.0])
