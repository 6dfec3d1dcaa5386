"""The Triton kernels are interpreted on the CPU: Triton reads this variable when a kernel is defined."""

from __future__ import annotations

import os

os.environ.setdefault("TRITON_INTERPRET", "1")
