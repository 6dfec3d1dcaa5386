"""The kernels for GPUs, over (B, T, C) with the channels innermost. All but `stage` and `nvrtc` import Triton."""
