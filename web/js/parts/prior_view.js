// The curves of a fit: used by Deep Image Prior's panel.
import { chart } from "./chart.js";
import { reportView } from "./report_view.js";
import { element } from "./element.js";

const LOSS = "#9a9a9a", VARIANCE = "#56b4e9", BEST = "#f0603f";

/** The iteration of check `index`, and the check nearest to an iteration. @param {number} iterations of the fit @param {number} checks */
export function clockOf(iterations, checks) {
  return {
    /** @param {number} index */
    iteration: (index) => Math.round(((index + 1) * iterations) / Math.max(checks, 1)),
    /** @param {number} iteration */
    check: (iteration) => Math.min(Math.max(Math.round((iteration * checks) / Math.max(iterations, 1)) - 1, 0), Math.max(checks - 1, 0)),
  };
}

/** Nothing before the first value: the variance starts once its window is full. @param {number[]} values @param {number} count */
export const padded = (values, count) => [...Array(Math.max(count - values.length, 0)).fill(NaN), ...values];

/** @param {Document} page @param {import("./report_view.js").Report} report @returns {HTMLElement} */
export function priorView(page, report) {
  const losses = report.series["training loss"] ?? [], variances = report.series["variance of the outputs"] ?? [];
  const figures = reportView(page, { ...report, series: {} }, ["best iteration", "iterations", "seconds"]);
  if (!losses.length) return figures;
  const root = element(page, "div", "display:flex;flex-direction:column;gap:6px");
  const clock = clockOf(Number(report.figures["iterations"]), losses.length), best = Number(report.figures["best iteration"]);
  root.append(chart(page, [
    { title: "training loss", log: true, series: [{ name: "", values: losses, colour: LOSS }] },
    { title: "variance of the outputs", log: true, series: [{ name: "", values: padded(variances, losses.length), colour: VARIANCE }] },
  ], {
    label: "Loss and variance over the iterations", tell: (index) => `iteration ${clock.iteration(index)}`,
    marks: [{ index: clock.check(best), colour: BEST, title: `the picture is of iteration ${best}` }],
  }).root, figures);
  return root;
}
