"""Waveforms: reading and writing, resampling, loudness, references, mel and pitch."""
