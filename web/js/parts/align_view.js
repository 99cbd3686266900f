// A face on its frames: points, the box around them and the crop that is cut, on a scrubber. Used by Video Align's panel.
import { chart } from "./chart.js";
import { element, shape, slider } from "./element.js";
import { runsOf } from "./path_view.js";

/**
 * @typedef {{frame: number, picture: string, points: number[][], box: number[], crop: number[][]}} Moment  px of the frame; box: left, top, right, bottom
 * @typedef {{size: [number, number], detector: string, moments: Moment[], confidence: number[], filled: boolean[]}} Alignment  size: width and height, px
 */

const POINT = "#5ee0a0", BOX = "#e8c34a", CROP = "#56b4e9", FILLED = "#e8c34a";

/** The moment at or just before a frame. @param {{frame: number}[]} moments @param {number} frame */
export function atOrBefore(moments, frame) {
  let found = 0;
  moments.forEach((moment, i) => { if (moment.frame <= frame) found = i; });
  return found;
}

/** @param {Document} page @param {Alignment} found @returns {HTMLElement} */
export function alignView(page, found) {
  const [width, height] = found.size;
  const root = element(page, "div", "display:flex;flex-direction:column;gap:6px;width:100%;height:100%;min-height:0");
  root.className = "talkies-align";
  const stage = element(page, "div", "position:relative;flex:1 1 160px;min-height:120px;background:var(--comfy-input-bg)");
  const fill = "position:absolute;inset:0;width:100%;height:100%;";
  const picture = element(page, "img", `${fill}object-fit:contain;user-select:none`);
  picture.draggable = false;
  const drawing = shape(page, "svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" });
  drawing.style.cssText = fill;
  stage.append(picture, drawing);
  const scrub = slider(page, "Frame", found.moments.length - 1, 0);
  const curves = chart(page, [{ title: "confidence", low: 0, high: 1, series: [{ name: "", values: found.confidence, colour: POINT }] }], {
    label: "Confidence of the detector over the frames",
    bands: runsOf(found.filled).map(([from, to]) => ({ from, to, colour: FILLED, title: `frames ${from} to ${to}: face not found, filled in` })),
    tell: (index) => `frame ${index} · ${found.filled[index] ? "face not found, filled in" : `found by ${found.detector}`}`,
    onPick: (index) => show(atOrBefore(found.moments, index), index),
  });
  /** @param {number} i which moment @param {number} [index] the frame that the cursor stands on */
  const show = (i, index = found.moments[i].frame) => {
    const moment = found.moments[i], [left, top, right, bottom] = moment.box;
    scrub.value = String(i);
    picture.src = moment.picture;
    picture.alt = `Frame ${moment.frame} with the points of the face`;
    const line = { fill: "none", "stroke-width": 2, "vector-effect": "non-scaling-stroke" };
    const dots = { ...line, stroke: POINT, "stroke-width": moment.points.length > 100 ? 2.5 : 6, "stroke-linecap": "round" };
    drawing.replaceChildren(
      shape(page, "rect", { ...line, x: left, y: top, width: right - left, height: bottom - top, stroke: BOX, "stroke-dasharray": found.filled[moment.frame] ? "5 4" : "none" }),
      shape(page, "polygon", { ...line, points: moment.crop.map((corner) => corner.join(",")).join(" "), stroke: CROP }),
      shape(page, "path", { ...dots, d: moment.points.map(([x, y]) => `M${x} ${y}h0`).join("") }),
    );
    curves.select(index);
  };
  scrub.addEventListener("input", () => show(Number(scrub.value)));
  const key = element(page, "div", "display:flex;flex-wrap:wrap;gap:2px 14px");
  for (const [colour, text] of [[POINT, `points (${found.moments[0].points.length})`], [BOX, "box"], [CROP, "crop"]]) {
    const entry = element(page, "span", "", text);
    entry.prepend(element(page, "span", `display:inline-block;width:10px;height:10px;margin-right:5px;background:${colour}`));
    key.append(entry);
  }
  root.append(stage, scrub, key, curves.root);
  show(0);
  return root;
}
