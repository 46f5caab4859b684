"""Invertible maps. `forward` is latent to data, `inverse` is data to latent, as in TFP."""

from flowpkg.bijectors.base import FlowBijector, Leading, Sequential, initialise_layers
from flowpkg.bijectors.coupling import AffineCoupling, Coupling, SplineCoupling
from flowpkg.bijectors.elementwise import ActNorm, LinearContext, Logarithm, Standardise
from flowpkg.bijectors.image_layers import (
    ConvolutionCoupling,
    GlowStep,
    ImageActNorm,
    InvertibleConvolution,
    Squeeze,
)
from flowpkg.bijectors.mixing import OrthogonalMixing, Permutation
from flowpkg.bijectors.multi_scale import MultiScale
from flowpkg.bijectors.pixels import PixelScaling
from flowpkg.bijectors.whitening import LatentWhitening

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "ConvolutionCoupling",
    "Coupling",
    "FlowBijector",
    "GlowStep",
    "ImageActNorm",
    "InvertibleConvolution",
    "LatentWhitening",
    "Leading",
    "LinearContext",
    "Logarithm",
    "MultiScale",
    "OrthogonalMixing",
    "Permutation",
    "PixelScaling",
    "Sequential",
    "SplineCoupling",
    "Squeeze",
    "Standardise",
    "initialise_layers",
]
