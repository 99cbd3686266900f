// The path of a face before and after smoothing: used by Ultra Smooth's panel.
import { chart } from "./chart.js";

const BEFORE = "#9a9a9a", AFTER = "#f0603f", FILLED = "#e8c34a", UNFOLLOWED = "#8f8fe0", CUT = "#56b4e9";

/**
 * @typedef {object} Path  one number a frame, places in px of the frame, time in seconds; shake one less, in px of the crop, or none
 * @property {number[]} time
 * @property {number[]} before_x
 * @property {number[]} before_y
 * @property {number[]} after_x
 * @property {number[]} after_y
 * @property {number[]} shake_before
 * @property {number[]} shake_after
 * @property {boolean[]} filled
 * @property {boolean[]} fallback
 * @property {number[]} cuts
 */

/** Runs of frames for which something holds, as [first, last]. @param {boolean[]} flags @returns {[number, number][]} */
export function runsOf(flags) {
  /** @type {[number, number][]} */
  const runs = [];
  flags.forEach((flag, i) => {
    if (!flag) return;
    if (i && flags[i - 1]) runs[runs.length - 1][1] = i;
    else runs.push([i, i]);
  });
  return runs;
}

/** What there is to say of a frame. @param {Path} path @param {number} index */
export function wordsOf(path, index) {
  const words = [`frame ${index}`, `${path.time[index]?.toFixed(2)} s`];
  if (path.filled[index]) words.push("face not found, filled in");
  if (index && path.fallback[index - 1]) words.push("pixels could not be followed");
  if (path.cuts.includes(index)) words.push("cut");
  return words.join(" · ");
}

/** @param {Document} page @param {Path} path @returns {HTMLElement} */
export function pathView(page, path) {
  const sides = (/** @type {number[]} */ before, /** @type {number[]} */ after) =>
    [{ name: "before", values: before, colour: BEFORE }, { name: "after", values: after, colour: AFTER }];
  /** @type {import("./chart.js").Panel[]} */
  const panels = [
    { title: "across (px)", series: sides(path.before_x, path.after_x) },
    { title: "down (px)", series: sides(path.before_y, path.after_y) },
  ];
  // Shake is from each frame to the next: it stands at the later of the two.
  if (path.shake_before.length) panels.push({ title: "shake (crop px)", low: 0, series: sides([NaN, ...path.shake_before], [NaN, ...path.shake_after]) });
  const bands = [
    ...runsOf(path.filled).map(([from, to]) => ({ from, to, colour: FILLED, title: `frames ${from} to ${to}: face not found, filled in` })),
    ...runsOf([false, ...path.fallback]).map(([from, to]) => ({ from, to, colour: UNFOLLOWED, title: `frames ${from} to ${to}: pixels could not be followed` })),
  ];
  const marks = path.cuts.map((index) => ({ index, colour: CUT, title: `cut before frame ${index}` }));
  return chart(page, panels, { bands, marks, label: "Path of the face before and after, and its shake", tell: (index) => wordsOf(path, index) }).root;
}
