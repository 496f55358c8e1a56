"""Curvature: how steep the loss is around what training left, in the directions that the mask leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.flatten_util import ravel_pytree

from ltjax.analysis.analyses import ANALYSES
from ltjax.analysis.lanes import FinishedLane
from ltjax.settings.bounds import MANY, whole
from ltjax.sparsity import masks


@ANALYSES.register("top_eigenvalue")
@dataclass(frozen=True)
class TopEigenvalue:
    """The greatest eigenvalue of the loss's Hessian in the space that a mask leaves, by Lanczos."""

    examples: Annotated[int | None, whole(1, MANY * 1000)] = 2000
    """Training examples that the loss is the mean of; None for all."""
    vectors: Annotated[int, whole(2, 1000)] = 20
    """Lanczos vectors; where these will not do, it begins again from the best direction among them."""
    needs: ClassVar[str] = "lanes whose trained params were kept"

    def __call__(self, lanes: Sequence[FinishedLane]) -> pd.DataFrame:
        """A row for each lane whose trained params were kept.

        The network is in evaluation. Columns: who the lane is; ``percent_remaining``; ``examples``;
        ``eigenvalue``; ``residual``, the norm of Hv - λv of its unit vector v.
        """
        rows = [
            {**lane.identity, "percent_remaining": lane.percent_remaining, "examples": self.examples,
             **self._of(lane)}
            for lane in lanes if lane.kept
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def _of(self, lane: FinishedLane) -> dict[str, float]:
        # importing it takes a tenth of the time that importing ltjax does
        from scipy.sparse.linalg import LinearOperator, eigsh

        trained, mask = lane.trained, lane.mask
        flat, restored = ravel_pytree(masks.apply(mask, trained.params))
        left = np.asarray(ravel_pytree(mask)[0])

        def product(vector: np.ndarray) -> np.ndarray:
            """The Hessian's product, and the vector's, in the space that the mask leaves."""
            inside = jnp.asarray(np.where(left, vector.ravel(), 0), flat.dtype)
            found: Any = ravel_pytree(lane.hvp(trained, restored(inside), self.examples))[0]
            return np.where(left, found, 0)

        size = flat.size
        start = np.where(left, np.random.default_rng(0).normal(size=size), 0)
        hessian = LinearOperator((size, size), product, dtype=np.float64)
        basis = min(self.vectors, int(left.sum()))
        values, vectors = eigsh(hessian, k=1, which="LA", v0=start, ncv=basis, tol=1e-3)
        residual = product(vectors[:, 0]) - values[0] * vectors[:, 0]
        return {"eigenvalue": float(values[0]), "residual": float(np.linalg.norm(residual))}
