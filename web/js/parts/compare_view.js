// Before and after behind one slider, with the figures of every frame: used by the Compare node and by the report page.
import { chart } from "./chart.js";
import { readable } from "./curve.js";
import { element as made, slider as range } from "./element.js";

/**
 * @typedef {{frame: number, before: string, after: string, difference: string}} Moment  picture addresses of one frame
 * @typedef {{title: string, figures: Record<string, number | string>, series: Record<string, number[]>}} Report
 */

/** The moment nearest to a frame. @param {{frame: number}[]} moments @param {number} frame */
export function nearest(moments, frame) {
  let best = 0;
  moments.forEach((moment, i) => { if (Math.abs(moment.frame - frame) < Math.abs(moments[best].frame - frame)) best = i; });
  return best;
}

/** Curves of a report: a panel a unit, before and after together. @param {Record<string, number[]>} series */
export function panelsOf(series) {
  return [
    { title: "PSNR (dB)", series: [{ name: "", values: series["PSNR (dB)"] ?? [] }] },
    { title: "SSIM", series: [{ name: "", values: series["SSIM"] ?? [] }] },
    ...[["flicker", "levels"], ["jitter", "px"]].map(([name, unit]) => ({
      title: `${name} (${unit})`, low: 0,
      series: ["before", "after"].map((side) => ({ name: side, values: series[`${name} ${side} (${unit})`] ?? [] })),
    })),
  ];
}

/**
 * Build the view.
 * @param {Document} page
 * @param {Moment[]} moments at least one
 * @param {Report} report
 * @returns {HTMLElement}
 */
export function compareView(page, moments, report) {
  /** @param {string} name @param {string} style @param {string} [text] */
  const element = (name, style, text) => made(page, name, style, text);
  const root = element("div", "display:flex;flex-direction:column;gap:6px;font:13px sans-serif;color:var(--input-text);width:100%;height:100%;min-height:0");
  root.className = "talkies-compare";
  const stage = element("div", "position:relative;overflow:hidden;flex:1 1 220px;min-height:120px;background:var(--comfy-input-bg);cursor:ew-resize;touch-action:none");
  const fill = "position:absolute;inset:0;width:100%;height:100%;object-fit:contain;user-select:none;pointer-events:none";
  const [before, after, difference] = ["Before", "After", "Difference"].map((name) => {
    const picture = /** @type {HTMLImageElement} */ (element("img", fill));
    picture.alt = name;
    picture.draggable = false;
    return picture;
  });
  const divider = element("div", "position:absolute;top:0;bottom:0;width:2px;margin-left:-1px;background:#fff;box-shadow:0 0 3px #000;pointer-events:none");
  const tag = "position:absolute;top:4px;padding:1px 6px;border-radius:3px;background:#000a;color:#fff;pointer-events:none;";
  stage.append(before, after, difference, divider, element("span", tag + "left:4px", "before"), element("span", tag + "right:4px", "after"));

  const split = range(page, "Where before ends and after begins", 1000, 500), scrub = range(page, "Frame", moments.length - 1, 0);
  const mode = /** @type {HTMLButtonElement} */ (element("button", "font:inherit;color:inherit;background:var(--comfy-input-bg);border:1px solid var(--border-color);border-radius:4px;cursor:pointer;white-space:nowrap", "difference"));
  mode.type = "button";
  mode.ariaPressed = "false";
  const row = element("div", "display:flex;gap:8px;align-items:center");
  const says = element("output", "white-space:nowrap;min-width:15em");
  row.append(scrub, says, mode);

  const curves = chart(page, panelsOf(report.series), { onPick: (frame) => show(nearest(moments, frame)), label: "PSNR, SSIM, flicker and jitter over the frames" });
  /** @param {number} i */
  const show = (i) => {
    const moment = moments[i];
    scrub.value = String(i);
    [before.src, after.src, difference.src] = [moment.before, moment.after, moment.difference];
    curves.select(moment.frame);
    says.textContent = `frame ${moment.frame}: ${readable(report.series["PSNR (dB)"]?.[moment.frame])} dB, SSIM ${readable(report.series["SSIM"]?.[moment.frame])}`;
  };
  const divide = () => {
    const share = Number(split.value) / 10;
    after.style.clipPath = `inset(0 0 0 ${share}%)`;
    divider.style.left = `${share}%`;
  };
  /** @param {PointerEvent} event */
  const drag = (event) => {
    const edge = stage.getBoundingClientRect();
    split.value = String(Math.round(((event.clientX - edge.left) / Math.max(edge.width, 1)) * 1000));
    divide();
  };
  stage.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => { stage.setPointerCapture?.(event.pointerId); drag(event); });
  stage.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => { if (event.buttons) drag(event); });
  split.addEventListener("input", divide);
  scrub.addEventListener("input", () => show(Number(scrub.value)));
  mode.addEventListener("click", () => {
    const on = mode.ariaPressed !== "true";
    mode.ariaPressed = String(on);
    difference.style.display = on ? "" : "none";
  });
  difference.style.display = "none";
  const figures = element("div", "display:flex;flex-wrap:wrap;gap:2px 14px");
  for (const name of ["PSNR (dB)", "SSIM", "flicker before (levels)", "flicker after (levels)", "jitter before (px)", "jitter after (px)"]) {
    const value = report.figures[name];
    if (value !== undefined) figures.append(element("span", "", `${name} ${typeof value === "number" ? readable(value) : value}`));
  }
  root.append(stage, split, row, figures, curves.root);
  divide();
  show(0);
  return root;
}
