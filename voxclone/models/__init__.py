"""The neural networks: speaker encoder, acoustic model, vocoder. Of text they know the symbols alone, of files and
training nothing."""
