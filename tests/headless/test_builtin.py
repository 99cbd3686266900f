"""ComfyUI's loaders and savers, emulated: same inputs, same frames to the bit, same file names."""
import io
import json
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image
from spandrel.architectures.Compact import Compact

from talkies.core.arrays import to_frames, to_image, to_mask, to_uint8, to_waveform
from talkies.headless.builtin import Folders, builtin_nodes
from talkies.headless.execute import execute
from talkies.headless.object_info import object_info
from talkies.headless.prompt import WorkflowError
from talkies.headless.run import run_workflow
from talkies.host.video_type import Components, VideoFromComponents, VideoFromFile


@pytest.fixture
def folders(tmp_path):
    for name in ("input", "output", "temp"):
        (tmp_path / name).mkdir()
    return Folders(tmp_path / "input", tmp_path / "output", tmp_path / "temp")


@pytest.fixture
def nodes(folders):
    return builtin_nodes(folders)


def pixels(height=24, width=32, channels=3, count=None, seed=0):
    shape = (height, width, channels) if count is None else (count, height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def tone(seconds=0.5, rate=48000, channels=2):
    time = np.arange(int(seconds * rate)) / rate
    wave = np.stack([0.3 * np.sin(2 * np.pi * 440 * (c + 1) * time) for c in range(channels)])
    return {"waveform": to_image(wave.astype(np.float32))[None], "sample_rate": rate}


@pytest.fixture
def clip(tmp_path):
    """A lossless video with its frames as 8-bit RGB, and sound."""
    frames = pixels(count=7)
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as output:
        output.metadata["title"] = "a clip"
        picture = output.add_stream("libx264rgb", rate=Fraction(30000, 1001), options={"qp": "0"})
        picture.height, picture.width, picture.pix_fmt = 24, 32, "rgb24"
        sound = output.add_stream("pcm_s16le", rate=8000, layout="stereo")
        for frame in frames:
            output.mux(picture.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(picture.encode(None))
        samples = np.stack([np.arange(800), -np.arange(800)]).astype(np.int16)
        packed = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1), format="s16", layout="stereo")
        packed.sample_rate = 8000
        output.mux(sound.encode(packed))
        output.mux(sound.encode(None))
    return path, frames, samples


class TestLoadImage:
    def load(self, folders, picture, name="a.png", **options):
        picture.save(folders.input / name, **options)
        image, mask = builtin_nodes(folders)["LoadImage"]().run(name)
        return to_frames(image), to_mask(mask)

    def test_rgb_is_exactly_a_255th_and_the_mask_is_empty(self, folders):
        raw = pixels()
        image, mask = self.load(folders, Image.fromarray(raw))
        assert np.array_equal(image, raw[None].astype(np.float32) / 255.0)
        assert mask.shape == (1, 64, 64) and not mask.any()

    def test_alpha_becomes_the_mask_turned_round(self, folders):
        raw = pixels(channels=4)
        image, mask = self.load(folders, Image.fromarray(raw))
        assert np.array_equal(image, raw[None, ..., :3].astype(np.float32) / 255.0)
        assert np.array_equal(mask, 1 - raw[None, ..., 3].astype(np.float32) / 255.0)

    def test_the_transparent_colour_of_a_palette_is_masked(self, folders):
        picture = Image.fromarray(np.tile(np.arange(4, dtype=np.uint8), (4, 1)), "P")
        picture.putpalette(bytes(range(12)))
        _, mask = self.load(folders, picture, transparency=2)
        assert np.array_equal(mask[0], np.tile(np.float32([0, 0, 1, 0]), (4, 1)))

    def test_exif_turns_the_picture(self, folders):
        picture = Image.fromarray(pixels(8, 16))
        exif = picture.getexif()
        exif[0x0112] = 6
        image, _ = self.load(folders, picture, exif=exif)
        assert image.shape == (1, 16, 8, 3)
        assert np.array_equal(image[0], np.rot90(np.asarray(picture), -1).astype(np.float32) / 255.0)

    def test_an_animation_is_a_batch(self, folders):
        raw = pixels(count=5)
        first, *rest = [Image.fromarray(frame) for frame in raw]
        image, mask = self.load(folders, first, "a.webp", save_all=True, append_images=rest, lossless=True)
        assert np.array_equal(image, raw.astype(np.float32) / 255.0)
        assert mask.shape == (5, 64, 64)

    def test_sixteen_bit_values_in_wide_pixels(self, folders):
        picture = Image.fromarray(np.array([[0, 25500, 65025]], np.int32), "I")
        image, _ = self.load(folders, picture, "a.tif")
        assert np.allclose(image[0, 0, :, 0] * 255, [0, 100, 255])

    def test_a_file_that_is_cut_short_is_read_as_far_as_it_goes(self, folders):
        raw = pixels(64, 64)
        Image.fromarray(raw).save(folders.input / "a.png")
        whole = (folders.input / "a.png").read_bytes()
        (folders.input / "a.png").write_bytes(whole[: len(whole) // 2])
        image = to_frames(builtin_nodes(folders)["LoadImage"]().run("a.png")[0])
        assert np.array_equal(image[0, :10], raw[:10].astype(np.float32) / 255.0)


class TestFolders:
    def test_lists_by_medium(self, folders, nodes):
        for name in ("b.png", "a.webp", "c.mp4", "d.wav", "e.txt"):
            (folders.input / name).touch()
        assert nodes["LoadImage"].INPUT_TYPES()["required"]["image"][0] == ["a.webp", "b.png"]
        assert nodes["LoadVideo"].INPUT_TYPES()["required"]["file"][1]["options"] == ["c.mp4"]
        assert nodes["LoadAudio"].INPUT_TYPES()["required"]["audio"][0] == ["c.mp4", "d.wav"]

    def test_names_say_their_folder(self, folders):
        assert folders.resolve("a b.png") == (folders.input / "a b.png").resolve()
        assert folders.resolve("sub/a.png [output]") == (folders.output / "sub/a.png").resolve()
        assert folders.resolve("a.png [temp]") == (folders.temp / "a.png").resolve()

    def test_names_that_lead_out_are_refused_unless_allowed(self, folders, tmp_path):
        (tmp_path / "x.png").touch()
        for name in ("../x.png", str(tmp_path / "x.png"), "../../x.png [output]"):
            with pytest.raises(ValueError, match="leads out"):
                folders.resolve(name)
        allowed = Folders(folders.input, folders.output, folders.temp, allow_paths=True)
        assert allowed.resolve(str(tmp_path / "x.png")) == tmp_path / "x.png"
        assert allowed.missing(str(tmp_path / "x.png")) is None

    def test_a_file_that_is_not_there_is_a_problem_before_the_run(self, nodes):
        prompt = {"1": {"class_type": "LoadImage", "inputs": {"image": "gone.png"}},
                  "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}
        with pytest.raises(WorkflowError, match=r'Node 1 \(LoadImage\): there is no file "gone.png"'):
            execute(prompt, nodes)

    def test_counters_go_on_behind_the_highest(self, folders):
        for name in ("shot_00003_.png", "shot_00012_.mp4", "shots_00099_.png", "shot_x_.png"):
            (folders.output / name).touch()
        folder, name, counter, subfolder = folders.place("shot", "output")
        assert (folder, name, counter, subfolder) == (folders.output.resolve(), "shot", 13, "")

    def test_prefixes_hold_folders_and_sizes(self, folders):
        folder, name, counter, subfolder = folders.place("a/b_%width%x%height%", "temp", 640, 480)
        assert (folder, name, counter, subfolder) == ((folders.temp / "a").resolve(), "b_640x480", 1, "a")
        assert folder.is_dir()

    def test_a_prefix_that_leads_out_is_refused(self, folders):
        with pytest.raises(ValueError, match="leads out"):
            folders.place("../../evil", "output")


class TestSaveImage:
    def test_truncates_as_comfyui_does_and_carries_the_workflow(self, folders, nodes):
        values = np.float32([0, 0.999 / 255, 1 / 255, 0.5, 1.0, 1.5, -1]).reshape(1, 1, 7, 1).repeat(3, -1)
        prompt = {"1": {"class_type": "SaveImage"}}
        shown = nodes["SaveImage"]().run(to_image(values), "shot", prompt=prompt, extra_pnginfo={"workflow": {"nodes": []}})
        assert shown == {"ui": {"images": [{"filename": "shot_00001_.png", "subfolder": "", "type": "output"}]}}
        with Image.open(folders.output / "shot_00001_.png") as picture:
            assert np.asarray(picture)[0, :, 0].tolist() == [0, 0, 1, 127, 255, 255, 0]
            assert json.loads(picture.info["prompt"]) == prompt and json.loads(picture.info["workflow"]) == {"nodes": []}

    def test_a_batch_counts_on(self, folders, nodes):
        for _ in range(2):
            nodes["SaveImage"]().run(torch.zeros(2, 4, 4, 3), "n%batch_num%/f%batch_num%")
        assert sorted(path.name for path in folders.output.rglob("*.png")) == [
            "f0_00001_.png", "f1_00002_.png"], "names that differ by batch number do not count on, as in ComfyUI"
        nodes["SaveImage"]().run(torch.zeros(2, 4, 4, 3), "f")
        nodes["SaveImage"]().run(torch.zeros(1, 4, 4, 3), "f")
        assert sorted(path.name for path in folders.output.glob("f_*")) == ["f_00001_.png", "f_00002_.png", "f_00003_.png"]

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_channels(self, folders, nodes, channels):
        nodes["SaveImage"]().run(torch.full((1, 4, 4, channels), 0.2), "c")
        assert Image.open(folders.output / "c_00001_.png").mode == {1: "L", 3: "RGB", 4: "RGBA"}[channels]

    def test_a_preview_goes_to_temp_under_a_name_of_its_own(self, folders, nodes):
        (shown,) = nodes["PreviewImage"]().run(torch.zeros(1, 4, 4, 3))["ui"]["images"]
        assert shown["type"] == "temp" and shown["filename"].startswith("ComfyUI_temp_")
        assert folders.path_of(shown).is_file()


class TestVideoFromFile:
    def test_components_are_exact(self, clip):
        path, frames, samples = clip
        components = VideoFromFile(str(path)).get_components()
        assert np.array_equal(to_frames(components.images), frames.astype(np.float32) / 255.0)
        assert components.frame_rate == Fraction(30000, 1001)
        assert np.array_equal(to_waveform(components.audio["waveform"]), samples.astype(np.float32) / 32768)
        assert components.audio["sample_rate"] == 8000

    def test_a_file_in_memory_is_the_same(self, clip):
        path, frames, _ = clip
        video = VideoFromFile(io.BytesIO(path.read_bytes()))
        for _ in range(2):
            assert len(video.get_components().images) == len(frames)
        assert video.get_stream_source().tell() == 0

    def test_facts(self, clip):
        video = VideoFromFile(str(clip[0]))
        assert video.get_dimensions() == (32, 24)
        assert video.get_duration() == pytest.approx(7 / (30000 / 1001), abs=0.02)
        assert "matroska" in video.get_container_format()
        assert video.get_stream_source() == str(clip[0])

    def test_saving_copies_the_packets_and_adds_tags(self, clip, tmp_path):
        path, _, _ = clip
        target = tmp_path / "copy.mkv"
        VideoFromFile(str(path)).save_to(str(target), metadata={"prompt": {"1": 2}, "note": "text"})

        def packets(file):
            with av.open(str(file)) as container:
                return [(p.stream.index, bytes(p)) for p in container.demux() if p.dts is not None]

        assert packets(target) == packets(path)
        with av.open(str(target)) as container:
            tags = {key.lower(): value for key, value in container.metadata.items()}
        assert (tags["prompt"], tags["note"], tags["title"]) == ('{"1": 2}', "text", "a clip")

    def test_asking_for_another_format_encodes(self, clip, tmp_path):
        VideoFromFile(str(clip[0])).save_to(str(tmp_path / "made.mp4"), format="mp4", codec="h264")
        with av.open(str(tmp_path / "made.mp4")) as container:
            assert [s.codec.name for s in container.streams] == ["h264", "aac"]
            assert container.streams.video[0].pix_fmt == "yuv420p"

    def test_a_file_without_pictures_is_told(self, tmp_path, nodes, folders):
        (shown,) = nodes["SaveAudio"]().run(tone(), "s")["ui"]["audio"]
        with pytest.raises(ValueError, match="no video stream"):
            VideoFromFile(str(folders.path_of(shown))).get_components()


class TestVideoFromComponents:
    def video(self, count=10, audio=None):
        return VideoFromComponents(Components(to_image(pixels(count=count).astype(np.float32) / 255), Fraction(25), audio))

    def test_encodes_as_comfyui_does(self, tmp_path):
        """The frames that come back are those of the same encoder fed the same pixels, converted the same way."""
        video = self.video()
        video.save_to(str(tmp_path / "made.mp4"))
        with av.open(str(tmp_path / "reference.mp4"), "w") as output:
            stream = output.add_stream("h264", rate=Fraction(25))
            stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
            for frame in to_uint8(to_frames(video.components.images), rounding="truncate"):
                output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")))
            output.mux(stream.encode(None))
        made, reference = (VideoFromFile(str(tmp_path / f"{name}.mp4")).get_components().images for name in ("made", "reference"))
        assert torch.equal(made, reference)

    def test_sound_is_cut_to_the_frames(self, tmp_path):
        self.video(10, tone(2.0)).save_to(str(tmp_path / "made.mp4"))
        audio = VideoFromFile(str(tmp_path / "made.mp4")).get_components().audio
        assert audio["sample_rate"] == 48000 and audio["waveform"].shape[:2] == (1, 2)
        assert 0.4 <= audio["waveform"].shape[2] / 48000 < 0.4 + 2 * 1024 / 48000

    def test_tags_are_json_and_survive_in_mp4(self, tmp_path):
        self.video().save_to(str(tmp_path / "made.mp4"), metadata={"prompt": {"1": 2}})
        assert VideoFromFile(str(tmp_path / "made.mp4")).get_components().metadata["prompt"] == '{"1": 2}'

    def test_in_memory(self):
        assert len(VideoFromFile(self.video().get_stream_source()).get_components().images) == 10

    @pytest.mark.parametrize(("options", "reason"), [({"format": "webm"}, "mp4 with h264"), ({"codec": "vp9"}, "mp4 with h264")])
    def test_what_is_not_offered_is_told(self, tmp_path, options, reason):
        with pytest.raises(ValueError, match=reason):
            self.video().save_to(str(tmp_path / "x.mp4"), **options)

    def test_odd_sizes_are_told(self, tmp_path):
        video = VideoFromComponents(Components(torch.zeros(2, 5, 4, 3), Fraction(25)))
        with pytest.raises(ValueError, match="4x5 px"):
            video.save_to(str(tmp_path / "x.mp4"))

    def test_facts(self):
        video = self.video(10)
        assert (video.get_dimensions(), video.get_duration()) == ((32, 24), 0.4)


class TestVideoNodes:
    def test_a_clip_goes_round(self, folders, nodes, clip):
        (folders.input / "clip.mkv").write_bytes(clip[0].read_bytes())
        prompt = {
            "1": {"class_type": "LoadVideo", "inputs": {"file": "clip.mkv"}},
            "2": {"class_type": "GetVideoComponents", "inputs": {"video": ["1", 0]}},
            "3": {"class_type": "CreateVideo", "inputs": {"images": ["2", 0], "fps": ["2", 2], "audio": ["2", 1]}},
            "4": {"class_type": "SaveVideo", "inputs": {"video": ["3", 0], "filename_prefix": "v/clip", "format": "auto", "codec": "auto"}},
        }
        shown = execute(prompt, nodes, extra_pnginfo={"workflow": {"nodes": [1]}})
        assert shown == {"4": {"images": [{"filename": "clip_00001_.mp4", "subfolder": "v", "type": "output"}], "animated": [True]}}
        saved = VideoFromFile(str(folders.output / "v" / "clip_00001_.mp4")).get_components()
        assert saved.images.shape == (7, 24, 32, 3)
        assert json.loads(saved.metadata["prompt"]) == {k: {**v, "inputs": v["inputs"]} for k, v in prompt.items()}
        assert json.loads(saved.metadata["workflow"]) == {"nodes": [1]}

    def test_a_save_that_fails_leaves_nothing(self, folders, nodes):
        class Broken:
            def get_dimensions(self):
                return 4, 4

            def save_to(self, path, **options):
                with open(path, "wb") as file:
                    file.write(b"half")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            nodes["SaveVideo"]().run(Broken(), "v", "auto", "auto")
        assert list(folders.output.rglob("*.mp4")) == []

    def test_inputs_are_declared_as_a_server_declares_them(self, folders, nodes):
        (folders.input / "clip.mp4").touch()
        info = object_info(builtin_nodes(folders))
        assert info["LoadVideo"]["input"]["required"]["file"] == ["COMBO", {"options": ["clip.mp4"], "video_upload": True}]
        fps = ["FLOAT", {"default": 30.0, "min": 1.0, "max": 120.0, "step": 1.0}]
        assert info["CreateVideo"]["input"]["required"]["fps"] == fps
        assert info["CreateVideo"]["input_order"] == {"required": ["images", "fps"], "optional": ["audio"]}
        assert info["GetVideoComponents"]["output"] == ["IMAGE", "AUDIO", "FLOAT"]
        assert info["GetVideoComponents"]["output_name"] == ["images", "audio", "fps"]
        assert info["SaveVideo"]["input_order"]["required"] == ["video", "filename_prefix", "format", "codec"]
        assert [name for name, entry in info.items() if entry["output_node"]] == [
            "SaveVideo", "SaveImage", "PreviewImage", "SaveAudio", "PreviewAudio", "PreviewAny"]
        assert info["LoadImage"]["display_name"] == "Load Image"


class TestAudioNodes:
    def test_flac_goes_round(self, folders, nodes):
        sound = tone()
        shown = nodes["SaveAudio"]().run(sound, "audio/s", prompt={"1": {}})["ui"]["audio"]
        assert shown == [{"filename": "s_00001_.flac", "subfolder": "audio", "type": "output"}]
        (loaded,) = nodes["LoadAudio"]().run("audio/s_00001_.flac [output]")
        assert loaded["sample_rate"] == 48000 and loaded["waveform"].shape == sound["waveform"].shape
        assert torch.allclose(loaded["waveform"], sound["waveform"], atol=2 / 32768)

    def test_packed_integers_are_unpacked_and_scaled(self, folders, nodes, clip):
        (folders.input / "clip.mkv").write_bytes(clip[0].read_bytes())
        (loaded,) = nodes["LoadAudio"]().run("clip.mkv")
        assert np.array_equal(to_waveform(loaded["waveform"]), clip[2].astype(np.float32) / 32768)

    def test_a_batch_is_saved_one_by_one_and_a_preview_goes_to_temp(self, folders, nodes):
        both = {"waveform": tone()["waveform"].repeat(2, 1, 1), "sample_rate": 48000}
        assert len(nodes["SaveAudio"]().run(both, "s")["ui"]["audio"]) == 2
        (shown,) = nodes["PreviewAudio"]().run(tone(channels=1))["ui"]["audio"]
        assert shown["type"] == "temp" and folders.path_of(shown).is_file()

    def test_a_silent_file_is_told(self, folders, nodes):
        VideoFromComponents(Components(torch.zeros(2, 4, 4, 3), Fraction(25))).save_to(str(folders.input / "v.mp4"))
        with pytest.raises(ValueError, match="no sound"):
            nodes["LoadAudio"]().run("v.mp4")


class TestRunWorkflow:
    def test_a_file_of_the_pages_format_from_end_to_end(self, folders, tmp_path):
        raw = pixels()
        Image.fromarray(raw).save(folders.input / "b.png")
        ui = {"nodes": [
            {"id": 1, "type": "LoadImage", "mode": 0, "inputs": [], "widgets_values": ["a.png", "image"]},
            {"id": 2, "type": "SaveImage", "mode": 0, "widgets_values": ["shot"],
             "inputs": [{"name": "images", "type": "IMAGE", "link": 5}]},
            {"id": 3, "type": "PreviewImage", "mode": 0, "inputs": [{"name": "images", "type": "IMAGE", "link": 6}]},
        ], "links": [[5, 1, 0, 2, 0, "IMAGE"], [6, 1, 0, 3, 0, "IMAGE"]]}
        (tmp_path / "w.json").write_text(json.dumps(ui))
        with pytest.raises(WorkflowError, match=r"a\.png"):
            run_workflow(tmp_path / "w.json", folders)
        (made,) = run_workflow(tmp_path / "w.json", folders, overrides=["Load Image.image=b.png"])
        with Image.open(made) as picture:
            assert made.name == "shot_00001_.png" and np.array_equal(np.asarray(picture), raw)
            assert json.loads(picture.info["workflow"]) == ui
            assert json.loads(picture.info["prompt"])["1"]["inputs"] == {"image": "b.png"}
        (again,) = run_workflow(made, folders, overrides=["1.image=b.png", "2.filename_prefix=again"])
        assert again.name == "again_00001_.png"


class TestUpscaleModel:
    """Super Resolve takes the model off the wire, and gives what it gives by name."""

    @pytest.fixture
    def model(self, tmp_path, monkeypatch):
        (tmp_path / "models" / "upscale_models").mkdir(parents=True)
        torch.save({"params": Compact(num_feat=8, num_conv=1, upscale=2).state_dict()}, tmp_path / "models" / "upscale_models" / "m.pth")
        monkeypatch.setenv("TALKIES_MODELS", str(tmp_path / "models"))
        return "m.pth"

    def workflow(self, folders, **super_resolve):
        Image.fromarray(pixels()).save(folders.input / "a.png")
        return {
            "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
            "2": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": "m.pth"}},
            "3": {"class_type": "TalkiesSuperResolve", "inputs": {
                "model": "RealESRGAN_x2plus.pth", "output": "model", "denoise": 1.0, "tile": 0, "precision": "auto", "engine": "torch",
                "reuse": False, "feather": 6, "part": "mouth", "images": ["1", 0], **super_resolve}},
            "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "out"}},
        }

    def made(self, folders, workflow):
        path = folders.output / "workflow.json"
        path.write_text(json.dumps(workflow))
        (saved,) = run_workflow(path, folders)
        return np.asarray(Image.open(saved))

    def test_by_wire_and_by_name_are_the_same(self, folders, model):
        by_wire = self.made(folders, self.workflow(folders, upscale_model=["2", 0]))
        by_name = self.made(folders, {k: v for k, v in self.workflow(folders, model=model).items() if k != "2"})
        assert by_wire.shape == (48, 64, 3) and np.array_equal(by_wire, by_name)

    def test_a_model_that_is_not_there_is_told_before_the_run(self, folders, nodes, model):
        assert nodes["UpscaleModelLoader"].VALIDATE_INPUTS(model) is True
        message = nodes["UpscaleModelLoader"].VALIDATE_INPUTS("RealESRGAN_x2plus.pth")
        assert "RealESRGAN_x2plus.pth is not in" in message and "https://github.com/" in message and "about 67 MB" in message
