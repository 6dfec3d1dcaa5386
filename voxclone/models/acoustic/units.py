"""What pitch and energy of a phoneme are counted in inside the acoustic model."""

PITCH_UNITS = 3.0  # in one octave: pitch is in thirds of an octave from the speaker's median
ENERGY_MIDDLE, ENERGY_SPREAD = 2.0, 2.0  # energy is (log of the mel's total amplitude - middle) / spread
