// Any report: its figures, and its series as curves, those of one unit together.
import { chart } from "./chart.js";
import { readable } from "./curve.js";
import { element } from "./element.js";

/** @typedef {{title: string, figures: Record<string, number | string>, series: Record<string, number[]>}} Report */

/** The unit in a name, e.g. "px" of "shake before (px)"; without one the name less before or after. @param {string} name */
export const unitOf = (name) => /\(([^()]*)\)\s*$/.exec(name)?.[1] ?? name.replace(/\s+(before|after)$/, "");

/**
 * A panel a unit; a series of another length than the others of its unit has its own.
 * @param {Record<string, number[]>} series
 * @returns {import("./chart.js").Panel[]}
 */
export function panelsOfReport(series) {
  /** @type {Map<string, [string, number[]][]>} */
  const groups = new Map();
  for (const [name, values] of Object.entries(series)) {
    if (!values.length) continue;
    const key = `${unitOf(name)} ${values.length}`;
    groups.set(key, [...(groups.get(key) ?? []), [name, values]]);
  }
  return [...groups.values()].map((group) => (group.length === 1
    ? { title: group[0][0], series: [{ name: "", values: group[0][1] }] }
    : { title: unitOf(group[0][0]), series: group.map(([name, values]) => ({ name: name.replace(/\s*\([^()]*\)\s*$/, "").replace(`${unitOf(name)} `, ""), values })) }));
}

/**
 * @param {Document} page
 * @param {Report} report
 * @param {string[]} [first] names of figures to show large, before the others
 * @returns {HTMLElement}
 */
export function reportView(page, report, first = []) {
  const root = element(page, "div", "display:flex;flex-direction:column;gap:6px");
  const large = element(page, "div", "display:flex;flex-wrap:wrap;gap:4px 18px");
  const table = element(page, "dl", "display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:1px 14px;margin:0");
  const told = (/** @type {number | string} */ value) => (typeof value === "number" ? (Number.isInteger(value) ? String(value) : readable(value)) : value);
  for (const name of first) {
    const value = report.figures[name];
    if (value === undefined) continue;
    const box = element(page, "div", "display:flex;flex-direction:column");
    box.append(element(page, "span", "font-size:22px;font-variant-numeric:tabular-nums", told(value)), element(page, "span", "color:var(--descrip-text)", name));
    large.append(box);
  }
  for (const [name, value] of Object.entries(report.figures)) {
    if (first.includes(name)) continue;
    const row = element(page, "div", "display:flex;justify-content:space-between;gap:8px;border-bottom:1px solid var(--border-color)");
    row.append(element(page, "dt", "min-width:0;color:var(--descrip-text)", name),
      element(page, "dd", `margin:0;text-align:right;font-variant-numeric:tabular-nums;${typeof value === "number" ? "white-space:nowrap" : "overflow-wrap:anywhere"}`, told(value)));
    table.append(row);
  }
  const panels = panelsOfReport(report.series);
  /** @type {Map<number, import("./chart.js").Panel[]>} */
  const lengths = new Map();
  for (const panel of panels) lengths.set(panel.series[0].values.length, [...(lengths.get(panel.series[0].values.length) ?? []), panel]);
  root.append(...(large.children.length ? [large] : []), ...[...lengths.values()].map((same) => chart(page, same).root), table);
  root.tabIndex = 0;
  root.setAttribute("aria-label", report.title);
  return root;
}
