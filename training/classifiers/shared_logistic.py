"""A logistic model that several workspaces fit together, each to its own examples.

Round by round each member minimises its own loss, held near what all have so far (FedProx, Li et
al. 2020); before, they agree on the scale of the features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from training.federated import Arrays, Membership, take_part

NEAR = 0.1
"""How much a step away from what all have costs, beside a mean loss."""

Numbers = npt.NDArray[np.float64]


class SharedLogistic:
    """What one workspace knows: rows of features, and which of them are answered rightly."""

    rounds = 16

    def __init__(
        self, seen: Sequence[Mapping[str, float]], labels: npt.NDArray[np.bool_], weights: Numbers,
        *, about: str,
    ) -> None:  # fmt: skip
        self.names = list(seen[0])
        self.about = f"{about}, {', '.join(self.names)}"
        self.examples = len(seen)
        self._inputs = np.array([[values[name] for name in self.names] for values in seen])
        self._signs = np.where(labels, 1.0, -1.0)
        self._weights = weights / weights.sum()
        self._mean, self._scale = np.zeros(0), np.zeros(0)

    def move(self, number: int, arrays: Arrays) -> Arrays:
        """The features' means and roots of mean squares; then the weights, the last the bias."""
        if number == 1:
            return [self._inputs.mean(axis=0), np.sqrt((self._inputs**2).mean(axis=0))]
        if number == 2:
            self._mean, root = arrays
            self._scale = np.sqrt(np.maximum(root**2 - self._mean**2, 1e-4))
            return [self._nearby(np.zeros(len(self.names) + 1))]
        return [self._nearby(arrays[0])]

    def weights(self, arrays: Arrays) -> tuple[dict[str, float], float]:
        """The weights and the bias, for features as they are."""
        found = arrays[0][:-1] / self._scale
        rounded = {
            name: round(float(weight), 6) for name, weight in zip(self.names, found, strict=True)
        }
        return rounded, round(float(arrays[0][-1] - found @ self._mean), 6)

    def _nearby(self, start: Numbers) -> Numbers:
        inputs = np.c_[(self._inputs - self._mean) / self._scale, np.ones(self.examples)]
        ridge = np.r_[np.full(len(self.names), 1 / self.examples), 0.0]

        def loss(at: Numbers) -> tuple[float, Numbers]:
            margins = self._signs * (inputs @ at)
            wrong = self._weights * self._signs / (1 + np.exp(np.clip(margins, -500, 500)))
            value = (
                self._weights @ np.logaddexp(0, -margins)
                + (ridge @ at**2 + NEAR * ((at - start) ** 2).sum()) / 2
            )
            return float(value), ridge * at + NEAR * (at - start) - inputs.T @ wrong

        found: Numbers = minimize(loss, start, jac=True).x
        return found


def fit_together(
    seen: Sequence[Mapping[str, float]],
    labels: npt.NDArray[np.bool_],
    sample_weights: Numbers,
    *,
    membership: Membership,
    about: str,
) -> tuple[dict[str, float], float]:
    """As `judge_fit.logistic`, together with other workspaces that learn the same."""
    learner = SharedLogistic(seen, labels, sample_weights, about=about)
    return learner.weights(take_part(learner, membership))
