// The curves of a fit, also while it runs: used by Deep Image Prior's panel.
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

/**
 * What the chart of a fit shows.
 * @param {import("./report_view.js").Report} report
 * @returns {{panels: import("./chart.js").Panel[], marks: import("./chart.js").Mark[], tell: (index: number) => string}}
 */
export function curvesOf(report) {
  const losses = report.series["training loss"] ?? [], variances = report.series["variance of the outputs"] ?? [];
  const clock = clockOf(Number(report.figures["iterations"]), losses.length), best = Number(report.figures["best iteration"]);
  return {
    panels: [
      { title: "training loss", log: true, series: [{ name: "", values: losses, colour: LOSS }] },
      { title: "variance of the outputs", log: true, series: [{ name: "", values: padded(variances, losses.length), colour: VARIANCE }] },
    ],
    marks: Number.isFinite(best) ? [{ index: clock.check(best), colour: BEST, title: `the picture is of iteration ${best}` }] : [],
    tell: (index) => `iteration ${clock.iteration(index)}`,
  };
}

/**
 * @param {Document} page
 * @param {import("./report_view.js").Report} first the report, or how the fit stands while it runs
 * @returns {{root: HTMLElement, update: (report: import("./report_view.js").Report) => void}} update: as the fit goes on, and at its end
 */
export function priorView(page, first) {
  const root = element(page, "div", "display:flex;flex-direction:column;gap:6px"), below = element(page, "div", "");
  root.append(below);
  /** @type {import("./chart.js").Chart | undefined} */
  let curves;
  let tell = (/** @type {number} */ index) => String(index);
  /** @param {import("./report_view.js").Report} report */
  const update = (report) => {
    below.replaceChildren(reportView(page, { ...report, series: {} }, ["best iteration", "iterations", "seconds"]));
    const found = curvesOf(report), count = found.panels[0].series[0].values.length;
    tell = found.tell;
    if (curves) curves.redraw(found.panels, found.marks);
    else if (count) {
      curves = chart(page, found.panels, { label: "Loss and variance over the iterations", tell: (index) => tell(index), marks: found.marks });
      curves.select(count - 1);
      root.prepend(curves.root);
    }
    if (curves) curves.root.style.display = count ? "" : "none";
  };
  update(first);
  return { root, update };
}
