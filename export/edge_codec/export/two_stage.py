"""The DFT in two small steps instead of one large matrix: a seventh of the weights, same result.

With N = 16 * 20 samples, sample n = 20 * i + j and bin q = p + 16 * r, the sum over n splits into
one over i for each j, then one over j for each p. Window and twiddle factors are in the first.
TFLite keeps every constant in its file, so the matrix would be a seventh of an int8 model.

Source: Cooley and Tukey, Mathematics of Computation 19 (1965).

Shapes: B batch, F frames, N = I * J window length, Q = N / 2 + 1 bins, C = 2 real and imaginary
parts, R = ceil(Q / I) values of r.
"""

import math

import torch
from torch import Tensor

from edge_codec.training.spectral import Analysis, Synthesis, sine_window


def factors(length: int) -> tuple[int, int]:
    """I and J with I * J = length, as close to each other as can be.

    >>> factors(320)
    (16, 20)
    """
    first = max(i for i in range(1, math.isqrt(length) + 1) if length % i == 0)
    return first, length // first


def rotation(turns: Tensor) -> Tensor:
    """Complex numbers of modulus one, float64: `turns` times around, clockwise."""
    return torch.polar(torch.ones_like(turns), -2 * torch.pi * turns)


class TwoStageAnalysis(Analysis):
    """An `Analysis` whose transform takes two steps."""

    first_JIW: Tensor
    second_WV: Tensor

    def __init__(self, analysis: Analysis) -> None:
        super().__init__(analysis.hop)
        del self.dft
        self.mean, self.scale = analysis.mean, analysis.scale
        length = 2 * self.hop
        self.sizes = count_i, count_j = factors(length)
        self.rows = -(-(self.hop + 1) // count_i)
        n_JI1 = torch.arange(length, dtype=torch.float64).reshape(count_i, count_j).T[..., None]
        p_I = torch.arange(count_i, dtype=torch.float64)
        first_JIP = rotation(n_JI1 * p_I / length)
        first_JIP = first_JIP * sine_window(length).reshape(count_i, count_j).T[..., None]
        first_JIW = torch.cat([first_JIP.real, first_JIP.imag], dim=2)
        j_J1, r_R = torch.arange(count_j)[:, None], torch.arange(self.rows)
        second_JR = rotation((j_J1 * r_R).double() / count_j)
        self.register_buffer("first_JIW", first_JIW.float(), persistent=False)
        self.register_buffer("second_WV", complex_matrix(second_JR).float(), persistent=False)

    def transform(self, frames_BFN: Tensor) -> Tensor:
        """[B, F, N] to real, then imaginary parts, [B, F, 2Q]; B is 1."""
        (count_i, count_j), frames = self.sizes, frames_BFN.shape[1]
        x_JFI = frames_BFN.reshape(frames, count_i, count_j).permute(2, 0, 1)
        y_JFCP = (x_JFI @ self.first_JIW).reshape(count_j, frames, 2, count_i)
        y_FPW = y_JFCP.permute(1, 3, 2, 0).reshape(frames, count_i, 2 * count_j)
        bins_FPCR = (y_FPW @ self.second_WV).reshape(frames, count_i, 2, self.rows)
        bins_FCQ = bins_FPCR.permute(0, 2, 3, 1).reshape(1, frames, 2, self.rows * count_i)
        return bins_FCQ[..., : self.hop + 1].reshape(1, frames, 2 * (self.hop + 1))


class TwoStageSynthesis(Synthesis):
    """A `Synthesis` whose inverse transform takes two steps."""

    weight_Q: Tensor
    first_VW: Tensor
    second_JWI: Tensor

    def __init__(self, synthesis: Synthesis) -> None:
        super().__init__(synthesis.hop)
        del self.inverse_dft
        length = 2 * self.hop
        self.sizes = count_i, count_j = factors(length)
        self.rows = -(-(self.hop + 1) // count_i)
        weight_Q = torch.full((self.hop + 1,), 2.0 / length)
        weight_Q[0] = weight_Q[-1] = 1.0 / length
        r_R1, j_J = torch.arange(self.rows)[:, None], torch.arange(count_j)
        first_RJ = rotation(-(r_R1 * j_J).double() / count_j)
        n_J1I = torch.arange(length, dtype=torch.float64).reshape(count_i, count_j).T[:, None]
        p_P1 = torch.arange(count_i, dtype=torch.float64)[:, None]
        second_JPI = rotation(-n_J1I * p_P1 / length)
        second_JPI = second_JPI * sine_window(length).reshape(count_i, count_j).T[:, None]
        second_JWI = torch.cat([second_JPI.real, -second_JPI.imag], dim=1)
        self.register_buffer("weight_Q", weight_Q, persistent=False)
        self.register_buffer("first_VW", complex_matrix(first_RJ).float(), persistent=False)
        self.register_buffer("second_JWI", second_JWI.float(), persistent=False)

    def transform(self, bins_BFC: Tensor) -> Tensor:
        """Real, then imaginary parts, [B, F, 2Q], to windowed samples [B, F, N]; B is 1."""
        (count_i, count_j), frames = self.sizes, bins_BFC.shape[1]
        bins_FCQ = bins_BFC.reshape(frames, 2, self.hop + 1) * self.weight_Q
        more = self.rows * count_i - (self.hop + 1)
        bins_FCQ = torch.cat([bins_FCQ, bins_FCQ.new_zeros(frames, 2, more)], dim=2)
        x_FPCR = bins_FCQ.reshape(frames, 2, self.rows, count_i).permute(0, 3, 1, 2)
        y_FPW = x_FPCR.reshape(frames, count_i, 2 * self.rows) @ self.first_VW
        y_JFCP = y_FPW.reshape(frames, count_i, 2, count_j).permute(3, 0, 2, 1)
        z_JFI = y_JFCP.reshape(count_j, frames, 2 * count_i) @ self.second_JWI
        return z_JFI.permute(1, 2, 0).reshape(1, frames, 2 * self.hop)


def complex_matrix(matrix_AB: Tensor) -> Tensor:
    """A complex matrix as a real one that takes and gives real, then imaginary parts: [2A, 2B]."""
    upper = torch.cat([matrix_AB.real, matrix_AB.imag], dim=1)
    return torch.cat([upper, torch.cat([-matrix_AB.imag, matrix_AB.real], dim=1)], dim=0)
