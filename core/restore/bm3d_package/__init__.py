"""The published `bm3d` package as another engine, to compare with: in a process of its own, its known faults guarded against.

Its licence (Tampere University) allows non-commercial use only. Nothing of it is part of this pack.
"""
