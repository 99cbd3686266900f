// node --test tests/web: what the panels work out before they draw
import assert from "node:assert/strict";
import { test } from "node:test";
import { atOrBefore } from "../../web/js/parts/align_view.js";
import { middleOf } from "../../web/js/parts/grain_view.js";
import { nodeAt } from "../../web/js/parts/node_at.js";
import { clockOf, curvesOf, padded, priorView } from "../../web/js/parts/prior_view.js";
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

const fitted = (checks, best, iterations = 10 * checks) => ({ title: "Deep Image Prior", figures: { "best iteration": best, iterations },
  series: { "training loss": Array.from({ length: checks }, (_, i) => 1 / (1 + i)), "variance of the outputs": Array(Math.max(checks - 2, 0)).fill(0.5) } });

test("the curves of a fit under way have their readings and no mark before there is a best", () => {
  const early = curvesOf(fitted(3, "not yet")), late = curvesOf(fitted(20, 120));
  assert.deepEqual(early.marks, []);
  assert.deepEqual(late.marks.map((mark) => mark.index), [11]);
  assert.equal(late.tell(19), "iteration 200");
  assert.deepEqual(early.panels.map((panel) => panel.series[0].values.length), [3, 3]);
});

/** Just enough of a page for a view to be built: elements with children, attributes and text. */
class Stand {
  constructor(name) { Object.assign(this, { name, children: [], attributes: {}, style: {}, text: "" }); }
  append(...more) { this.children.push(...more); }
  prepend(...more) { this.children.unshift(...more); }
  replaceChildren(...more) { this.children = more; }
  setAttribute(name, value) { this.attributes[name] = value; }
  addEventListener() {}
  set textContent(text) { this.text = text; }
  get words() { return [this.text, ...this.children.map((child) => child.words ?? String(child))].join(" "); }
  all(name) { return [...(this.name === name ? [this] : []), ...this.children.flatMap((child) => child.all?.(name) ?? [])]; }
}
const stand = { createElement: (name) => new Stand(name), createElementNS: (_, name) => new Stand(name) };

test("a view of a fit grows with it, in one chart, whose cursor stays at the end", () => {
  const view = priorView(stand, fitted(0, "not yet", 7));
  assert.ok(view.root.words.includes("not yet") && !view.root.all("path").length);
  view.update(fitted(5, "not yet"));
  const chart = view.root.children[0], drawn = view.root.all("path").map((path) => path.attributes.d);
  assert.equal(chart.attributes["aria-valuetext"], "iteration 50");
  assert.equal(view.root.all("line").length, 1);
  view.update(fitted(20, 120));
  assert.equal(view.root.children[0], chart);
  assert.deepEqual([chart.attributes["aria-valuetext"], chart.attributes["aria-valuemax"]], ["iteration 200", "19"]);
  assert.equal(view.root.all("line").length, 3); // the mark in both panels, and the cursor
  assert.ok(view.root.words.includes("120") && view.root.all("path").every((path, i) => path.attributes.d !== drawn[i]));
});

test("a node is found in the graph, and in the subgraph that another stands for", () => {
  const graph = (nodes) => ({ getNodeById: (id) => nodes[id] });
  const inner = { comfyClass: "inner" }, outer = { subgraph: graph({ 7: inner }) };
  const whole = graph({ 4: outer, 5: {} });
  assert.equal(nodeAt(whole, "4"), outer);
  assert.equal(nodeAt(whole, "4:7"), inner);
  assert.deepEqual([nodeAt(whole, "9"), nodeAt(whole, "5:7"), nodeAt(undefined, "4")], [null, null, null]);
});

test("classes of luma are told by their middles", () => {
  assert.deepEqual([middleOf(0, 4), middleOf(3, 4)], [0.125, 0.875]);
});
