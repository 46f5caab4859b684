"""Devices that share a batch in training."""

from __future__ import annotations

import tensorflow as tf

from flowpkg.errors import SettingsError


def training_strategy(devices: str) -> tf.distribute.Strategy | None:
    """Return the strategy of `training.devices`: None for one device, else a mirror of the model on each.

    Visible GPUs are used if there are any, else logical CPU devices (more than one only where
    `tf.config.set_logical_device_configuration` made them). Build the model within `strategy.scope()`.

    Args:
        devices: `one` or `all`.

    Raises:
        SettingsError: another word.
    """
    if devices not in ("one", "all"):
        raise SettingsError(f"training.devices: expected one or all; got {devices}")
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if devices == "one" or len(found) < 2:
        return None
    return tf.distribute.MirroredStrategy([device.name for device in found])
