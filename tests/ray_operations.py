"""The operations that the scenes on a Ray cluster run; the second and the third survey the clip, and what they learnt has to travel."""
from __future__ import annotations

from checkout import load_pack

load_pack()

OPERATIONS = ("--op", "sharpen:mode=adaptive", "--op", "frameadjust:pivot=clip,contrast=1.2", "--op", "colormatch:strength=0.7")
