import torch

from voxclone.layers.masks import length_mask


def test_length_mask() -> None:
    mask = length_mask(torch.tensor([2, 0, 3]), 3)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[True, True, False], [False] * 3, [True] * 3]
    assert length_mask(torch.tensor([5]), 2).tolist() == [[True, True]]
