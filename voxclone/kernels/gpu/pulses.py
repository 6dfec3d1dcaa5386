"""The source of a source-filter vocoder in two kernels: a scan over frames, then every sample by itself.

f0 is linear between the middles of frames, so that how often the fundamental has gone round by some sample is a number
for its frame, made by the scan, and a polynomial of second degree within it: no sample waits for another.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from voxclone.kernels.pulse_source import FADE

FRAMES = 1024  # in one step of the scan
SAMPLES = 1024  # of one program


def make_source(
    f0: Tensor,
    noise: Tensor,
    phase: Tensor,
    hop_length: int,
    sample_rate: int,
    voiced_noise: float,
    frames: int = FRAMES,
    samples: int = SAMPLES,
    warps: int = 4,
) -> Tensor:
    """Arguments and result as of `pulse_source_reference`; `frames` and `samples` are powers of 2."""
    f0, noise, phase = f0.float().contiguous(), noise.float().contiguous(), phase.double().contiguous()
    batch, count = f0.shape
    filled, turns = torch.empty_like(f0), torch.empty_like(f0, dtype=torch.float64)
    out = f0.new_empty(batch, 3, count * hop_length)
    frames_kernel[(batch,)](f0, phase, filled, turns, count, hop_length, sample_rate, FRAMES=frames, num_warps=4)
    grid = (triton.cdiv(count * hop_length, samples), batch)
    samples_kernel[grid](
        f0,
        filled,
        turns,
        noise,
        out,
        count,
        hop_length,
        sample_rate,
        1 - voiced_noise,
        FADE=FADE,
        SAMPLES=samples,
        num_warps=warps,
    )
    return out


@triton.jit
def _later(one, other):
    return tl.maximum(one, other)


@triton.jit(do_not_specialize=["count"])  # one compilation for all lengths
def frames_kernel(f0, phase, filled, turns, count, hop, rate, FRAMES: tl.constexpr):
    """f0 of one item with its unvoiced frames filled, and how often it has gone round where each frame begins."""
    item = tl.program_id(0).to(tl.int64)
    f0 += item * count
    filled += item * count
    turns += item * count
    steps = tl.arange(0, FRAMES)
    first = count  # the first voiced frame
    for start in range(0, count, FRAMES):
        voiced = tl.load(f0 + start + steps, mask=start + steps < count, other=0.0) > 0
        first = tl.minimum(first, tl.min(tl.where(voiced, start + steps, count)))
    last = tl.minimum(first, count - 1)  # the last voiced frame so far; the first one to come where there is none yet
    for start in range(0, count, FRAMES):
        inside = start + steps < count
        voiced = tl.load(f0 + start + steps, mask=inside, other=0.0) > 0
        known = tl.where(voiced, start + steps, last)
        known = tl.maximum(last, tl.associative_scan(known, 0, _later))
        value = tl.load(f0 + known, mask=inside, other=0.0)
        tl.store(filled + start + steps, tl.where(value > 0, value, 128.0), mask=inside)
        last = tl.max(known)
    tl.debug_barrier()
    whole = tl.load(phase + item) / 6.283185307179586
    for start in range(0, count, FRAMES):
        at = start + steps
        inside = at < count
        before = tl.load(filled + tl.maximum(at - 1, 0), mask=inside, other=0.0).to(tl.float64)
        here = tl.load(filled + at, mask=inside, other=0.0).to(tl.float64)
        after = tl.load(filled + tl.minimum(at + 1, count - 1), mask=inside, other=0.0).to(tl.float64)
        made = _within(before, here, after, hop, hop) / rate
        tl.store(turns + at, whole + tl.cumsum(made) - made, mask=inside)
        whole += tl.sum(made)


@triton.jit
def _within(before, here, after, made, hop):
    """The sum of f0 over the first `made` samples of a frame: linear from half a frame before to half a frame after."""
    half = (hop + 1) // 2
    early = tl.minimum(made, half).to(tl.float64)
    late = tl.maximum(made, half).to(tl.float64)
    edge = 0.0 * early + half
    rise = early * early / (2 * hop) + early / 2
    fall = (late * late - edge * edge) / (2 * hop) - (late - edge) / 2
    return before * (early - rise) + here * (rise + late - edge - fall) + after * fall


@triton.jit(do_not_specialize=["count"])  # one compilation for all lengths
def samples_kernel(f0, filled, turns, noise, out, count, hop, rate, hidden, FADE: tl.constexpr, SAMPLES: tl.constexpr):
    """Pulses, noise and their mixture of some samples of one item."""
    item = tl.program_id(1).to(tl.int64)
    total = count * hop
    at = tl.program_id(0) * SAMPLES + tl.arange(0, SAMPLES)
    inside = at < total
    frame = tl.minimum(at // hop, count - 1)
    step = at - frame * hop
    frames = filled + item * count
    before = tl.load(frames + tl.maximum(frame - 1, 0))
    here = tl.load(frames + frame)
    after = tl.load(frames + tl.minimum(frame + 1, count - 1))
    round_ = _within(before.to(tl.float64), here.to(tl.float64), after.to(tl.float64), step + 1, hop) / rate
    round_ += tl.load(turns + item * count + frame)
    half = ((round_ - tl.floor(round_ + 0.5)) * 3.141592653589793).to(tl.float32)
    place = (step + 0.5) / hop - 0.5
    dense = tl.where(place < 0, here + (before - here) * -place, here + (after - here) * place)
    below = tl.maximum(0.5 * rate / dense, 1 + 1 / FADE)
    harmonics = tl.floor(below)
    last = tl.minimum((below - harmonics) * FADE, 1.0)
    sine = tl.sin(half)
    zero = tl.abs(sine) < 1e-7
    peak = 2 * harmonics + 1
    total_of = (tl.where(zero, peak, tl.sin(peak * half) / tl.where(zero, 1.0, sine)) - 1) / 2
    pulses = (total_of - (1 - last) * tl.cos(2 * harmonics * half)) * tl.sqrt(2 / (harmonics - 1 + last * last))
    voiced = tl.where(tl.load(f0 + item * count + frame) > 0, 1.0, 0.0)
    pulses *= voiced
    white = tl.load(noise + item * total + at, mask=inside, other=0.0)
    out += item * 3 * total
    tl.store(out + at, pulses, mask=inside)
    tl.store(out + total + at, white, mask=inside)
    tl.store(out + 2 * total + at, pulses + white * (1 - hidden * voiced), mask=inside)
