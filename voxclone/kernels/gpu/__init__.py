"""The Triton kernels, over (B, T, C) with the channels innermost. Importing a file of this folder needs Triton."""
