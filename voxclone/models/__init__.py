"""The neural networks: speaker encoder, acoustic model, vocoder. They know nothing of files, text or training."""
