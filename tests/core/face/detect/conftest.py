"""Pictures and clips with real faces: scikit-image's astronaut everywhere, and the clips beside the checkout where there are any."""
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data


@pytest.fixture(scope="session")
def astronaut():
    """One face of about 95 px, ``[512,512,3]`` 0..1."""
    frame = skimage.data.astronaut().astype(np.float32) / 255
    frame.setflags(write=False)
    return frame


@pytest.fixture(scope="session")
def weights_folder(shared) -> Path:
    folder = shared / "weights"
    if not (folder / "face_landmark.tflite").is_file():
        pytest.skip("no detector weights beside the checkout")
    return folder


@pytest.fixture(scope="session")
def real_frames(shared):
    """A function: name of a clip, how many frames, how far apart -> an iterator of ``(index, [1,H,W,3])`` runs, one alive at a time."""
    av = pytest.importorskip("av")

    def frames(name, count, step=1):
        path = shared / "media" / f"{name}.mp4"
        if not path.is_file():
            pytest.skip(f"no {name}.mp4 beside the checkout")
        with av.open(str(path)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index >= count * step:
                    return
                if index % step == 0:
                    yield index // step, (frame.to_ndarray(format="rgb24").astype(np.float32) / 255)[None]

    return frames


@pytest.fixture(scope="session")
def one_frame(real_frames):
    """The first frame of talk1, ``[1920,1080,3]``, one face of about 200 px."""
    frame = next(iter(real_frames("talk1", 1)))[1][0]
    frame.setflags(write=False)
    return frame


@pytest.fixture(scope="session")
def two_people(astronaut, one_frame):
    """A function: how much larger the left face (the astronaut) is than the right one -> ``[300,600,3]`` with both."""
    left = astronaut[:300, 60:360]
    right = one_frame[480:980, 350:850]

    def frame(ratio):
        out = np.full((300, 600, 3), 0.4, np.float32)
        for picture, x, size in ((left, 0, 220 * ratio**0.5), (right, 300, 220 / ratio**0.5)):
            side = round(size)
            place = (300 - side) // 2
            out[place : place + side, x + place : x + place + side] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        return out

    return frame
