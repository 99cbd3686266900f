// Line charts as SVG: curves over the frames, one panel a unit, with a cursor for pointer and keys. No dependency, no global state.
import { moved, pathOf, rangeOf, readable, thinned } from "./curve.js";
import { element, shape } from "./element.js";

const PANEL = 62, HEAD = 19, EDGE = 3, GAP = 5, FOOT = 19, FALLBACK = 480;
const COLOURS = ["#56b4e9", "#e69f00", "#2fb58c", "#d58ab4", "#b9a300", "#8f8fe0"];
const INK = "var(--input-text, currentColor)";

/**
 * @typedef {{name: string, values: number[], colour?: string}} Series
 * @typedef {{title: string, series: Series[], low?: number, high?: number, log?: boolean}} Panel  log: a logarithmic scale
 * @typedef {{index: number, colour: string, title: string}} Mark  a line at an index
 * @typedef {{from: number, to: number, colour: string, title: string}} Band  shade from one index to another, both included
 * @typedef {{root: HTMLElement, select: (index: number) => void, redraw: (panels: Panel[], marks?: Mark[]) => void}} Chart  redraw: with
 *   as many panels, of other values; a cursor on the last value stays on the last
 */

/** The height of a chart of so many panels, px. @param {number} panels */
export const heightOf = (panels) => panels * (PANEL + HEAD + GAP) + FOOT;

/** @param {Panel} panel @returns {Panel} the panel in powers of ten, if it asks for that; its readings stay as they are */
function scaled(panel) {
  if (!panel.log) return panel;
  return { ...panel, series: panel.series.map((one) => ({ ...one, values: one.values.map((value) => (value > 0 ? Math.log10(value) : NaN)) })) };
}

/**
 * Draw panels of curves one above the other. The values under the cursor stand in each panel's head, `tell` of it below them all.
 * @param {Document} page
 * @param {Panel[]} panels
 * @param {{onPick?: (index: number) => void, label?: string, marks?: Mark[], bands?: Band[], tell?: (index: number) => string}} [options]
 * @returns {Chart}
 */
export function chart(page, panels, options = {}) {
  const height = heightOf(panels.length), tell = options.tell ?? ((index) => `frame ${index}`);
  const counted = () => Math.max(1, ...panels.flatMap((panel) => panel.series.map((one) => one.values.length)));
  let count = counted();
  const label = options.label ?? panels.map((panel) => panel.title).join(", ");
  const root = element(page, "div", `width:100%;height:${height}px;flex:none;outline-offset:1px`);
  root.className = "talkies-chart";
  root.tabIndex = 0;
  for (const [name, value] of Object.entries({ role: "slider", "aria-label": label, "aria-valuemin": 0 })) {
    root.setAttribute(name, String(value));
  }
  let at = 0, width = FALLBACK;
  /** @type {((index: number) => void)[]} */
  let movers = [];
  const place = (/** @type {number} */ index) => EDGE + (count > 1 ? index / (count - 1) : 0.5) * (width - 2 * EDGE);

  /** @param {Panel} panel @param {number} row @param {SVGElement} svg */
  const drawPanel = (panel, row, svg) => {
    const top = row * (PANEL + HEAD + GAP), box = { x: EDGE, y: top + HEAD, width: width - 2 * EDGE, height: PANEL };
    const shown = scaled(panel), [low, high] = rangeOf(shown.series.map((one) => one.values));
    /** @type {[number, number]} */
    const range = [shown.low ?? low, Math.max(shown.high ?? high, (shown.low ?? low) + 1e-9)];
    const step = count > 1 ? box.width / (count - 1) : box.width;
    for (const band of options.bands ?? []) {
      const left = Math.max(place(band.from) - step / 2, box.x), right = Math.min(place(band.to) + step / 2, box.x + box.width);
      const shade = shape(page, "rect", { x: left, y: box.y, width: Math.max(right - left, 1), height: box.height, fill: band.colour, opacity: 0.35 });
      shade.append(shape(page, "title", {}, band.title));
      svg.append(shade);
    }
    svg.append(shape(page, "rect", { ...box, fill: "none", stroke: "var(--border-color, #8886)", "stroke-width": 1 }));
    for (const mark of options.marks ?? []) {
      const x = place(mark.index);
      const line = shape(page, "line", { x1: x, x2: x, y1: box.y, y2: box.y + box.height, stroke: mark.colour, "stroke-width": 1.5, "stroke-dasharray": "5 3" });
      line.append(shape(page, "title", {}, mark.title));
      svg.append(line);
    }
    shown.series.forEach((one, i) => svg.append(shape(page, "path", { d: pathOf(thinned(one.values, 2 * Math.ceil(width)), range, box), fill: "none",
      stroke: one.colour ?? COLOURS[i % COLOURS.length], "stroke-width": 1.7, "stroke-linejoin": "round" })));
    const head = shape(page, "text", { x: EDGE, y: top + HEAD - 5, fill: INK });
    svg.append(head);
    movers.push((index) => {
      head.replaceChildren(shape(page, "tspan", { "font-weight": "bold" }, `${panel.title} `));
      panel.series.forEach((one, i) => head.append(shape(page, "tspan", { fill: one.colour ?? COLOURS[i % COLOURS.length], dx: 8 },
        `${one.name ? one.name + " " : ""}${readable(one.values[Math.min(index, one.values.length - 1)])}`)));
    });
  };

  const draw = () => {
    movers = [];
    root.setAttribute("aria-valuemax", String(count - 1));
    const svg = shape(page, "svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", height, "aria-hidden": "true" });
    svg.style.cssText = "display:block;font:13px sans-serif;touch-action:none;cursor:crosshair";
    panels.forEach((panel, row) => drawPanel(panel, row, svg));
    const cursor = shape(page, "line", { y1: HEAD, y2: height - FOOT, stroke: INK, "stroke-width": 1, "stroke-dasharray": "2 3" });
    const foot = shape(page, "text", { x: EDGE, y: height - 5, fill: "var(--descrip-text, currentColor)" });
    svg.append(cursor, foot);
    movers.push((index) => {
      cursor.setAttribute("x1", String(place(index)));
      cursor.setAttribute("x2", String(place(index)));
      foot.textContent = tell(index);
    });
    root.replaceChildren(svg);
    select(at);
  };
  /** @param {number} index */
  const select = (index) => {
    at = Math.min(Math.max(index, 0), count - 1);
    root.setAttribute("aria-valuenow", String(at));
    root.setAttribute("aria-valuetext", tell(at));
    for (const mover of movers) mover(at);
  };
  /** @param {PointerEvent} event */
  const pointed = (event) => {
    const edge = root.getBoundingClientRect(), share = ((event.clientX - edge.left) / Math.max(edge.width, 1)) * width;
    return Math.min(count - 1, Math.max(0, Math.round(((share - EDGE) / (width - 2 * EDGE)) * (count - 1))));
  };
  root.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    select(pointed(event));
    if (event.buttons) options.onPick?.(at);
  });
  root.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    event.stopPropagation();
    select(pointed(event));
    options.onPick?.(at);
  });
  root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const to = moved(event.key, at, count);
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    select(to);
    options.onPick?.(at);
  });
  // One unit of the drawing is one px, so that letters keep their size in a narrow node and in a wide one.
  if (typeof ResizeObserver !== "undefined") {
    new ResizeObserver(() => {
      if (!root.clientWidth || root.clientWidth === width) return;
      width = root.clientWidth;
      draw();
    }).observe(root);
  }
  draw();
  return { root, select, redraw: (others, marks) => {
    const follows = at === count - 1;
    panels = others;
    options = { ...options, marks };
    count = counted();
    if (follows) at = count - 1;
    draw();
  } };
}
