"""Invertible maps. `forward` is latent to data, `inverse` is data to latent, as in TFP."""

from flowpkg.bijectors.base import FlowBijector, Sequential
from flowpkg.bijectors.coupling import AffineCoupling, Coupling, SplineCoupling
from flowpkg.bijectors.elementwise import ActNorm, LinearContext, Standardise
from flowpkg.bijectors.mixing import OrthogonalMixing, Permutation

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "Coupling",
    "FlowBijector",
    "LinearContext",
    "OrthogonalMixing",
    "Permutation",
    "Sequential",
    "SplineCoupling",
    "Standardise",
]
