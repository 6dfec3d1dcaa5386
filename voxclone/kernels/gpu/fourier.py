"""The inverse-STFT head in two kernels: a convolution that turns the carrier's spectrum, and overlap-add.

Both transforms are matrix products with the window in their bases: the frames of a head are short (n_fft 128), so that
they cost less than the convolution beside them, and share its rows and columns with it. That the inverse overlaps is
the sum over the few frames that reach a row of hop_length samples. All of it but the convolution is float32.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from voxclone.kernels.gpu.convolution import Tile, block, pack, reach
from voxclone.kernels.istft_head import MAX_LOG_MAGNITUDE, TINY
from voxclone.kernels.packing import packed

SPECTRUM = Tile(128, 32, 32, 4, 2)  # the fastest of those swept on an H200
OVERLAP = Tile(128, 32, 32, 4, 2)  # no more columns than hop_length are made


def turned_spectrum(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    carrier: Tensor,
    window: Tensor,
    hop_length: int,
    slope: float,
    tile: Tile = SPECTRUM,
) -> Tensor:
    """(B, J, C) rows and (B, J * hop_length) samples to (B, J, 2, bins): the carrier's phases, turned, real part first.

    Arguments as of `istft_head_reference`, but x in rows.
    """
    batch, length, channels = x.shape
    n_fft, taps = len(window), weight.shape[2]
    bins = n_fft // 2 + 1
    out = carrier.new_empty(batch, length, 2, bins, dtype=torch.float32)
    spectrum_kernel[triton.cdiv(length, tile.rows), triton.cdiv(bins, tile.columns), batch](
        x,
        packed(weight, x.dtype, pack),
        packed(bias, torch.float32, torch.Tensor.contiguous),
        carrier.float().contiguous(),
        packed(window, torch.float32, analysis_basis),
        out,
        length,
        hop_length,
        (n_fft - hop_length) // 2,
        TAPS=taps,
        CHANNELS=channels,
        BINS=bins,
        N_FFT=n_fft,
        SLOPE=slope,
        MOST=MAX_LOG_MAGNITUDE,
        TINY=TINY,
        ROWS=tile.rows,
        COLUMNS=tile.columns,
        DEPTH=min(tile.depth, block(channels, tile.depth)),
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    return out


def add_overlapping(spectrum: Tensor, window: Tensor, hop_length: int, tile: Tile = OVERLAP) -> Tensor:
    """(B, J, 2, bins) to (B, J * hop_length) in [-1, 1]: inverse STFT by overlap-add."""
    batch, length, _, bins = spectrum.shape
    n_fft = len(window)
    later, sooner = reach(n_fft, hop_length, (n_fft - hop_length) // 2)
    columns = block(hop_length, tile.columns)
    out = spectrum.new_empty(batch, length * hop_length)
    overlap_kernel[triton.cdiv(length, tile.rows), triton.cdiv(hop_length, columns), batch](
        spectrum,
        packed(window, torch.float32, synthesis_basis),
        window.float().contiguous(),
        out,
        length,
        hop_length,
        (n_fft - hop_length) // 2,
        sooner,
        FRAMES=sooner + later + 1,
        VALUES=2 * bins,
        N_FFT=n_fft,
        TINY=TINY,
        ROWS=tile.rows,
        COLUMNS=columns,
        DEPTH=tile.depth,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    return out


def analysis_basis(window: Tensor) -> Tensor:
    """(n_fft, 2, bins): what the real parts of a windowed frame's spectrum are made with, then the imaginary."""
    angles, window = _angles(window)
    return (torch.stack([angles.cos(), -angles.sin()], 1) * window[:, None, None]).float().contiguous()


def synthesis_basis(window: Tensor) -> Tensor:
    """(2, bins, n_fft): what a windowed frame is made with of its spectrum's real parts and imaginary parts."""
    angles, window = _angles(window)
    weight = torch.full((angles.shape[1],), 2.0, dtype=torch.float64, device=window.device)
    weight[0] = weight[-1] = 1.0  # which stand for themselves alone, and have no imaginary part
    basis = torch.stack([angles.cos(), -angles.sin()]) * weight / len(window) * window[None, :, None]
    basis[1, :, 0] = basis[1, :, -1] = 0.0
    return basis.transpose(1, 2).float().contiguous()


def _angles(window: Tensor) -> tuple[Tensor, Tensor]:
    """(n_fft, bins) radians of each sample in each bin, and the window, in float64."""
    n_fft = len(window)
    steps = torch.arange(n_fft, device=window.device)
    turns = torch.outer(steps, steps[: n_fft // 2 + 1]) % n_fft
    return turns.double() * (2 * math.pi / n_fft), window.double()


@triton.jit(do_not_specialize=["length"])  # one compilation for all lengths
def spectrum_kernel(
    x,
    weight,
    bias,
    carrier,
    basis,
    out,
    length,
    hop,
    edge,
    TAPS: tl.constexpr,
    CHANNELS: tl.constexpr,
    BINS: tl.constexpr,
    N_FFT: tl.constexpr,
    SLOPE: tl.constexpr,
    MOST: tl.constexpr,
    TINY: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """ROWS frames by COLUMNS bins of one item."""
    item = tl.program_id(2).to(tl.int64)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    bins = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    depth = tl.arange(0, DEPTH)
    real_bin = bins < BINS
    BLOCKS: tl.constexpr = (CHANNELS + DEPTH - 1) // DEPTH
    x += item * length * CHANNELS
    level = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
    turn = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
    for step in range(TAPS * BLOCKS):
        tap = step // BLOCKS
        channels = (step % BLOCKS) * DEPTH + depth
        source = rows + tap - TAPS // 2
        inside = (source >= 0) & (source < length)
        a = tl.load(
            x + source[:, None] * CHANNELS + channels[None, :],
            mask=inside[:, None] & (channels < CHANNELS)[None, :],
            other=0.0,
        )
        a = tl.where(a >= 0, a, (a.to(tl.float32) * SLOPE).to(a.dtype))
        places = weight + (tap * CHANNELS + channels)[:, None] * (2 * BINS) + bins[None, :]
        real = (channels < CHANNELS)[:, None] & real_bin[None, :]
        level = tl.dot(a, tl.load(places, mask=real, other=0.0), level, input_precision="ieee")
        turn = tl.dot(a, tl.load(places + BINS, mask=real, other=0.0), turn, input_precision="ieee")
    level += tl.load(bias + bins, mask=real_bin, other=0.0)[None, :]
    turn += tl.load(bias + BINS + bins, mask=real_bin, other=0.0)[None, :]
    carrier += item * length * hop
    cosine = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
    sine = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
    for start in range(0, N_FFT, DEPTH):
        steps = start + depth
        source = rows[:, None] * hop + (steps - edge)[None, :]
        inside = (source >= 0) & (source < length * hop) & (steps < N_FFT)[None, :]
        a = tl.load(carrier + source, mask=inside, other=0.0)
        places = basis + steps[:, None] * (2 * BINS) + bins[None, :]
        real = (steps < N_FFT)[:, None] & real_bin[None, :]
        cosine = tl.dot(a, tl.load(places, mask=real, other=0.0), cosine, input_precision="ieee")
        sine = tl.dot(a, tl.load(places + BINS, mask=real, other=0.0), sine, input_precision="ieee")
    size = tl.maximum(tl.sqrt(cosine * cosine + sine * sine), TINY)
    magnitude = tl.exp(tl.minimum(level, MOST)) / size
    turned_cosine, turned_sine = tl.cos(turn), tl.sin(turn)
    places = out + ((item * length + rows) * (2 * BINS))[:, None] + bins[None, :]
    real = (rows < length)[:, None] & real_bin[None, :]
    tl.store(places, magnitude * (turned_cosine * cosine - turned_sine * sine), mask=real)
    tl.store(places + BINS, magnitude * (turned_cosine * sine + turned_sine * cosine), mask=real)


@triton.jit(do_not_specialize=["length"])  # one compilation for all lengths
def overlap_kernel(
    spectrum,
    basis,
    window,
    out,
    length,
    hop,
    edge,
    sooner,
    FRAMES: tl.constexpr,
    VALUES: tl.constexpr,
    N_FFT: tl.constexpr,
    TINY: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """ROWS times COLUMNS of hop samples of one item: the sum of what each frame that reaches them has there."""
    item = tl.program_id(2).to(tl.int64)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    depth = tl.arange(0, DEPTH)
    BLOCKS: tl.constexpr = (VALUES + DEPTH - 1) // DEPTH
    sums = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
    weight = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
    for frame in range(FRAMES):
        source = rows + frame - sooner
        inside = (source >= 0) & (source < length)
        steps = columns + edge + (sooner - frame) * hop  # where in the frame
        reached = (steps >= 0) & (steps < N_FFT) & (columns < hop)
        level = tl.load(window + steps, mask=reached, other=0.0)
        weight += tl.where(inside, 1.0, 0.0)[:, None] * (level * level)[None, :]
        for part in range(BLOCKS):
            values = part * DEPTH + depth
            a = tl.load(
                spectrum + ((item * length + source) * VALUES)[:, None] + values[None, :],
                mask=inside[:, None] & (values < VALUES)[None, :],
                other=0.0,
            )
            w = tl.load(
                basis + values[:, None] * N_FFT + steps[None, :],
                mask=(values < VALUES)[:, None] & reached[None, :],
                other=0.0,
            )
            sums = tl.dot(a, w, sums, input_precision="ieee")
    sums = tl.minimum(tl.maximum(sums / tl.maximum(weight, TINY), -1.0), 1.0)
    places = out + ((item * length + rows) * hop)[:, None] + columns[None, :]
    tl.store(places, sums, mask=(rows < length)[:, None] & (columns < hop)[None, :])
