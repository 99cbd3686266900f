// node --test tests/web: what the panels work out before they draw
import assert from "node:assert/strict";
import { test } from "node:test";
import { atOrBefore } from "../../web/js/parts/align_view.js";
import { middleOf } from "../../web/js/parts/grain_view.js";
import { clockOf, padded } from "../../web/js/parts/prior_view.js";
import { runsOf, wordsOf } from "../../web/js/parts/path_view.js";
import { panelsOfReport, unitOf } from "../../web/js/parts/report_view.js";
import { timeInWords } from "../../web/js/parts/speech_view.js";

test("filled frames become shades from the first to the last of each run", () => {
  assert.deepEqual(runsOf([false, true, true, false, true]), [[1, 2], [4, 4]]);
  assert.deepEqual(runsOf([]), []);
});

test("a frame is told with all that befell it", () => {
  const path = { time: [0, 0.04, 0.08], filled: [false, false, true], fallback: [false, true], cuts: [2], before_x: [], before_y: [], after_x: [], after_y: [], shake_before: [], shake_after: [] };
  assert.equal(wordsOf(path, 0), "frame 0 · 0.00 s");
  assert.equal(wordsOf(path, 2), "frame 2 · 0.08 s · face not found, filled in · pixels could not be followed · cut");
});

test("series of one unit share a panel, and before and after do", () => {
  assert.deepEqual(["shake before (px)", "clip limit", "brightness after"].map(unitOf), ["px", "clip limit", "brightness"]);
  const panels = panelsOfReport({ "flicker before (levels)": [1, 2], "flicker after (levels)": [3, 4], "brightness before": [5, 6], "brightness after": [7, 8], SSIM: [9, 9], none: [] });
  assert.deepEqual(panels.map((panel) => [panel.title, panel.series.map((one) => one.name)]),
    [["levels", ["flicker before", "flicker after"]], ["brightness", ["before", "after"]], ["SSIM", [""]]]);
});

test("series of different lengths never share a panel", () => {
  assert.equal(panelsOfReport({ "a (px)": [1, 2], "b (px)": [1] }).length, 2);
});

test("a frame without a picture shows the last one before it", () => {
  assert.deepEqual([0, 7, 8, 99].map((frame) => atOrBefore([{ frame: 0 }, { frame: 8 }], frame)), [0, 0, 1, 1]);
});

test("a time names its video frame", () => {
  assert.equal(timeInWords(1.24, 25), "1.24 s · frame 31");
  assert.equal(timeInWords(0, 25), "0.00 s · frame 0");
});

test("checks of a fit and its iterations answer to each other", () => {
  const clock = clockOf(500, 50);
  assert.deepEqual([0, 9, 49].map(clock.iteration), [10, 100, 500]);
  assert.deepEqual([10, 100, 500, 9999, 0].map(clock.check), [0, 9, 49, 49, 0]);
  assert.deepEqual(padded([1, 2], 4), [NaN, NaN, 1, 2]);
});

test("classes of luma are told by their middles", () => {
  assert.deepEqual([middleOf(0, 4), middleOf(3, 4)], [0.125, 0.875]);
});
