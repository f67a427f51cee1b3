"""Recipes: everything that decides a training, as typed TOML. Unknown keys are errors.

A recipe and a seed make a training repeatable. Standard library only.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.spec import CodecSpec
from edge_codec.training.time_config import TimeModelConfig
from edge_codec.training.typed_toml import build, read_table

ACTIVATIONS = ("gelu", "snake")
"""Names that `model.activation` may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Shape of the frame-domain codec: spectral frames at the hop, code frames at a multiple."""

    kind: str = "frame"
    """Tells it from the other kinds of model."""
    name: str
    """Name of the bundle this model becomes."""
    sample_rate_hz: int = 16_000
    """Rate of the audio."""
    hop_samples: int = 160
    """Samples between spectral frames; the window is twice as long."""
    code_stride: int = 2
    """Spectral frames in one code frame."""
    lookahead_frames: int = 0
    """Code frames that the decoder waits for before it speaks: better sound for more latency."""
    channels: int
    """Width of the blocks at the spectral frame rate."""
    code_channels: int
    """Width of the blocks at the code frame rate."""
    encoder_blocks: tuple[int, int]
    """Encoder blocks at the spectral rate, then at the code rate."""
    decoder_blocks: tuple[int, int]
    """Decoder blocks at the code rate, then at the spectral rate."""
    activation: str = "gelu"
    """`gelu` or `snake`."""
    scatter_from_hz: int = 0
    """Frames with more energy above this than below get random phases there, so that hiss does
    not buzz; 0 leaves all phases to the net."""
    latent: int = 64
    """Channels between encoder, quantizer and decoder."""
    layers: int = 12
    """RVQ layers."""
    bits_per_code: int = 10
    """Bits of one code."""
    code_dim: int = 8
    """Dimensions of the factorised codebooks."""
    normalised_lookup: bool = False
    """Compare directions only, as the thesis does."""

    def __post_init__(self) -> None:
        _check(self.activation in ACTIVATIONS, f"model.activation is one of {ACTIVATIONS}")
        sizes = (self.channels, self.code_channels, self.latent, self.code_dim)
        _check(min(sizes) >= 1, "widths of the model must be 1 or more")
        blocks = self.encoder_blocks + self.decoder_blocks
        _check(min(*blocks, self.lookahead_frames) >= 0, "a model has no blocks or more, not less")
        _check(self.code_dim <= self.latent, "model.code_dim can be model.latent at most")
        _check(
            0 <= self.scatter_from_hz < self.sample_rate_hz / 2,
            "model.scatter_from_hz is 0 or a frequency below Nyquist",
        )
        _ = self.spec  # says itself what is wrong with rate, strides, layers or bits

    @property
    def spec(self) -> CodecSpec:
        """What the two ends of a link must agree on."""
        return CodecSpec(
            sample_rate_hz=self.sample_rate_hz,
            strides=(self.hop_samples, self.code_stride),
            layers=self.layers,
            bits_per_code=self.bits_per_code,
            delay_samples=self.hop_samples * (1 + self.code_stride * self.lookahead_frames),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """What one training example is."""

    excerpt_s: float = 0.8
    """Length of an excerpt."""
    batch: int = 8
    """Excerpts in a step."""
    balance_domains: bool = False
    """Draw as many excerpts of each domain (a label of the cache) into every batch."""
    domain_shares: dict[str, float] = field(default_factory=dict)
    """Share of each domain in the excerpts instead: only domains that are named are drawn."""
    full_band_share: float = 0.0
    """Least share of a batch from clips that go up to Nyquist."""
    loudness_lufs: float = 0.0
    """Loudness that every clip is brought to before the random gain; 0 leaves it as it is."""
    gain_db: tuple[float, float] = (-12.0, 6.0)
    """Range of the random gain of each excerpt."""
    speed: tuple[float, float] = (1.0, 1.0)
    """Range of the speed at which the excerpts of a step play: pitch and formants move with it."""
    phase_rotation: float = 0.0
    """Share of excerpts whose spectrum is turned by one random phase."""
    eq_db: float = 0.0
    """Largest boost or cut of a random smooth equaliser; 0 leaves the spectrum as it is."""
    noise_share: float = 0.0
    """Share of excerpts that noise is mixed into: part of what the codec must reproduce."""
    noise_domain: str = "environment"
    """Domain of the clips the noise comes from."""
    noise_snr_db: tuple[float, float] = (5.0, 30.0)
    """Range of the level of the excerpt above the noise."""

    def __post_init__(self) -> None:
        for name in ("full_band_share", "phase_rotation", "noise_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"data.{name} is a share from 0 to 1, got {getattr(self, name)}")
        if self.domain_shares and (
            min(self.domain_shares.values()) < 0 or sum(self.domain_shares.values()) <= 0
        ):
            raise ConfigError(f"data.domain_shares cannot be {self.domain_shares}: use 0 or more")
        _check(self.batch >= 1 and self.excerpt_s > 0, "data.batch and excerpt_s must be positive")
        _check(self.eq_db >= 0, "data.eq_db must be 0 or more")
        _check(min(self.speed) > 0, "data.speed must be positive")
        for name in ("gain_db", "speed", "noise_snr_db"):
            low, high = getattr(self, name)
            _check(low <= high, f"data.{name} goes from low to high, got [{low:g}, {high:g}]")


LEAST_WINDOW = 8
"""Samples of a loss window that still has a mel band."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the losses."""

    mel: float = 15.0
    """Multi-scale log-mel distance."""
    spectral: float = 8.0
    """Compressed complex spectrum distance."""
    distillation: float = 0.0
    """Both distances once more, to what a teacher makes of the same speech."""
    balanced: bool = False
    """Let the weights say each loss' share of the gradient instead of scaling its value."""
    codebook: float = 1.0
    """Entries follow the vectors."""
    commitment: float = 0.25
    """Vectors stay near their entries."""
    mel_windows: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048)
    """Window lengths of the mel distance, in samples."""
    spectral_windows: tuple[int, ...] = (256, 512, 1024)
    """Window lengths of the complex distance; each must be a mel window too."""
    noise_db: float = -100.0
    """White noise under both signals of the mel distance, over the level of the excerpt: what is
    softer than that hardly counts."""
    overlap: int = 4
    """Windows over any one sample: hop = window / overlap."""

    def __post_init__(self) -> None:
        _check(self.overlap >= 1, "loss.overlap must be 1 or more")
        for window in self.mel_windows:
            is_right = window >= LEAST_WINDOW and window % (2 * self.overlap) == 0
            _check(
                is_right,
                f"loss.mel_windows: {window} is under {LEAST_WINDOW} or not a multiple "
                f"of 2 * overlap = {2 * self.overlap}",
            )
        _check(len(self.spectral_windows) > 0, "loss.spectral_windows must name a window")
        extra = sorted(set(self.spectral_windows) - set(self.mel_windows))
        _check(not extra, f"loss.spectral_windows: {extra} must be in loss.mel_windows too")


@dataclass(frozen=True, kw_only=True, slots=True)
class AdversarialConfig:
    """Discriminators and how much they count; without weights there are none."""

    adversarial: float = 0.0
    """Weight of fooling the discriminators (least squares)."""
    features: float = 0.0
    """Weight of matching their hidden features."""
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    """Periods of the multi-period discriminators, in samples."""
    period_width: int = 16
    """Channels of their first layer; the last has 32 times as many."""
    windows: tuple[int, ...] = (1024, 512, 256)
    """Window lengths of the multi-band spectral discriminators, in samples."""
    band_width: int = 16
    """Channels of their layers."""
    scales: tuple[int, ...] = ()
    """Factors by which the multi-scale discriminators thin the waveform."""
    scale_width: int = 16
    """Channels of their first layer; the last has 64 times as many."""
    lr: float = 2e-4
    """Peak step size of their AdamW; its schedule is the codec's."""
    clip: float = 10.0
    """Largest norm of their gradient."""
    ramp_steps: int = 500
    """Steps over which the two weights rise from zero, while the discriminators learn to tell."""

    def __post_init__(self) -> None:
        _check(
            not self.is_used or self.periods + self.windows + self.scales != (),
            "adversarial training needs periods, windows or scales",
        )
        _check(min(self.adversarial, self.features) >= 0, "adversarial weights are 0 or more")
        _check(min(self.period_width, self.band_width) >= 1, "adversarial widths are 1 or more")
        _check(self.scale_width >= 4, "adversarial.scale_width must be 4 or more")  # its groups

    @property
    def is_used(self) -> bool:
        """Whether there are discriminators at all."""
        return self.adversarial > 0 or self.features > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantizerConfig:
    """How the quantizer is brought up and how often frames lose layers."""

    from_data: bool = True
    """Start codebooks at k-means centres of encoder vectors, and move dead codes onto vectors."""
    start_step: int = 200
    """Steps without quantizer."""
    initial_vectors: int = 32_768
    """Encoder vectors for the initialisation."""
    full_depth: float = 0.5
    """Probability that an excerpt keeps all layers."""
    depths: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12)
    """Layer counts drawn otherwise."""
    harden_from: float = 0.6
    """Part of the training after which frames lose layers singly and some are lost altogether."""
    depth_per_frame: float = 0.0
    """Probability that an excerpt then draws a depth for each frame instead of one for all."""
    depth_by_level: float = 0.0
    """Probability that an excerpt's softer frames then keep fewer layers, as in context coding."""
    lost_frames: float = 0.0
    """Share of frames then lost, in bursts."""
    lost_burst: float = 1.5
    """Mean length of a burst in frames."""
    wrong_codes: float = 0.0
    """Share of codes that then reach the decoder as others, drawn at random."""

    def __post_init__(self) -> None:
        shares = ("full_depth", "depth_per_frame", "depth_by_level", "lost_frames", "wrong_codes")
        for name in shares:
            share = getattr(self, name)
            _check(0 <= share <= 1, f"quantizer.{name} is a share from 0 to 1, got {share:g}")
        _check(self.start_step >= 0, "quantizer.start_step must be 0 or more")
        _check(self.initial_vectors >= 1, "quantizer.initial_vectors must be 1 or more")
        _check(min(self.depths, default=0) >= 1, "quantizer.depths must be layer counts from 1 on")
        most = self.lost_burst / (1 + self.lost_burst)
        is_reached = self.lost_burst >= 1 and self.lost_frames <= most
        _check(
            is_reached,
            f"bursts of {self.lost_burst:g} frames, 1 at least, lose up to {most:.2g} "
            f"of all; quantizer.lost_frames asks for {self.lost_frames:g}",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimiserConfig:
    """Step sizes and their schedule: warm up, hold, then fall to zero over the last part."""

    lr: float = 1e-3
    """Peak step size of AdamW."""
    muon_lr: float = 0.0
    """Peak step size of Muon for the matrices of the blocks; 0 leaves them to AdamW."""
    muon_iterations: int = 3
    """Newton-Schulz iterations of Muon; each costs about a tenth of a training step on a CPU."""
    betas: tuple[float, float] = (0.8, 0.99)
    """Moment decays of AdamW."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    warmup_steps: int = 300
    """Steps of linear warm-up."""
    decay_fraction: float = 0.4
    """Last part of the training, in which the step size falls linearly to zero."""
    clip: float = 1.0
    """Largest gradient norm."""
    ema: float = 0.999
    """Decay of the averaged weights, which are the ones that ship."""

    def __post_init__(self) -> None:
        _check(self.lr > 0 and self.clip > 0, "optimiser.lr and clip must be positive")
        _check(
            self.muon_lr >= 0 and self.muon_iterations >= 1,
            "optimiser.muon_lr is 0 or more, muon_iterations 1 or more",
        )
        _check(self.weight_decay >= 0, "optimiser.weight_decay must be 0 or more")
        _check(self.warmup_steps >= 1, "optimiser.warmup_steps must be 1 or more")
        _check(0 <= self.decay_fraction <= 1, "optimiser.decay_fraction is a share from 0 to 1")
        decays = (*self.betas, self.ema)
        _check(0 <= min(decays) <= max(decays) < 1, "optimiser.betas and ema are from 0 to under 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One training from start to end."""

    model: ModelConfig | TimeModelConfig
    """The net: `kind = "frame"` (the default) or `kind = "time"`."""
    data: DataConfig = field(default_factory=DataConfig)
    """The examples."""
    loss: LossConfig = field(default_factory=LossConfig)
    """The goals."""
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    """The opponents."""
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    """The bottleneck."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """The steps."""
    steps: int
    """Length of the training."""
    freeze_bitstream: bool = False
    """Train the decoder alone: encoder and quantizer stay, and so do recordings made with them."""
    bf16: bool = True
    """Run the blocks in bfloat16; transforms, quantizer and losses stay in float32."""

    def __post_init__(self) -> None:
        _check(self.steps >= 0, f"steps must be 0 or more, got {self.steps}")
        layers = self.model.layers
        _check(min(self.quantizer.depths) <= layers, f"none of quantizer.depths is up to {layers}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-ready form; `build(Recipe, ...)` reads it back."""
        return asdict(self)


def _check(is_met: bool, message: str) -> None:
    if not is_met:
        raise ConfigError(f"{message}; mend the recipe")


def load_recipe(path: Path) -> Recipe:
    """Recipe from a TOML file.

    Raises:
        ConfigError: the file is missing, not TOML, or has unknown or missing keys.
    """
    return build(Recipe, read_table(path), where=path.name)
