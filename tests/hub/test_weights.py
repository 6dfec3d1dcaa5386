import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from voxclone import hub
from voxclone.errors import ModelError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "acoustic.safetensors"
    hub.write_tensors(path, nn.Linear(3, 2).state_dict(), {"made": "here"})
    return path


def test_tensors_and_metadata_survive_the_file(tmp_path: Path) -> None:
    square = torch.arange(6.0).reshape(2, 3)
    tensors = {"strided": square.t(), "shared": square, "part": square[1], "count": torch.tensor(3), "none": square[:0]}
    hub.write_tensors(tmp_path / "x.safetensors", tensors, {"name": "Ada Löwe"})
    read, metadata = hub.read_tensors(str(tmp_path / "x.safetensors"))
    assert metadata == {"name": "Ada Löwe"}
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        torch.testing.assert_close(read[name], tensor, rtol=0, atol=0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.safetensors"]


def test_read_tensors_do_not_depend_on_the_file(path: Path) -> None:
    tensors, _ = hub.read_tensors(path)
    before = tensors["weight"].clone()
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(tensors["weight"], before)


def test_a_write_is_one_step_for_who_reads(path: Path) -> None:
    before = path.read_bytes()
    with path.open("rb") as reader:
        hub.write_tensors(path, {"weight": torch.zeros(1)}, {})
        assert reader.read() == before
    assert path.read_bytes() != before


def test_failed_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def crash(file: Path, content: bytes) -> None:
        with file.open("wb") as opened:
            opened.write(content[: len(content) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", crash)
    with pytest.raises(ModelError, match=r"cannot write .*acoustic\.safetensors: disk full"):
        hub.write_tensors(path, {"weight": torch.zeros(1)}, {})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="permissions of other systems")
def test_what_is_written_has_the_usual_permissions(path: Path, tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.write_bytes(b"")
    assert path.stat().st_mode == usual.stat().st_mode


def test_write_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone does not exist; create it first"):
        hub.write_tensors(tmp_path / "gone" / "x.safetensors", {}, {})
    with pytest.raises(ModelError, match="is a folder"):
        hub.write_tensors(tmp_path, {}, {})


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "truncated, or not a safetensors file \\(0 bytes\\)"),
        (b"\x10\x00", "truncated"),
        (pickle.dumps({"weight": [0.0] * 100}), "is a Python pickle; voxclone reads safetensors only"),
        (b"PK\x03\x04" + bytes(100), "is a PyTorch pickle"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"<!doctype html><title>503</title>", "not a safetensors file"),
    ],
)
def test_wrong_formats_are_named(path: Path, content: bytes, found: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"acoustic\.safetensors is .*{found}|acoustic\.safetensors {found}"):
        hub.read_tensors(path)


def test_pickle_is_never_executed(path: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"weight": Trap()}, path)
    with pytest.raises(ModelError, match="PyTorch pickle"):
        hub.load_weights(nn.Linear(3, 2), path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_truncated_file(path: Path, kept: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ModelError, match=r"acoustic\.safetensors is truncated"):
        hub.load_weights(nn.Linear(3, 2), path)


@pytest.mark.parametrize("place", ["gone.safetensors", "."])
def test_missing_file(tmp_path: Path, place: str) -> None:
    with pytest.raises(ModelError, match="is missing, or is not a file"):
        hub.read_tensors(tmp_path / place)


def test_load_keeps_the_modules_dtypes(tmp_path: Path) -> None:
    source, target = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
    source.weight.data = torch.randn(4)
    source.num_batches_tracked.fill_(70_001)  # more than float16 can hold
    stored = {name: t.half() if t.is_floating_point() else t for name, t in source.state_dict().items()}
    hub.write_tensors(tmp_path / "x.safetensors", stored, {})
    parameter = target.weight
    hub.load_weights(target, tmp_path / "x.safetensors")
    assert target.weight is parameter
    assert target.weight.dtype == torch.float32
    assert torch.equal(target.weight, source.weight.half().float())
    assert target.num_batches_tracked.item() == 70_001


def refused(module: nn.Module, path: Path) -> str:
    """The error of a load that must fail, after which the module must be as before."""
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(ModelError) as caught:
        hub.load_weights(module, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    return str(caught.value)


def test_renamed_tensor(path: Path) -> None:
    hub.write_tensors(path, {"weight": torch.ones(2, 3), "bais": torch.ones(2)}, {})
    assert refused(nn.Linear(3, 2), path) == f"{path} does not fit Linear: missing bias; unexpected bais"


def test_wrong_shape(path: Path) -> None:
    hub.write_tensors(path, {"weight": torch.ones(2, 1), "bias": torch.ones(2)}, {})
    assert "weight has shape (2, 1), needed is (2, 3)" in refused(nn.Linear(3, 2), path)


def test_float_where_integers_belong(path: Path) -> None:
    state = nn.BatchNorm1d(2).state_dict()
    hub.write_tensors(path, state | {"num_batches_tracked": torch.tensor(1.5)}, {})
    assert "num_batches_tracked is torch.float32, needed is torch.int64" in refused(nn.BatchNorm1d(2), path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_not_finite(path: Path, value: float) -> None:
    hub.write_tensors(path, {"weight": torch.ones(2, 3), "bias": torch.tensor([1.0, value])}, {})
    assert (
        refused(nn.Linear(3, 2), path)
        == f"{path} holds values that are not finite, in 'bias': export or train it again"
    )


def test_long_lists_are_cut(path: Path) -> None:
    module = nn.Sequential(*(nn.Linear(1, 1) for _ in range(20)))
    assert refused(module, path).endswith("and 34 more; unexpected bias, weight")


def test_loading_and_speaking_take_no_compiler(tiny_folder: Path) -> None:
    code = (
        "import sys, voxclone; model = voxclone.VoxClone.from_pretrained(sys.argv[1], local_files_only=True); "
        "model.generate('Yes.', next(iter(model.voices.values()))); sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tiny_folder)], check=True)
