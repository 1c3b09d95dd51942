"""The layers of the npm package tfjs-normalizations that Keras does not have, for Keras 3 on jax, tensorflow and torch.

Options have the names (in snake_case) and defaults, and weights the order, that they have in TensorFlow.js. Importing this module
makes the classes known to `keras.saving.load_model`. The package's other layers are saved as Keras's own.
"""

import inspect
import math

import keras
import numpy as np
from keras import ops

_register = keras.saving.register_keras_serializable(package="tfjs_normalizations")

# In floats of 16 bits nothing is left of small variances, so statistics are taken in 32.
_float_of_statistics = "float32"
_KINDS = {
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
}


def _moments(x, axes):
    """Mean and biased variance over `axes`, which stay as axes of size 1. Centred before it is squared."""
    mean = ops.mean(x, axes, keepdims=True)
    return mean, ops.mean(ops.square(x - mean), axes, keepdims=True)


def _nonzero(x):
    """x, but 1 where it is 0, so that it can be divided by, and its root has a finite gradient."""
    return ops.where(x == 0, ops.ones_like(x), x)


def _root(x):
    """The square root, with the gradient 0 at 0."""
    return ops.where(x == 0, ops.zeros_like(x), ops.sqrt(_nonzero(x)))


def _quotient(x, divisor):
    """x / divisor; 0 where the divisor is 0: what varies by nothing is its own mean."""
    return ops.where(divisor == 0, ops.zeros_like(x), x / _nonzero(divisor))


def _standardized(x, mean_square, epsilon, placement="inside"):
    """x divided by the root of its mean square, with epsilon 'inside' or 'outside' the root, or as a 'floor' of it."""
    if placement == "inside":
        return _quotient(x, _root(mean_square + epsilon))
    root = _root(mean_square)
    if placement == "outside":
        return _quotient(x, root + epsilon)
    y = _quotient(x, ops.maximum(root, epsilon))
    return ops.where(root <= epsilon, ops.stop_gradient(y), y)


def _unit(x, axis, smallest):
    """x / max(||x||, smallest) along `axis`; what is not longer than `smallest` has the gradient 0."""
    length = _root(ops.sum(ops.square(x), axis, keepdims=True))
    y = x / ops.maximum(length, smallest)
    return ops.where(length <= smallest, ops.stop_gradient(y), y)


def _check_placement(placement):
    if placement not in ("inside", "outside", "floor"):
        raise ValueError(f"epsilon_placement must be 'inside', 'outside' or 'floor'; received {placement!r}")
    return placement


class _Following:
    """For layers with a momentum, statistics that follow those of batches."""

    def follow(self, statistic, batch):
        """Moves a statistic of the layer towards that of a batch."""
        value = ops.reshape(ops.cast(ops.stop_gradient(batch), statistic.dtype), [-1])
        statistic.assign(self.momentum * statistic + (1 - self.momentum) * value)


class _Normalization(_Following, keras.layers.Layer):
    """gamma and beta, and the frame of a call. A subclass says in `normalize` what happens to x before them."""

    # The name of gamma among the weights; None where the class has no gamma.
    gamma_name = "gamma"
    # Options beside those of gamma and beta, for the config.
    own_options = ()
    # Added to gamma.
    gamma_offset = 0.0

    def __init__(
        self,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis
        self.epsilon, self.center, self.scale = epsilon, center, scale
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.beta_regularizer = keras.regularizers.get(beta_regularizer)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)
        self.beta_constraint = keras.constraints.get(beta_constraint)
        self.gamma_constraint = keras.constraints.get(gamma_constraint)

    def build(self, input_shape):
        self.gamma = self._parameter(self.gamma_name, "gamma", input_shape) if self.scale else None
        self.beta = self._parameter("beta", "beta", input_shape) if self.center else None
        self.build_state(input_shape)

    def parameter_shape(self, input_shape):
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        return [input_shape[axis] for axis in axes]

    def build_state(self, input_shape):
        """Adds the weights beside gamma and beta."""

    def _parameter(self, name, option, input_shape):
        how = {kind: getattr(self, f"{option}_{kind}") for kind in _KINDS}
        return self.add_weight(name=name, shape=self.parameter_shape(input_shape), **how)

    def add_state(self, name, input_shape, initializer):
        """Adds a statistic of each channel, which calls write and no optimizer trains."""
        shape = self.parameter_shape(input_shape)
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=False)

    def call(self, x, training=None):
        wide = ops.cast(x, keras.backend.result_type(x.dtype, _float_of_statistics))
        y = self.normalize(wide, bool(training) and self.trainable)
        if self.gamma is not None:
            y = y * (self.along(self.gamma, y) + self.gamma_offset)
        if self.beta is not None:
            y = y + self.along(self.beta, y)
        return ops.cast(y, self.compute_dtype)

    def normalize(self, x, training):
        raise NotImplementedError

    def axes(self, x):
        """The axes of the option `axis`, ascending, and the positions: the others but that of the batch."""
        rank = len(x.shape)
        given = self.axis if isinstance(self.axis, list) else [self.axis]
        axes = sorted(axis % rank for axis in given)
        return axes, [axis for axis in range(1, rank) if axis not in axes]

    def along(self, vector, x):
        """A weight in the rank of x, its values along `axis`, those of several axes in the order of x."""
        axes, _ = self.axes(x)
        shape = [x.shape[axis] if axis in axes else 1 for axis in range(len(x.shape))]
        return ops.reshape(ops.cast(vector, x.dtype), shape)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        numbers = ("axis", "epsilon", "center", "scale", *self.own_options)
        config = {**super().get_config(), **{name: getattr(self, name) for name in numbers}}
        for option in ("beta", "gamma"):
            for kind, module in _KINDS.items():
                config[f"{option}_{kind}"] = module.serialize(getattr(self, f"{option}_{kind}"))
        return config


@_register
class InstanceNormalization(_Normalization):
    """y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, over the positions of each example and channel.

    `epsilon_placement` 'outside' divides by sqrt(variance) + epsilon, 'floor' by the larger of sqrt(variance) and epsilon. With
    the axis None each example is normalized as a whole, with one gamma and one beta.
    """

    own_options = ("epsilon_placement",)

    def __init__(self, axis=-1, epsilon_placement="inside", **kwargs):
        super().__init__(axis, **kwargs)
        self.epsilon_placement = _check_placement(epsilon_placement)

    def parameter_shape(self, input_shape):
        return [1] if self.axis is None else super().parameter_shape(input_shape)

    def axes(self, x):
        return ([], list(range(1, len(x.shape)))) if self.axis is None else super().axes(x)

    def normalize(self, x, training):
        _, positions = self.axes(x)
        if not positions:
            return x * 0  # One value is its own mean.
        mean, variance = _moments(x, positions)
        return _standardized(x - mean, variance, self.epsilon, self.epsilon_placement)


@_register
class RMSNormalization(_Normalization):
    """y = x / (sqrt(mean(x^2)) + epsilon) * gamma + beta, over the axes `axis` of each example.

    `epsilon_placement` 'inside' divides by sqrt(mean(x^2) + epsilon), 'floor' by the larger of sqrt(mean(x^2)) and epsilon.
    Keras's layer of this name is 'inside', without beta. `gamma_offset` is added to gamma.
    """

    gamma_name = "scale"
    own_options = ("epsilon_placement", "gamma_offset")

    def __init__(self, axis=-1, epsilon=1e-6, epsilon_placement="outside", gamma_offset=0.0, **kwargs):
        super().__init__(axis, epsilon, **kwargs)
        self.gamma_offset = gamma_offset
        self.epsilon_placement = _check_placement(epsilon_placement)

    def normalize(self, x, training):
        axes, _ = self.axes(x)
        mean_square = ops.mean(ops.square(x), axes, keepdims=True)
        return _standardized(x, mean_square, self.epsilon, self.epsilon_placement)


@_register
class BatchInstanceNormalization(_Normalization):
    """y = (rho xHatBatch + (1 - rho) xHatInstance) * gamma + beta, xHat = (x - mean) / sqrt(variance + epsilon).

    The batch's statistics are over the batch and all positions, in inference moving averages; the instance's are over the
    positions of one example. rho, one gate in [0, 1] for each channel, is learned.
    """

    own_options = ("momentum",)

    def __init__(self, axis=-1, momentum=0.9, epsilon=1e-5, rho_initializer="ones", **kwargs):
        super().__init__(axis, epsilon, **kwargs)
        self.momentum = momentum
        self.rho_initializer = keras.initializers.get(rho_initializer)

    def build_state(self, input_shape):
        shape = self.parameter_shape(input_shape)
        self.rho = self.add_weight(
            name="rho", shape=shape, initializer=self.rho_initializer, constraint=_between_0_and_1
        )
        self.moving_mean = self.add_state("moving_mean", input_shape, "zeros")
        self.moving_variance = self.add_state("moving_variance", input_shape, "ones")

    def normalize(self, x, training):
        _, positions = self.axes(x)
        if training:
            mean, variance = _moments(x, [0, *positions])
            self.follow(self.moving_mean, mean)
            self.follow(self.moving_variance, variance)
        else:
            mean, variance = self.along(self.moving_mean, x), self.along(self.moving_variance, x)
        rho = self.along(self.rho, x)
        y = rho * _standardized(x - mean, variance, self.epsilon)
        if not positions:
            return y
        mean, variance = _moments(x, positions)
        return y + (1 - rho) * _standardized(x - mean, variance, self.epsilon)

    def get_config(self):
        return {**super().get_config(), "rho_initializer": keras.initializers.serialize(self.rho_initializer)}


def _between_0_and_1(rho):
    return ops.clip(rho, 0, 1)


@_register
class SwitchableNormalization(_Normalization):
    """y = (x - sum w mean) / sqrt(sum w' variance + epsilon) * gamma + beta.

    The sums are over instance (the positions of each example and channel; not at rank 2), layer (positions and channels of each
    example) and batch (each channel over everything else; in inference, moving averages; not if `use_batch_statistics` is false), in
    this order; w = softmax(mean_weights), w' = softmax(variance_weights).
    """

    own_options = ("momentum", "use_batch_statistics")

    def __init__(self, axis=-1, momentum=0.9, epsilon=1e-5, use_batch_statistics=True, **kwargs):
        super().__init__(axis, epsilon, **kwargs)
        self.momentum, self.use_batch_statistics = momentum, use_batch_statistics

    def build_state(self, input_shape):
        sources = (len(input_shape) > 2) + 1 + self.use_batch_statistics
        self.mean_weights = self.add_weight(name="mean_weights", shape=[sources], initializer="ones")
        self.variance_weights = self.add_weight(name="variance_weights", shape=[sources], initializer="ones")
        if self.use_batch_statistics:
            self.moving_mean = self.add_state("moving_mean", input_shape, "zeros")
            self.moving_variance = self.add_state("moving_variance", input_shape, "ones")

    def normalize(self, x, training):
        axes, positions = self.axes(x)
        moments = [_moments(x, positions)] if positions else []
        moments.append(_moments(x, [*positions, *axes]))
        if self.use_batch_statistics and training:
            moments.append(_moments(x, [0, *positions]))
            self.follow(self.moving_mean, moments[-1][0])
            self.follow(self.moving_variance, moments[-1][1])
        elif self.use_batch_statistics:
            moments.append((self.along(self.moving_mean, x), self.along(self.moving_variance, x)))
        of_mean = ops.softmax(ops.cast(self.mean_weights, x.dtype))
        of_variance = ops.softmax(ops.cast(self.variance_weights, x.dtype))
        mean = sum(of_mean[i] * mean for i, (mean, _) in enumerate(moments))
        variance = sum(of_variance[i] * variance for i, (_, variance) in enumerate(moments))
        return _standardized(x - mean, variance, self.epsilon)


@_register
class BatchRenormalization(_Normalization):
    """y = ((x - mean) / stddev * r + d) * gamma + beta, stddev = sqrt(variance + epsilon), over the batch and all positions.

    r = stddev / moving_stddev within [rmin, rmax] and d = (mean - moving_mean) / moving_stddev within +-dmax are constants to the
    gradient, taken before the averages move; in inference the averages stand for mean and stddev, r = 1 and d = 0. While training
    calls are counted from ramp_steps[...][0] to ramp_steps[...][1], rmax goes from 1 and dmax from 0 to the values of
    `renorm_clipping`, where rmin is 1 / rmax if it is absent. `ramp_steps=None`: they hold from the first step.
    """

    own_options = ("momentum", "renorm_clipping", "ramp_steps")

    def __init__(self, axis=-1, momentum=0.99, renorm_clipping=None, ramp_steps=(), **kwargs):
        super().__init__(axis, **kwargs)
        self.momentum = momentum
        self.renorm_clipping = {"rmax": 3, "dmax": 5, **(renorm_clipping or {})}
        usual = {"rmax": [5000, 40000], "dmax": [5000, 25000]}
        self.ramp_steps = None if ramp_steps is None else {**usual, **dict(ramp_steps)}

    def build_state(self, input_shape):
        self.moving_mean = self.add_state("moving_mean", input_shape, "zeros")
        self.moving_stddev = self.add_state("moving_stddev", input_shape, "ones")
        if self.ramp_steps is not None:
            self.step = self.add_weight(name="step", shape=(), initializer="zeros", trainable=False)

    def _bounds(self):
        """rmin, rmax and dmax of this step."""
        rmax, dmax, rmin = (self.renorm_clipping.get(name) for name in ("rmax", "dmax", "rmin"))
        if self.ramp_steps is None:
            return 1 / rmax if rmin is None else rmin, rmax, dmax
        of_r, of_d = (
            ops.clip((self.step - start) / (end - start), 0, 1)
            for start, end in (self.ramp_steps["rmax"], self.ramp_steps["dmax"])
        )
        rmax = 1 + of_r * (rmax - 1)
        return 1 / rmax if rmin is None else 1 + of_r * (rmin - 1), rmax, of_d * dmax

    def normalize(self, x, training):
        moving_mean, moving_stddev = self.along(self.moving_mean, x), self.along(self.moving_stddev, x)
        if not training:
            return _quotient(x - moving_mean, moving_stddev)
        _, positions = self.axes(x)
        mean, variance = _moments(x, [0, *positions])
        stddev = _root(variance + self.epsilon)
        rmin, rmax, dmax = self._bounds()
        r = ops.minimum(ops.maximum(_quotient(stddev, moving_stddev), rmin), rmax)
        d = ops.minimum(ops.maximum(_quotient(mean - moving_mean, moving_stddev), -dmax), dmax)
        self.follow(self.moving_mean, mean)
        self.follow(self.moving_stddev, stddev)
        if self.ramp_steps is not None:
            self.step.assign(self.step + 1)
        return _quotient(x - mean, stddev) * ops.stop_gradient(r) + ops.stop_gradient(d)


@_register
class MeanOnlyBatchNormalization(_Normalization):
    """y = x - mean + beta, with the mean of each channel over the batch and all positions; in inference, its moving average."""

    def __init__(
        self,
        axis=-1,
        momentum=0.9,
        center=True,
        beta_initializer="zeros",
        beta_regularizer=None,
        beta_constraint=None,
        **kwargs,
    ):
        of_beta = dict(
            beta_initializer=beta_initializer, beta_regularizer=beta_regularizer, beta_constraint=beta_constraint
        )
        super().__init__(axis, center=center, scale=False, **of_beta, **kwargs)
        self.momentum = momentum

    def build_state(self, input_shape):
        self.moving_mean = self.add_state("moving_mean", input_shape, "zeros")

    def normalize(self, x, training):
        if not training:
            return x - self.along(self.moving_mean, x)
        _, positions = self.axes(x)
        mean = ops.mean(x, [0, *positions], keepdims=True)
        self.follow(self.moving_mean, mean)
        return x - mean

    def get_config(self):
        options = {**super().get_config(), "momentum": self.momentum}
        # What concerns a divisor or gamma is no option of this class.
        return {
            name: value
            for name, value in options.items()
            if name not in ("epsilon", "scale") and not name.startswith("gamma_")
        }


@_register
class ScaleNormalization(_Normalization):
    """y = gamma x / max(||x||, epsilon) + beta along `axis`; gamma and beta are one number each."""

    def __init__(self, axis=-1, epsilon=1e-5, center=False, **kwargs):
        super().__init__(axis, epsilon=epsilon, center=center, **kwargs)

    def parameter_shape(self, input_shape):
        return [1]

    def along(self, vector, x):
        return ops.cast(vector, x.dtype)

    def normalize(self, x, training):
        return _unit(x, self.axis, self.epsilon)


@_register
class PixelNormalization(keras.layers.Layer):
    """y = x / sqrt(mean(x^2) + epsilon), over the channels of each position."""

    def __init__(self, axis=-1, epsilon=1e-8, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.axis, self.epsilon = axis, epsilon

    def call(self, x):
        wide = ops.cast(x, keras.backend.result_type(x.dtype, _float_of_statistics))
        y = _standardized(wide, ops.mean(ops.square(wide), self.axis, keepdims=True), self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


@_register
class GlobalResponseNormalization(_Normalization):
    """y = gamma x g / (mean(g) + epsilon) + beta + x, with g = ||x|| over the positions, and the mean over the channels."""

    def __init__(self, axis=-1, epsilon=1e-6, gamma_initializer="zeros", **kwargs):
        super().__init__(axis, epsilon=epsilon, gamma_initializer=gamma_initializer, **kwargs)

    def call(self, x, training=None):
        return super().call(x, training) + ops.cast(x, self.compute_dtype)

    def normalize(self, x, training):
        channels, positions = self.axes(x)
        squares = ops.square(x)
        response = _root(ops.sum(squares, positions, keepdims=True) if positions else squares)
        return x * _quotient(response, ops.mean(response, channels, keepdims=True) + self.epsilon)


@_register
class FilterResponseNormalization(_Normalization):
    """y = max(gamma x / sqrt(mean(x^2) + epsilon) + beta, tau), over the positions of each example and channel.

    Without `threshold` there is no max. With `learned_epsilon` |learned_epsilon|, a weight, is added to epsilon.
    """

    own_options = ("threshold", "learned_epsilon")

    def __init__(
        self,
        axis=-1,
        epsilon=1e-6,
        threshold=True,
        tau_initializer="zeros",
        learned_epsilon=False,
        learned_epsilon_constraint=None,
        **kwargs,
    ):
        super().__init__(axis, epsilon=epsilon, **kwargs)
        self.threshold, self.learned_epsilon = threshold, learned_epsilon
        self.tau_initializer = keras.initializers.get(tau_initializer)
        self.learned_epsilon_constraint = keras.constraints.get(learned_epsilon_constraint)

    def build_state(self, input_shape):
        if self.threshold:
            shape = self.parameter_shape(input_shape)
            self.tau = self.add_weight(name="tau", shape=shape, initializer=self.tau_initializer)
        if self.learned_epsilon:
            start, constraint = keras.initializers.Constant(1e-4), self.learned_epsilon_constraint
            self.learned = self.add_weight(name="learned_epsilon", shape=[1], initializer=start, constraint=constraint)

    def call(self, x, training=None):
        y = super().call(x, training)
        return ops.maximum(y, self.along(self.tau, y)) if self.threshold else y

    def normalize(self, x, training):
        _, positions = self.axes(x)
        squares = ops.square(x)
        mean_square = ops.mean(squares, positions, keepdims=True) if positions else squares
        learned = ops.abs(ops.cast(self.learned, x.dtype)) if self.learned_epsilon else 0
        return _standardized(x, mean_square + learned, self.epsilon)

    def get_config(self):
        own = {
            "tau_initializer": keras.initializers.serialize(self.tau_initializer),
            "learned_epsilon_constraint": keras.constraints.serialize(self.learned_epsilon_constraint),
        }
        return {**super().get_config(), **own}


class _Curve(_Normalization):
    """y = gamma f(alpha x) + beta; alpha is one number."""

    def __init__(self, axis=-1, alpha_initializer=None, **kwargs):
        super().__init__(axis, **kwargs)
        self.alpha_initializer = keras.initializers.get(alpha_initializer or keras.initializers.Constant(0.5))

    def build_state(self, input_shape):
        self.alpha = self.add_weight(name="alpha", shape=[1], initializer=self.alpha_initializer)

    def get_config(self):
        config = {**super().get_config(), "alpha_initializer": keras.initializers.serialize(self.alpha_initializer)}
        # There is no divisor.
        return {name: value for name, value in config.items() if name != "epsilon"}


@_register
class DynamicTanh(_Curve):
    """y = gamma tanh(alpha x) + beta; alpha is one number."""

    def normalize(self, x, training):
        return ops.tanh(ops.cast(self.alpha, x.dtype) * x)


@_register
class DynamicErf(_Curve):
    """y = gamma erf(alpha x + shift) + beta; alpha and shift are one number each."""

    def __init__(self, axis=-1, shift_initializer="zeros", **kwargs):
        super().__init__(axis, **kwargs)
        self.shift_initializer = keras.initializers.get(shift_initializer)

    def build_state(self, input_shape):
        super().build_state(input_shape)
        self.shift = self.add_weight(name="shift", shape=[1], initializer=self.shift_initializer)

    def normalize(self, x, training):
        return ops.erf(ops.cast(self.alpha, x.dtype) * x + ops.cast(self.shift, x.dtype))

    def get_config(self):
        return {**super().get_config(), "shift_initializer": keras.initializers.serialize(self.shift_initializer)}


class _OfSum:
    """For normalizations of the sum of two inputs: [x, residual] become [y, sum]."""

    def build(self, input_shape):
        super().build(input_shape[0])

    def call(self, inputs, training=None):
        x, residual = inputs
        total = x + residual
        return [super().call(total, training=training), total]

    def compute_output_shape(self, input_shape):
        return [input_shape[0], input_shape[0]]

    def compute_mask(self, inputs, previous_mask=None):
        first = _first_of(previous_mask)
        return [first, first]


def _first_of(masks):
    return masks[0] if isinstance(masks, (list, tuple)) else masks


@_register
class AddLayerNormalization(_OfSum, _Normalization):
    """sum = x + residual, y = (sum - mean) / sqrt(variance + epsilon) * gamma + beta, over the axes `axis` of each example."""

    def normalize(self, x, training):
        axes, _ = self.axes(x)
        mean, variance = _moments(x, axes)
        return _standardized(x - mean, variance, self.epsilon)


@_register
class AddRMSNormalization(_OfSum, RMSNormalization):
    """sum = x + residual, and y is the RMSNormalization of sum."""


def _positions(x, axis):
    """The axes of x that are neither the batch nor the channels."""
    return [position for position in range(1, len(x.shape)) if position != axis % len(x.shape)]


def _standardized_by_example(x, axis, epsilon):
    """x with mean 0 and variance 1 over the positions of each example and channel."""
    positions = _positions(x, axis)
    if not positions:
        return x * 0  # One value is its own mean.
    mean, variance = _moments(x, positions)
    return _standardized(x - mean, variance, epsilon)


@_register
class AdaptiveInstanceNormalization(keras.layers.Layer):
    """[content, style] become (content - mean) / sqrt(variance + epsilon) * sqrt(style_variance + epsilon) + style_mean."""

    def __init__(self, axis=-1, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.axis, self.epsilon = axis, epsilon

    def call(self, inputs):
        content, style = (ops.cast(x, keras.backend.result_type(x.dtype, _float_of_statistics)) for x in inputs)
        positions = _positions(style, self.axis)
        mean, variance = _moments(style, positions) if positions else (style, 0 * style)
        y = _standardized_by_example(content, self.axis, self.epsilon) * _root(variance + self.epsilon) + mean
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def compute_mask(self, inputs, previous_mask=None):
        return _first_of(previous_mask)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class _Conditional(_Following, keras.layers.Layer):
    """Does something to x by parameters: of [x, condition] they are projections of the condition, of [x, ...parameters] the inputs.

    The condition and the parameters have a row for each example, or the rank of x. A subclass says in `transform` what happens to x.
    """

    # The scale comes first. To one that is projected 1 is added, and this to one that is an input.
    parameters = ("gamma", "beta")
    scale_offset = 0.0
    # Options beside those of the projection, for the config.
    own_options = ()

    def __init__(
        self,
        axis=-1,
        use_bias=True,
        kernel_initializer="zeros",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.axis, self.use_bias = axis, use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    def build(self, input_shape):
        x, *others = input_shape
        if len(others) not in (1, len(self.parameters)):
            names = ", ".join(self.parameters)
            raise ValueError(
                f"{type(self).__name__}: the inputs are [x, condition] or [x, {names}]; received {len(others) + 1}"
            )
        channels = x[self.axis]
        self.is_projected = len(others) == 1
        if self.is_projected:
            self.build_projection(others[0], len(self.parameters), channels)
        self.build_state(channels)

    def build_projection(self, condition_shape, count, channels):
        self.kernel = self.add_kernel("condition_kernel", [condition_shape[-1], count, channels])
        self.bias = self.add_bias("condition_bias", [count, channels]) if self.use_bias else None

    def project(self, condition, x):
        """The parameters as [..., parameters, channels]."""
        width, count, channels = self.kernel.shape
        kernel = ops.reshape(ops.cast(self.kernel, condition.dtype), [width, count * channels])
        y = ops.reshape(ops.matmul(condition, kernel), [-1, *condition.shape[1:-1], count, channels])
        return y if self.bias is None else y + ops.cast(self.bias, y.dtype)

    def add_kernel(self, name, shape, **others):
        how = {kind: getattr(self, f"kernel_{kind}") for kind in _KINDS}
        return self.add_weight(name=name, shape=shape, **{**how, **others})

    def add_bias(self, name, shape):
        how = {kind: getattr(self, f"bias_{kind}") for kind in _KINDS}
        return self.add_weight(name=name, shape=shape, **how)

    def build_state(self, channels):
        """Adds the weights beside the projection."""

    def add_statistics(self, channels):
        self.moving_mean = self.add_weight(name="moving_mean", shape=[channels], initializer="zeros", trainable=False)
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=[channels], initializer="ones", trainable=False
        )

    def standardized_by_batch(self, x, training):
        """x by the mean and variance of each channel in training, which the moving averages follow; else by these."""
        if training:
            mean, variance = _moments(x, [0, *_positions(x, self.axis)])
            self.follow(self.moving_mean, mean)
            self.follow(self.moving_variance, variance)
        else:
            mean, variance = (
                self.along(ops.expand_dims(ops.cast(statistic, x.dtype), 0), x)
                for statistic in (self.moving_mean, self.moving_variance)
            )
        return _standardized(x - mean, variance, self.epsilon)

    def call(self, inputs, training=None):
        x, *others = (ops.cast(one, keras.backend.result_type(one.dtype, _float_of_statistics)) for one in inputs)
        if self.is_projected:
            projected = self.project(others[0], x)
            others = [projected[..., i, :] for i in range(len(self.parameters))]
        scale, *rest = others
        offset = 1.0 if self.is_projected else self.scale_offset
        parameters = [self.along(one, x) for one in (scale + offset, *rest)]
        return self.transform(x, parameters, bool(training) and self.trainable)

    def transform(self, x, parameters, training):
        raise NotImplementedError

    def along(self, rows, x):
        """Rows [examples, channels] in the rank of x, their values along `axis`; what has that rank stays."""
        rank = len(x.shape)
        if len(rows.shape) == rank:
            return rows
        shape = [1] * rank
        shape[0], shape[self.axis] = -1, rows.shape[-1]
        return ops.reshape(rows, shape)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def compute_mask(self, inputs, previous_mask=None):
        return _first_of(previous_mask)

    def get_config(self):
        names = ("axis", "use_bias", *self.own_options)
        config = {**super().get_config(), **{name: getattr(self, name) for name in names}}
        for option in ("kernel", "bias"):
            for kind, module in _KINDS.items():
                config[f"{option}_{kind}"] = module.serialize(getattr(self, f"{option}_{kind}"))
        return config


@_register
class FeaturewiseLinearModulation(_Conditional):
    """y = x * gamma + beta."""

    def transform(self, x, parameters, training):
        gamma, beta = parameters
        return ops.cast(x * gamma + beta, self.compute_dtype)


@_register
class ConditionalBatchNormalization(_Conditional):
    """y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, over the batch and all positions; in inference by moving averages."""

    own_options = ("momentum", "epsilon")

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, **kwargs):
        super().__init__(axis, **kwargs)
        self.momentum, self.epsilon = momentum, epsilon

    def build_state(self, channels):
        self.add_statistics(channels)

    def transform(self, x, parameters, training):
        gamma, beta = parameters
        return ops.cast(self.standardized_by_batch(x, training) * gamma + beta, self.compute_dtype)


@_register
class AdaptiveLayerNormalization(_Conditional):
    """y = (x - mean) / sqrt(variance + epsilon) * (1 + scale) + shift, over the channels of each position."""

    parameters = ("scale", "shift")
    scale_offset = 1.0
    own_options = ("epsilon",)

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(axis, **kwargs)
        self.epsilon = epsilon

    def transform(self, x, parameters, training):
        scale, shift = parameters[:2]
        mean, variance = _moments(x, self.axis)
        return ops.cast(_standardized(x - mean, variance, self.epsilon) * scale + shift, self.compute_dtype)


@_register
class AdaptiveLayerNormalizationZero(AdaptiveLayerNormalization):
    """[y, gate]: y as of AdaptiveLayerNormalization, and the gate in the rank of x, for x + gate * f(y)."""

    parameters = ("scale", "shift", "gate")

    def transform(self, x, parameters, training):
        return [super().transform(x, parameters, training), ops.cast(parameters[2], self.compute_dtype)]

    def compute_output_shape(self, input_shape):
        x, given = input_shape[0], input_shape[-1]
        if len(given) == len(x):
            return [x, (*given[:-1], x[self.axis]) if len(input_shape) == 2 else given]
        gate = [1] * len(x)
        gate[0], gate[self.axis] = x[0], x[self.axis]
        return [x, tuple(gate)]

    def compute_mask(self, inputs, previous_mask=None):
        return [_first_of(previous_mask), None]


@_register
class SpatiallyAdaptiveNormalization(_Conditional):
    """y = (x - mean) / sqrt(variance + epsilon) * (1 + gamma) + beta, with gamma and beta for each position.

    Of a map [batch, any height, any width, classes] they are convolutions of relu of another, of the map's nearest values. `statistics`
    are of the 'batch', in inference moving averages, or of each example and channel, 'instance'.
    """

    scale_offset = 1.0
    own_options = ("momentum", "epsilon", "statistics", "hidden_units")

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-5, statistics="batch", hidden_units=128, **kwargs):
        super().__init__(axis, **kwargs)
        if statistics not in ("batch", "instance"):
            raise ValueError(f"statistics must be 'batch' or 'instance'; received {statistics!r}")
        self.momentum, self.epsilon, self.statistics, self.hidden_units = momentum, epsilon, statistics, hidden_units

    def build_projection(self, condition_shape, count, channels):
        shape = [3, 3, condition_shape[-1], self.hidden_units]
        self.hidden_kernel = self.add_kernel("hidden_kernel", shape, initializer="glorot_uniform")
        self.hidden_bias = self.add_bias("hidden_bias", [self.hidden_units])
        self.kernel = self.add_kernel("condition_kernel", [3, 3, self.hidden_units, count * channels])
        self.bias = self.add_bias("condition_bias", [count * channels]) if self.use_bias else None

    def project(self, condition, x):
        for axis in (1, 2):
            size, wanted = condition.shape[axis], x.shape[axis]
            nearest = np.floor(np.arange(wanted) * (size / wanted)).astype("int32")
            condition = ops.take(condition, nearest, axis)
        hidden = ops.relu(_convolved(condition, self.hidden_kernel, self.hidden_bias))
        y = _convolved(hidden, self.kernel, self.bias)
        return ops.reshape(y, [-1, *x.shape[1:3], len(self.parameters), x.shape[3]])

    def build_state(self, channels):
        if self.statistics == "batch":
            self.add_statistics(channels)

    def transform(self, x, parameters, training):
        gamma, beta = parameters
        if self.statistics == "batch":
            y = self.standardized_by_batch(x, training)
        else:
            y = _standardized_by_example(x, self.axis, self.epsilon)
        return ops.cast(y * gamma + beta, self.compute_dtype)


def _convolved(x, kernel, bias):
    y = ops.conv(x, ops.cast(kernel, x.dtype), padding="same", data_format="channels_last")
    return y if bias is None else y + ops.cast(bias, y.dtype)



class _KernelWrapper(keras.layers.Wrapper):
    """Calls the wrapped layer with normalized kernels. A subclass says in `normalized` what becomes of a kernel."""

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.supports_masking = layer.supports_masking

    def kernels(self):
        """Of each kernel of the wrapped layer: how names of weights for it begin, the variable, the axes of the output units."""
        layer = self.layer
        owner = getattr(layer, "cell", layer)
        if isinstance(layer, (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)):
            return [("depthwise_", layer.kernel, [-2, -1])]
        is_transposed = isinstance(layer, (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose))
        attributes = {
            "kernel": ("", [-2] if is_transposed else [-1]),
            "recurrent_kernel": ("recurrent_", [-1]),
            "depthwise_kernel": ("depthwise_", [-2, -1]),
            "pointwise_kernel": ("pointwise_", [-1]),
            "embeddings": ("", [-1]),
        }
        found = [
            (prefix, getattr(owner, name), axes)
            for name, (prefix, axes) in attributes.items()
            if getattr(owner, name, None) is not None
        ]
        if not found:
            raise ValueError(f"{type(self).__name__}: the layer {layer.name!r} has no kernel; received {layer}")
        return found

    def build(self, input_shape=None):
        super().build(input_shape)
        self.build_state()

    def build_state(self):
        raise NotImplementedError

    def normalized(self, index, matrix, training):
        """What becomes of kernel number `index`, given as a matrix [rest, units]."""
        raise NotImplementedError

    def call(self, inputs, training=None, mask=None, **kwargs):
        layer, kernels = self.layer, self.kernels()
        trains = bool(training) and self.trainable and layer.trainable
        replaced = {}
        for index, (_, kernel, axes) in enumerate(kernels):
            matrix = self.normalized(index, _as_matrix(kernel, axes), trains)
            replaced[id(kernel)] = _as_kernel(matrix, kernel.shape, axes)
        values = [
            [replaced.get(id(variable), variable.value) for variable in variables]
            for variables in (layer.trainable_variables, layer.non_trainable_variables)
        ]
        accepted = inspect.signature(layer.call).parameters
        given = {"training": training, "mask": mask}
        kwargs.update({name: value for name, value in given.items() if name in accepted and value is not None})
        outputs, state = layer.stateless_call(*values, inputs, **kwargs)
        for variable, value in zip(layer.non_trainable_variables, state):
            if id(variable) not in replaced:
                variable.assign(value)
        return outputs

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def compute_mask(self, inputs, previous_mask=None):
        return self.layer.compute_mask(inputs, previous_mask)


def _as_matrix(kernel, axes):
    """A kernel as a matrix [rest, units]; `axes` are those of the units, counted from the last."""
    last = _last(kernel.shape, axes)
    units = math.prod(kernel.shape[axis] for axis in axes)
    return ops.reshape(ops.transpose(ops.convert_to_tensor(kernel), last), [-1, units])


def _as_kernel(matrix, shape, axes):
    last = _last(shape, axes)
    back = sorted(range(len(shape)), key=last.__getitem__)
    return ops.transpose(ops.reshape(matrix, [shape[axis] for axis in last]), back)


def _last(shape, axes):
    """The order of axes with those of the units last."""
    units = [axis % len(shape) for axis in axes]
    return [axis for axis in range(len(shape)) if axis not in units] + units


@_register
class WeightNormalization(_KernelWrapper):
    """Calls the wrapped layer with the kernel w = g v / ||v||, the norm over all axes but that of the output units.

    v is the layer's kernel, and g starts as ||v||. With `data_init`, `initialize` lets a batch choose g and the bias; it is to be
    called before training, since Keras on jax keeps no trainable weight that a training step writes.
    """

    def __init__(self, layer, data_init=False, **kwargs):
        super().__init__(layer, **kwargs)
        self.data_init = data_init

    def build_state(self):
        self.lengths = [
            self.add_weight(
                name=f"{prefix}g",
                shape=[math.prod(kernel.shape[axis] for axis in axes)],
                initializer=_from_kernel(kernel, axes, lambda matrix: np.linalg.norm(matrix, axis=0)),
            )
            for prefix, kernel, axes in self.kernels()
        ]
        if self.data_init:
            self.initialized = self.add_weight(name="initialized", shape=(), initializer="zeros", trainable=False)

    def normalized(self, index, matrix, training):
        return _unit(matrix, 0, 1e-6) * self.lengths[index]

    def initialize(self, inputs):
        """With t = v x / ||v||: g = 1 / sqrt(variance(t) + 1e-10), bias = -mean(t) g, so that outputs have mean 0, variance 1."""
        layer = self.layer
        if not self.built:
            self.build(ops.shape(inputs))
        [(_, kernel, axes)] = self.kernels()
        g, bias = self.lengths[0], getattr(layer, "bias", None)
        activation, layer.activation = layer.activation, keras.activations.linear
        g.assign(ops.ones_like(g))
        if bias is not None:
            bias.assign(ops.zeros_like(bias))
        t = self.call(inputs)
        layer.activation = activation
        channels = 1 if getattr(layer, "data_format", None) == "channels_first" else len(t.shape) - 1
        mean, variance = _moments(t, [axis for axis in range(len(t.shape)) if axis != channels])
        g.assign(1 / ops.sqrt(ops.reshape(variance, [-1]) + 1e-10))
        if bias is not None:
            bias.assign(-ops.reshape(mean, [-1]) * g)
        if self.data_init:
            self.initialized.assign(1.0)

    def get_config(self):
        return {**super().get_config(), "data_init": self.data_init}


def _from_kernel(kernel, axes, values):
    """An initializer by the values of a kernel, in NumPy: backends would compile each step for each shape."""
    return lambda shape, dtype=None: values(ops.convert_to_numpy(_as_matrix(kernel, axes))).reshape(shape)


@_register
class SpectralNormalization(_KernelWrapper):
    """Calls the wrapped layer with the kernel W / sigma, sigma = v W u^T the largest singular value of W [rest, units].

    Each training call takes `power_iterations` steps u = n(v W), v = n(u W^T), where n divides by the norm; u and v are constants
    to the gradient, sigma is differentiated. They start at the singular vectors of the kernel. Keras's layer of this name overwrites
    the kernel instead.
    """

    def __init__(self, layer, power_iterations=1, reparameterize=True, **kwargs):
        super().__init__(layer, **kwargs)
        if not reparameterize:
            raise ValueError("SpectralNormalization: reparameterize=False is keras.layers.SpectralNormalization; use that")
        self.power_iterations = power_iterations

    def build_state(self):
        def vector(name, kernel, axes, size, singular):
            initializer = _from_kernel(kernel, axes, singular)
            return self.add_weight(name=name, shape=[1, size], initializer=initializer, trainable=False)

        self.vectors = []
        for prefix, kernel, axes in self.kernels():
            units = math.prod(kernel.shape[axis] for axis in axes)
            rest = math.prod(kernel.shape) // units
            u = vector(f"{prefix}vector_u", kernel, axes, units, lambda matrix: _svd(matrix)[2][0])
            v = vector(f"{prefix}vector_v", kernel, axes, rest, lambda matrix: _svd(matrix)[0][:, 0])
            self.vectors.append([u, v])

    def normalized(self, index, matrix, training):
        u, v = self.vectors[index]
        if training:
            for vector, value in zip((u, v), _iterated(matrix, u.value, v.value, self.power_iterations)):
                vector.assign(value)
        sigma = ops.sum(ops.matmul(ops.convert_to_tensor(v), matrix) * ops.convert_to_tensor(u))
        return matrix / _nonzero(sigma)

    def get_config(self):
        return {**super().get_config(), "power_iterations": self.power_iterations, "reparameterize": True}


def _svd(matrix):
    return np.linalg.svd(matrix, full_matrices=False)


def _iterated(matrix, u, v, steps):
    """Steps of power iteration; a kernel of zeros keeps its vectors."""
    matrix = ops.stop_gradient(matrix)
    for _ in range(steps):
        u = _direction(ops.matmul(v, matrix), u)
        v = _direction(ops.matmul(u, ops.transpose(matrix)), v)
    return u, v


def _direction(x, otherwise):
    length = ops.sqrt(ops.sum(ops.square(x)))
    return ops.where(length > 0, x / _nonzero(length), otherwise)


@_register
class WeightStandardization(_KernelWrapper):
    """Calls the wrapped layer with the kernel w = (v - mean) / sqrt(variance + epsilon), over the weights of each output unit."""

    def __init__(self, layer, epsilon=1e-10, **kwargs):
        super().__init__(layer, **kwargs)
        self.epsilon = epsilon

    def build_state(self):
        """There are no weights but the layer's."""

    def normalized(self, index, matrix, training):
        mean, variance = _moments(matrix, 0)
        return _standardized(matrix - mean, variance, self.epsilon)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


class _CellNorm(keras.layers.Layer):
    """Layer normalization of parts of the last axis, each by itself, with gamma and beta for all of them."""

    def __init__(self, sizes, epsilon, gamma_initializer, beta_initializer, **kwargs):
        super().__init__(**kwargs)
        self.sizes, self.epsilon, self.initializers = sizes, epsilon, (gamma_initializer, beta_initializer)

    def build(self, input_shape):
        gamma, beta = self.initializers
        self.gamma = self.add_weight(name="gamma", shape=[sum(self.sizes)], initializer=gamma)
        self.beta = self.add_weight(name="beta", shape=[sum(self.sizes)], initializer=beta)

    def call(self, x):
        parts, start = [], 0
        for size in self.sizes:
            part = x[..., start : start + size]
            mean, variance = _moments(part, -1)
            parts.append(_standardized(part - mean, variance, self.epsilon))
            start += size
        return ops.concatenate(parts, -1) * self.gamma + self.beta


class _NormalizedCell:
    """What cells with layer normalization share: its options, and the masks of dropout."""

    def set_norms(self, norm_gamma_initializer, norm_beta_initializer, norm_epsilon):
        self.norm_gamma_initializer = keras.initializers.get(norm_gamma_initializer)
        self.norm_beta_initializer = keras.initializers.get(norm_beta_initializer)
        self.norm_epsilon = norm_epsilon

    def norm(self, name, *sizes):
        norm = _CellNorm(sizes, self.norm_epsilon, self.norm_gamma_initializer, self.norm_beta_initializer, name=name)
        norm.build([None, sum(sizes)])
        norm.built = True
        return norm

    def dropped(self, x, h, training):
        if training and 0 < self.dropout < 1:
            x = x * self.get_dropout_mask(x)
        if training and 0 < self.recurrent_dropout < 1:
            h = h * self.get_recurrent_dropout_mask(h)
        return x, h

    def norm_config(self):
        return {
            "norm_gamma_initializer": keras.initializers.serialize(self.norm_gamma_initializer),
            "norm_beta_initializer": keras.initializers.serialize(self.norm_beta_initializer),
            "norm_epsilon": self.norm_epsilon,
        }


@_register
class LayerNormLSTMCell(_NormalizedCell, keras.layers.LSTMCell):
    """[i, f, g, o] = LN(W x) + LN(U h) + b, c = s(f) c + s(i) a(g), y = s(o) a(LN(c)). The next states are y and LN(c), or c.

    As in TensorFlow Addons; with `normalized_carry=False` the state is c, as in the paper.
    """

    def __init__(
        self,
        units,
        norm_gamma_initializer="ones",
        norm_beta_initializer="zeros",
        norm_epsilon=1e-3,
        normalized_carry=True,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.set_norms(norm_gamma_initializer, norm_beta_initializer, norm_epsilon)
        self.normalized_carry = normalized_carry

    def build(self, input_shape):
        super().build(input_shape)
        self.kernel_norm = self.norm("kernel_norm", 4 * self.units)
        self.recurrent_norm = self.norm("recurrent_norm", 4 * self.units)
        self.state_norm = self.norm("state_norm", self.units)

    def call(self, inputs, states, training=False):
        x, h = self.dropped(inputs, states[0], training)
        gates = self.kernel_norm(ops.matmul(x, self.kernel)) + self.recurrent_norm(ops.matmul(h, self.recurrent_kernel))
        if self.bias is not None:
            gates = gates + self.bias
        i, f, g, o = ops.split(gates, 4, -1)
        gate, activation = self.recurrent_activation, self.activation
        c = gate(f) * states[1] + gate(i) * activation(g)
        normalized = self.state_norm(c)
        y = gate(o) * activation(normalized)
        return y, [y, normalized if self.normalized_carry else c]

    def get_config(self):
        return {**super().get_config(), **self.norm_config(), "normalized_carry": self.normalized_carry}


@_register
class LayerNormGRUCell(_NormalizedCell, keras.layers.GRUCell):
    """[z, r] = LN(W x) + LN(U h), n = a(LN(W' x) + s(r) LN(U' h)), y = (1 - s(z)) h + s(z) n, as in the paper; a bias is added to LN(W x)."""

    def __init__(
        self, units, norm_gamma_initializer="ones", norm_beta_initializer="zeros", norm_epsilon=1e-3, **kwargs
    ):
        super().__init__(units, reset_after=False, **kwargs)
        self.set_norms(norm_gamma_initializer, norm_beta_initializer, norm_epsilon)

    def build(self, input_shape):
        super().build(input_shape)
        self.kernel_norm = self.norm("kernel_norm", 2 * self.units, self.units)
        self.recurrent_norm = self.norm("recurrent_norm", 2 * self.units, self.units)

    def call(self, inputs, states, training=False):
        x, h = self.dropped(inputs, states[0], training)
        of_input = self.kernel_norm(ops.matmul(x, self.kernel))
        if self.bias is not None:
            of_input = of_input + self.bias
        xz, xr, xn = ops.split(of_input, 3, -1)
        hz, hr, hn = ops.split(self.recurrent_norm(ops.matmul(h, self.recurrent_kernel)), 3, -1)
        z, r = self.recurrent_activation(xz + hz), self.recurrent_activation(xr + hr)
        y = (1 - z) * h + z * self.activation(xn + r * hn)
        return y, [y]

    def get_config(self):
        config = {**super().get_config(), **self.norm_config()}
        # It is always as in the paper.
        return {name: value for name, value in config.items() if name != "reset_after"}


class _QueryKeyLayer(keras.layers.Layer):
    """The learned scale g, which starts at log2(L^2 - L) for the usual length L of sequences."""

    def __init__(self, sequence_length=None, epsilon=1e-12, scale_initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        if scale_initializer is None and (sequence_length is None or sequence_length < 2):
            raise ValueError(
                f"{type(self).__name__}: sequence_length must be at least 2, the usual length of the sequences; "
                f"received {sequence_length}"
            )
        if scale_initializer is None:
            scale_initializer = keras.initializers.Constant(math.log2(sequence_length**2 - sequence_length))
        self.sequence_length, self.epsilon = sequence_length, epsilon
        self.scale_initializer = keras.initializers.get(scale_initializer)

    def build(self, input_shape):
        self.g = self.add_weight(name="g", shape=(), initializer=self.scale_initializer)

    def get_config(self):
        own = {"sequence_length": self.sequence_length, "epsilon": self.epsilon}
        initializer = keras.initializers.serialize(self.scale_initializer)
        return {**super().get_config(), **own, "scale_initializer": initializer}


@_register
class QKNormalization(_QueryKeyLayer):
    """[query, key] become [g query / max(|query|, epsilon), key / max(|key|, epsilon)], whose product is the logits."""

    def __init__(self, sequence_length=None, axis=-1, **kwargs):
        super().__init__(sequence_length, **kwargs)
        self.axis = axis

    def call(self, inputs):
        query, key = inputs
        return [_unit(query, self.axis, self.epsilon) * self.g, _unit(key, self.axis, self.epsilon)]

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_mask(self, inputs, previous_mask=None):
        return [None, None]

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}


@_register
class QKNormAttention(_QueryKeyLayer):
    """y = softmax(g qHat kHat^T) value, for [query, key, value] or [query, key, value, mask], heads split already.

    query [batch, ..., queries, width], key [batch, ..., keys, width], value [batch, ..., keys, any]. The mask is true (or 1) where a
    query may attend to a key: [batch, keys], [batch, queries, keys] or as many axes as the logits. Masks of the inputs join it. A
    query that may attend to no key attends to all alike.
    """

    def __init__(self, sequence_length=None, causal=False, dropout=0.0, seed=None, **kwargs):
        super().__init__(sequence_length, **kwargs)
        self.causal, self.dropout, self.seed = causal, dropout, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=None, mask=None):
        query, key, value, *attention_mask = inputs
        product = ops.matmul(_unit(query, -1, self.epsilon) * self.g, _transposed(_unit(key, -1, self.epsilon)))
        rank = len(product.shape)
        allowed = [_with_axes(_as_bool(one), rank, 1) for one in attention_mask]
        # A mask [batch, length] or of all axes but the width; of keys and values it stands for the last axis of the logits.
        for index, padding in enumerate((mask or [])[:3]):
            if padding is not None:
                padding = _with_axes(_as_bool(padding), rank - 1, 1)
                allowed.append(ops.expand_dims(padding, -1 if index == 0 else -2))
        if self.causal:
            queries, keys = query.shape[-2], key.shape[-2]
            ahead = ops.arange(keys) - ops.expand_dims(ops.arange(queries), -1)
            allowed.append(ahead <= keys - queries)
        if allowed:
            everything = allowed[0]
            for one in allowed[1:]:
                everything = ops.logical_and(everything, one)
            # Logits lie between -|g| and |g|; 110 below them the weight is 0.
            product = ops.where(everything, product, ops.stop_gradient(-110 - 1.001 * ops.abs(self.g)))
        weights = ops.softmax(product)
        if training and self.dropout > 0:
            weights = keras.random.dropout(weights, self.dropout, seed=self.seed_generator)
        return ops.matmul(weights, value)

    def compute_output_shape(self, input_shape):
        query, _, value = input_shape[:3]
        return (*query[:-1], value[-1])

    def compute_mask(self, inputs, previous_mask=None):
        return previous_mask[0] if previous_mask else None

    def get_config(self):
        own = {"causal": self.causal, "dropout": self.dropout, "seed": self.seed}
        return {**super().get_config(), **own}


def _transposed(x):
    return ops.swapaxes(x, -1, -2)


def _as_bool(mask):
    return mask if keras.backend.standardize_dtype(mask.dtype) == "bool" else ops.equal(mask, 1)


def _with_axes(x, rank, at):
    """x with axes of size 1 put in before axis `at`, as far as it has fewer than `rank`."""
    for _ in range(rank - len(x.shape)):
        x = ops.expand_dims(x, at)
    return x
