// node --test tests/web
import assert from "node:assert/strict";
import { test } from "node:test";
import { moved, pathOf, rangeOf, readable, thinned } from "../../web/js/parts/curve.js";
import { nearest, panelsOf } from "../../web/js/parts/compare_view.js";

const box = { x: 0, y: 0, width: 100, height: 50 };

test("a path runs left to right, high values on top", () => {
  assert.equal(pathOf([0, 1, 0.5], [0, 1], box), "M0.0 50.0L50.0 0.0L100.0 25.0");
});

test("a value that is not finite leaves a gap, one outside the range is held at its edge", () => {
  assert.equal(pathOf([0, NaN, 1], [0, 1], box), "M0.0 50.0M100.0 0.0");
  assert.equal(pathOf([5, -5], [0, 1], box), "M0.0 0.0L100.0 50.0");
  assert.equal(pathOf([0.5], [0, 1], box), "M50.0 25.0");
});

test("the range is that of the finite values and never empty", () => {
  assert.deepEqual(rangeOf([[1, 3], [NaN, -2, Infinity]]), [-2, 3]);
  assert.deepEqual(rangeOf([[4, 4]]), [3.5, 4.5]);
  assert.deepEqual(rangeOf([[]]), [0, 1]);
});

test("long clips do not overflow the stack", () => {
  assert.deepEqual(rangeOf([Array.from({ length: 300000 }, (_, i) => i)]), [0, 299999]);
});

test("numbers are readable", () => {
  assert.deepEqual([1234.5, 34.14, 0.9633, 0.0012, 0, NaN].map(readable), ["1235", "34.1", "0.96", "0.0012", "0.00", "–"]);
});

test("the nearest moment to a frame", () => {
  const moments = [{ frame: 0 }, { frame: 8 }, { frame: 16 }];
  assert.deepEqual([0, 3, 5, 99].map((frame) => nearest(moments, frame)), [0, 0, 1, 2]);
});

test("every series of a report has its panel", () => {
  const series = { "PSNR (dB)": [1], SSIM: [2], "flicker before (levels)": [3], "flicker after (levels)": [4], "jitter before (px)": [5], "jitter after (px)": [6] };
  assert.deepEqual(panelsOf(series).flatMap((p) => p.series.flatMap((s) => s.values)), [1, 2, 3, 4, 5, 6]);
});

test("a thinned curve keeps its peaks, its order and its gaps", () => {
  const values = Array.from({ length: 10000 }, (_, i) => (i === 4321 ? 9 : i === 4333 ? -9 : 0));
  const drawn = thinned(values, 400);
  assert.equal(drawn.length, 400);
  assert.ok(drawn.indexOf(9) < drawn.indexOf(-9) && drawn.includes(9));
  assert.deepEqual(thinned([1, 2, 3], 4), [1, 2, 3]);
  assert.ok(thinned(Array(100).fill(NaN), 10).every(Number.isNaN));
});

test("keys move the cursor and stop at the ends", () => {
  assert.deepEqual(["ArrowLeft", "ArrowRight", "PageUp", "Home", "End", "x"].map((key) => moved(key, 5, 100)), [4, 6, 15, 0, 99, null]);
  assert.equal(moved("ArrowLeft", 0, 100), 0);
  assert.equal(moved("PageUp", 95, 100), 99);
});
