"""Classifiers without a flow, on the same split."""

from __future__ import annotations

import numpy as np

from flowpkg.diagnostics.images import flattened


def reference_predictions(
    train: np.ndarray, label: np.ndarray, test: np.ndarray, rng: np.random.Generator, *, most: int = 5000
) -> dict[str, np.ndarray]:
    """Fit scikit-learn's logistic regression and RBF support vector machine, and classify held-out images.

    Both see at most 100 whitening-free principal components of the pixels (all of them for small images), with
    common settings that nothing was tuned for: C = 1 for the regression on standardised components, C = 10 and
    gamma = 1 / (k var) for the machine.

    Args:
        train: images `[n, H, W, C]` of 0 to 255; at most `most` of them, drawn at random, are used.
        label: `[n]` whole numbers.
        test: images `[m, H, W, C]`.
        rng: for the choice of rows.
        most: largest number of training rows.

    Returns:
        Method to predicted labels `[m]`: `logistic` and `svm`.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    kept = np.sort(rng.permutation(len(train))[:most])
    rows, held, target = flattened(train[kept]), flattened(test), np.asarray(label)[kept]
    if rows.shape[1] > 100:
        reduce = PCA(min(100, len(rows)), svd_solver="randomized", random_state=int(rng.integers(2**31))).fit(rows)
        rows, held = reduce.transform(rows), reduce.transform(held)
    methods = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "svm": SVC(C=10.0, gamma="scale"),
    }
    return {name: method.fit(rows, target).predict(held) for name, method in methods.items()}
