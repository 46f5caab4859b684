"""Training: learns, repeats, resumes, stops, and refuses to diverge quietly."""

import io
import math
import resource

import numpy as np
import pytest

from flowpkg.errors import DataError, DivergenceError
from flowpkg.flows import build_flow
from flowpkg.partition import Partition
from flowpkg.settings import resolve
from flowpkg.training import Trainer
from flowpkg.training_data import Dataset, batch_indices
from tests.conftest import RUN, SMALL


def trainer(rows, checkpoints=None, log=None, flow=None, **training):
    settings = resolve(
        {**RUN, "flow": {**SMALL["flow"], **(flow or {})}, "training": {**SMALL["training"], **training}}
    )
    model = build_flow(settings["flow"], Partition(x=2), seed=1, training_inputs=rows)
    splits = Dataset.of(model, rows), Dataset.of(model, rows[:200])
    return Trainer(model, *splits, settings["training"], seed=1, checkpoints=checkpoints, log=log or io.StringIO())


@pytest.fixture
def rows():
    x = np.random.default_rng(0).standard_normal((2000, 2))
    return np.stack([x[:, 0] + 2.0, 0.5 * x[:, 1] + 0.3 * x[:, 0] ** 2], axis=1)


def weights(job):
    return {key: value.tobytes() for key, value in job.model.arrays().items()}


def without_seconds(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def test_learns_a_bent_normal_to_its_entropy(rows):
    job = trainer(rows, flow={"coupling": "affine", "hidden": [32]}, steps=600, validate_every=100, learning_rate=0.01)
    job.fit()
    x = np.random.default_rng(9).standard_normal((20_000, 2))
    fresh = np.stack([x[:, 0] + 2.0, 0.5 * x[:, 1] + 0.3 * x[:, 0] ** 2], axis=1)
    entropy = math.log(2 * math.pi * math.e * 0.5)
    truth = -0.5 * (x**2).sum(axis=1) - math.log(2 * math.pi * 0.5)
    # The divergence is estimated point by point, so its error is small; a plain normal fit has 0.14 nats.
    divergence = float(np.mean(truth - job.model.log_prob(fresh).numpy()))
    assert -1e-3 < divergence < 0.02
    assert entropy == pytest.approx(-truth.mean(), abs=4 * truth.std() / math.sqrt(len(x)))


def test_same_seed_gives_the_same_bytes_and_chunks_do_not_matter(rows):
    first, again = trainer(rows), trainer(rows)
    first.fit(), again.fit()
    assert weights(first) == weights(again)
    one = batch_indices(1, 0, 90, 50, 2000)
    parts = [batch_indices(1, start, 30, 50, 2000) for start in (0, 30, 60)]
    np.testing.assert_array_equal(one, np.concatenate(parts))
    assert len(np.unique(one[:40])) == 2000


def test_xla_changes_only_rounding(rows):
    compiled, plain = trainer(rows), trainer(rows, xla=False)
    first, second = compiled.fit(), plain.fit()
    assert first.history[-1]["validation_loss"] == pytest.approx(second.history[-1]["validation_loss"], abs=1e-3)


def interrupt_after(job, calls):
    run, count = job._run, 0

    def counted(*arguments):
        nonlocal count
        count += 1
        if count > calls:
            raise KeyboardInterrupt
        return run(*arguments)

    job._run = counted


@pytest.mark.parametrize("calls", [1, 8])
def test_a_killed_run_resumes_and_ends_with_the_same_bytes(rows, tmp_path, calls):
    options = dict(steps=50, checkpoint_seconds=0)
    whole = trainer(rows, **options)
    expected = whole.fit()
    broken = trainer(rows, tmp_path, **options)
    interrupt_after(broken, calls)
    with pytest.raises(KeyboardInterrupt):
        broken.fit()
    log = io.StringIO()
    resumed = trainer(rows, tmp_path, log, **options)
    result = resumed.fit()
    assert f"resumed at step {5 * calls} " in log.getvalue()
    assert weights(resumed) == weights(whole)
    assert without_seconds(result.history) == without_seconds(expected.history)


@pytest.mark.parametrize("calls", [3, 8])
def test_a_checkpoint_between_validations_resumes_there_with_the_same_bytes(rows, tmp_path, calls):
    options = dict(steps=50, validate_every=25, checkpoint_seconds=0, xla=False)
    whole = trainer(rows, **options)
    expected = whole.fit()
    broken = trainer(rows, tmp_path, **options)
    interrupt_after(broken, calls)
    with pytest.raises(KeyboardInterrupt):
        broken.fit()
    log = io.StringIO()
    resumed = trainer(rows, tmp_path, log, **options)
    result = resumed.fit()
    assert f"resumed at step {5 * calls} " in log.getvalue()
    assert weights(resumed) == weights(whole)
    assert without_seconds(result.history) == without_seconds(expected.history)


def test_checkpoints_follow_a_clock_that_cannot_jump_and_lose_less_than_their_interval(rows, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("flowpkg.training.time.monotonic", lambda: now[0])
    # The wall clock jumps back and forth; nothing may depend on it.
    monkeypatch.setattr("time.time", lambda: 1e9 * (1 if now[0] % 2 else -1))
    job = trainer(rows, tmp_path, steps=100, checkpoint_seconds=30, xla=False)
    run, saved = job._run, []

    def slow(*arguments):
        now[0] += 4.0
        return run(*arguments)

    job._run = slow
    write = job._save
    job._save = lambda state, best: (saved.append((now[0], state.step)), write(state, best))
    job.fit()
    # Every call of 5 steps takes 4 s: after 28 s, because one more call would end at 32 s.
    assert saved == [(28.0, 35), (56.0, 70)]


def test_a_checkpoint_that_cannot_be_written_is_said_and_costs_nothing_else(rows, tmp_path):
    options = dict(steps=50, checkpoint_seconds=0, xla=False)
    whole = trainer(rows, **options)
    whole.fit()
    log = io.StringIO()
    job = trainer(rows, tmp_path, log, **options)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    run, count = job._run, 0

    def full_after_two(*arguments):
        nonlocal count
        count += 1
        if count == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        return run(*arguments)

    job._run = full_after_two
    try:
        job.fit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "checkpoint at step 15 could not be written (File too large); going on" in log.getvalue()
    assert weights(job) == weights(whole)
    log = io.StringIO()
    trainer(rows, tmp_path, log, **options).fit()
    assert "resumed at step 10 " in log.getvalue()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "previous"]


def test_a_damaged_checkpoint_falls_back_to_the_one_before(rows, tmp_path):
    options = dict(steps=50, checkpoint_seconds=0)
    whole = trainer(rows, **options)
    whole.fit()
    broken = trainer(rows, tmp_path, **options)
    interrupt_after(broken, 6)
    with pytest.raises(KeyboardInterrupt):
        broken.fit()
    arrays = tmp_path / "current" / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-100])
    log = io.StringIO()
    resumed = trainer(rows, tmp_path, log, **options)
    resumed.fit()
    assert "left aside as damaged" in log.getvalue() and "resumed at step 25" in log.getvalue()
    assert weights(resumed) == weights(whole)


def test_a_checkpoint_of_other_settings_is_not_used(rows, tmp_path):
    trainer(rows, tmp_path, checkpoint_seconds=0).fit()
    log = io.StringIO()
    trainer(rows, tmp_path, log, learning_rate=0.01).fit()
    assert "other settings" in log.getvalue() and "resumed" not in log.getvalue().replace("not resumed", "")


def test_divergence_is_one_line_and_keeps_the_last_good_weights(rows, tmp_path):
    job = trainer(rows, tmp_path)
    run, count = job._run, 0

    def poisoned(*arguments):
        nonlocal count
        count += 1
        if count == 4:
            job.variables[0].assign(np.full(job.variables[0].shape, np.nan))
        return run(*arguments)

    job._run = poisoned
    with pytest.raises(
        DivergenceError, match=r"non-finite one at step 16 \(learning rate .*last good weights \(step 10\)"
    ):
        job.fit()
    from flowpkg.model import FlowModel

    assert np.isfinite(FlowModel.load(tmp_path / "last_good").log_prob(rows[:10]).numpy()).all()


def test_early_stopping_restores_the_best_weights(rows):
    job = trainer(rows[:60], steps=2000, learning_rate=0.05, patience=3, flow={"hidden": [64]})
    job.validation = Dataset.of(job.model, rows[1000:])
    result = job.fit()
    assert result.stopped_early and result.steps < 2000
    assert job.validation_loss() == pytest.approx(result.best_validation_loss, abs=1e-6)
    assert result.best_validation_loss == min(row["validation_loss"] for row in result.history)


def test_l2_shrinks_kernels(rows):
    free, held = trainer(rows, steps=200), trainer(rows, steps=200, l2=0.1)
    free.fit(), held.fit()
    size = [sum(float((kernel.numpy() ** 2).sum()) for kernel in job.kernels) for job in (free, held)]
    assert size[1] < 0.9 * size[0]


def test_fewer_rows_than_a_batch_is_refused(rows):
    with pytest.raises(DataError, match="expected at least one batch of 50 rows; got 49 rows"):
        trainer(rows[:49])
