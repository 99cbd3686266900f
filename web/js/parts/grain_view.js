// The grain of a clip: strength over luma, power over frequency, and a patch of it. Used by Film Grain's panel.
import { chart } from "./chart.js";
import { readable } from "./curve.js";
import { element } from "./element.js";
import { reportView } from "./report_view.js";

/**
 * @typedef {object} Grain
 * @property {{luma: number[], Cb?: number[], Cr?: number[]}} strength steps of 255, from black to white
 * @property {number[]} spectrum dB over white noise, in rings from 0 to 0.5 cycles a pixel
 * @property {string} patch address of a picture of the grain alone
 * @property {import("./report_view.js").Report} report
 */

const COLOURS = { luma: "var(--input-text)", Cb: "#56b4e9", Cr: "#e69f00" };

/** The luma, 0 to 1, in the middle of class `index` of `count`. @param {number} index @param {number} count */
export const middleOf = (index, count) => (index + 0.5) / count;

/** @param {Document} page @param {Grain} grain @returns {HTMLElement} */
export function grainView(page, grain) {
  const root = element(page, "div", "display:flex;flex-direction:column;gap:6px");
  root.className = "talkies-grain";
  const levels = grain.strength.luma.length, rings = grain.spectrum.length;
  const strength = chart(page, [{ title: "strength", low: 0,
    series: Object.entries(grain.strength).map(([name, values]) => ({ name, values, colour: COLOURS[/** @type {keyof typeof COLOURS} */ (name)] })) }],
  { label: "Strength of the grain over luma, in steps of 255", tell: (index) => `at luma ${readable(middleOf(index, levels))}` });
  const spectrum = chart(page, [{ title: "power (dB)", series: [{ name: "", values: grain.spectrum, colour: COLOURS.luma }] }],
    { label: "Power of the grain over frequency, dB over white noise", tell: (index) => `at ${readable(middleOf(index, rings) / 2)} cycles a pixel` });
  // In a narrow node the patch goes below the curves, whose readings of luma, Cb and Cr want the whole width.
  const row = element(page, "div", "display:flex;flex-wrap:wrap;gap:8px;align-items:flex-start");
  const curves = element(page, "div", "flex:1 1 270px;min-width:0");
  curves.append(strength.root, spectrum.root);
  const patch = element(page, "img", "flex:none;width:96px;height:96px;image-rendering:pixelated;border:1px solid var(--border-color)");
  patch.src = grain.patch;
  patch.alt = "A patch of the grain, 128 by 128 px";
  row.append(curves, patch);
  root.append(row, reportView(page, grain.report, ["kind", "sigma (0..255)", "size (px)"]));
  return root;
}
