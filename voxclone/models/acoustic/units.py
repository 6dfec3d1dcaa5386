"""What mel, pitch and energy are counted in inside the acoustic model."""

import math

MEL_MIDDLE, MEL_SPREAD = -5.0, 2.5  # the decoder works on (natural-log mel - middle) / spread
MEL_FLOOR = math.log(1e-5)  # of a mel: silence
F0_MIDDLE = 160.0  # Hz, from which a speaker's median is told
PITCH_UNITS = 3.0  # in one octave: pitch is in thirds of an octave from the speaker's median
ENERGY_MIDDLE, ENERGY_SPREAD = 2.0, 2.0  # energy is (log of the mel's total amplitude - middle) / spread
