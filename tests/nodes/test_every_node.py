"""What holds for every node: form, texts, help page, locale."""
from __future__ import annotations

import inspect
import re

import pytest
import write_locales
from checkout import ROOT

import talkies

NODES = sorted(talkies.NODE_CLASS_MAPPINGS.items())
each = pytest.mark.parametrize(("name", "node"), NODES, ids=[n for n, _ in NODES])

CORE_IDS = {"ImageSharpen", "ImageBlur", "AudioEncoderEncode", "ImageUpscaleWithModel", "LoadVideo", "SaveVideo"}


@each
def test_id_is_prefixed_and_taken_by_no_core_node(name, node):
    assert name == "Talkies" + node.__name__ and name not in CORE_IDS


@each
def test_every_text_is_there(name, node):
    assert node.DESCRIPTION.endswith(".") and node.SEARCH_ALIASES and node.CATEGORY.startswith("Talkies/")
    assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES) == len(node.OUTPUT_TOOLTIPS)
    assert all(tip.endswith((".", "!")) for tip in node.OUTPUT_TOOLTIPS)


@each
def test_every_input_has_a_tooltip_and_a_default_within_its_range(name, node):
    for group in ("required", "optional"):
        for key, spec in node.INPUT_TYPES().get(group, {}).items():
            options = spec[1]
            assert len(options["tooltip"]) > 15, f"{key} has no tooltip"
            if isinstance(spec[0], list):
                assert options.get("default", spec[0][0]) in spec[0]
            elif spec[0] in ("INT", "FLOAT"):
                assert options["min"] <= options["default"] <= options["max"] and options["step"] > 0, key


@each
def test_texts_mark_the_inputs_they_speak_of(name, node):
    inputs = {key: spec[1]["tooltip"] for group in ("required", "optional") for key, spec in node.INPUT_TYPES().get(group, {}).items()}
    choices = {choice for group in ("required", "optional") for spec in node.INPUT_TYPES().get(group, {}).values()
               if isinstance(spec[0], list) for choice in spec[0]}
    for text in (node.DESCRIPTION, *inputs.values(), *node.OUTPUT_TOOLTIPS):
        assert set(re.findall(r"`([^`]+)`", text)) <= {*inputs, *node.RETURN_NAMES, "ops", "grain"}, f"marks what is no input: {text}"
        bare = set(re.findall(r"(?<![`/\w])[a-z0-9]+(?:_[a-z0-9]+)+", re.sub(r"`[^`]+`|\{.*?\}|\S+/\S+", "", text)))
        assert not (bare & {*inputs}) - choices, f"an input's name stands without backticks: {text}"
        assert not re.search(r"[Ff]or (?:index|nearest|fixed|track|auto)\b|\b[Pp]rocessors?\b", text), text


@each
def test_run_takes_what_is_declared(name, node):
    parameters = inspect.signature(getattr(node, node.FUNCTION)).parameters
    declared = {key for group in node.INPUT_TYPES().values() for key in group}
    named = {p for p in parameters if p != "self" and parameters[p].kind is not inspect.Parameter.VAR_KEYWORD}
    assert named <= declared
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        assert declared <= named


@each
def test_validation_stays_the_servers(name, node):
    assert not hasattr(node, "VALIDATE_INPUTS")


@each
def test_help_page_names_every_input_and_output(name, node):
    page = (ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {talkies.NODE_DISPLAY_NAME_MAPPINGS[name]}\n")
    keys = [key for group in ("required", "optional") for key in node.INPUT_TYPES().get(group, {})]
    for key in [*keys, *node.RETURN_NAMES]:
        assert re.search(rf"\*\*{re.escape(key)}\*\*", page), f"the help page does not tell of {key}"


@each
def test_help_page_has_a_picture(name, node):
    page = (ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8")
    (alt, path), *_ = re.findall(r"!\[(.+)\]\((.+)\)", page)
    assert alt and (ROOT / "web" / "docs" / path).stat().st_size > 3000


def test_no_picture_is_left_over():
    assert {p.stem for p in (ROOT / "web" / "docs" / "pictures").iterdir()} == set(talkies.NODE_CLASS_MAPPINGS)


def test_no_help_page_is_left_over():
    assert {p.stem for p in (ROOT / "web" / "docs").glob("*.md")} == set(talkies.NODE_CLASS_MAPPINGS)


@pytest.mark.parametrize("language", ["en", *write_locales.LANGUAGES])
def test_every_locale_is_up_to_date(language):
    assert write_locales.target(language).read_text(encoding="utf-8") == write_locales.text(talkies, language), (
        "run python tests/write_locales.py")


@pytest.mark.parametrize("language", write_locales.LANGUAGES)
def test_no_translation_is_missing_or_left_over(language):
    words = write_locales.translations(language)
    texts = set(write_locales.english(write_locales.node_definitions(talkies)))
    assert texts - words.keys() == set(), f"python tests/write_locales.py --missing {language}"
    assert words.keys() - texts == set(), "these English texts are gone"
    assert all(words.values())


def test_no_locale_is_left_over():
    assert {path.name for path in (ROOT / "locales").iterdir()} == {"en", *write_locales.LANGUAGES}
