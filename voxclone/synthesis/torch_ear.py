"""The watermark detector as a loaded model listens with it: by PyTorch, which is there anyway."""

from __future__ import annotations

import numpy as np
import torch

from voxclone.models.watermark import WatermarkDetector
from voxclone.safety.ear import Ear, Singles


class TorchEar(Ear):
    """As `Ear`, by the module that is trained.

    NumPy's threads wait busily for a while after each product. A model that checks its speech by them shares the cores
    with them when it speaks on: on two cores the same text takes twice as long.

    Args:
        ear: The detector; its tensors are copied.
    """

    def __init__(self, ear: Ear) -> None:
        super().__init__(ear.config, ear.tensors)
        self.detector = WatermarkDetector(ear.config)
        self.detector.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in ear.tensors.items()})
        self.detector.eval()

    @torch.inference_mode()
    def __call__(self, waveform: Singles) -> tuple[Singles, Singles]:
        """See `Ear`."""
        with torch.autocast("cpu", enabled=False):
            evidence, weight = self.detector(torch.from_numpy(np.ascontiguousarray(waveform, np.float32))[None])
        return evidence[0].numpy(), weight[0].numpy()
