"""flow_models: one invertible model for seven applications of normalizing flows.

Importing this package is cheap: TensorFlow is loaded only by the modules that compute with a flow
(`flowpkg.bijectors`, `flowpkg.conditioners`, `flowpkg.flows`, `flowpkg.model`, `flowpkg.training`).
"""

__version__ = "0.1.0"
