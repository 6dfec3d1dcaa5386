"""Models in forms that run without voxclone and PyTorch."""

from voxclone.exporting.onnx import ExportedModel, export_onnx

__all__ = ["ExportedModel", "export_onnx"]
