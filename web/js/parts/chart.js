// Line charts as SVG: curves over the frames, one panel a unit, with a cursor. No dependency, no global state.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600, PANEL = 74, HEAD = 15, LEFT = 4, GAP = 6;
const COLOURS = ["#56b4e9", "#e69f00", "#2fb58c", "#d58ab4", "#b9a300", "#8f8fe0"];

/**
 * @typedef {{name: string, values: number[], colour?: string}} Series
 * @typedef {{title: string, series: Series[], low?: number, high?: number}} Panel
 * @typedef {{root: HTMLElement, select: (index: number) => void}} Chart
 */

/**
 * The range of all finite values, widened when they are all the same.
 * @param {number[][]} rows
 * @returns {[number, number]}
 */
export function rangeOf(rows) {
  const values = rows.flat().filter(Number.isFinite);
  if (!values.length) return [0, 1];
  const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/**
 * The `d` of an SVG path through the values, left to right; a value that is not finite leaves a gap.
 * @param {number[]} values
 * @param {[number, number]} range
 * @param {{x: number, y: number, width: number, height: number}} box
 */
export function pathOf(values, [low, high], box) {
  let d = "", pen = "M";
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) { pen = "M"; return; }
    const x = box.x + (values.length > 1 ? (i / (values.length - 1)) * box.width : box.width / 2);
    const y = box.y + box.height * (1 - (Math.min(Math.max(value, low), high) - low) / (high - low));
    d += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  });
  return d;
}

/** A number as people read it. @param {number} value */
export function readable(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.1 || size === 0 ? value.toFixed(2) : value.toPrecision(2);
}

/**
 * @param {Document} page
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function shape(page, name, attributes, text) {
  const made = page.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/**
 * Draw panels of curves one above the other. Values under the pointer (or the selected frame) stand in each panel's head.
 * @param {Document} page
 * @param {Panel[]} panels
 * @param {{onPick?: (index: number) => void, label?: string, marks?: {index: number, colour: string, title: string}[]}} [options]
 * @returns {Chart}
 */
export function chart(page, panels, options = {}) {
  const height = panels.length * (PANEL + HEAD + GAP);
  const root = page.createElement("div");
  root.className = "talkies-chart";
  const svg = shape(page, "svg", { viewBox: `0 0 ${WIDTH} ${height}`, width: "100%", role: "img", preserveAspectRatio: "none",
    "aria-label": options.label ?? panels.map((p) => p.title).join(", ") });
  svg.style.cssText = "display:block;max-width:720px;font:11px sans-serif;touch-action:none";
  const count = Math.max(1, ...panels.flatMap((p) => p.series.map((s) => s.values.length)));
  /** @type {((index: number) => void)[]} */
  const heads = [];
  panels.forEach((panel, row) => {
    const top = row * (PANEL + HEAD + GAP), box = { x: LEFT, y: top + HEAD, width: WIDTH - 2 * LEFT, height: PANEL };
    const [low, high] = rangeOf(panel.series.map((s) => s.values));
    /** @type {[number, number]} */
    const range = [panel.low ?? low, panel.high ?? high];
    svg.append(shape(page, "rect", { ...box, fill: "none", stroke: "var(--border-color, #8886)", "stroke-width": 1 }));
    for (const mark of options.marks ?? []) {
      const x = box.x + (count > 1 ? mark.index / (count - 1) : 0.5) * box.width;
      const line = shape(page, "line", { x1: x, x2: x, y1: box.y, y2: box.y + box.height, stroke: mark.colour, "stroke-width": 1.5, opacity: 0.6 });
      line.append(shape(page, "title", {}, mark.title));
      svg.append(line);
    }
    panel.series.forEach((one, i) => {
      const colour = one.colour ?? COLOURS[i % COLOURS.length];
      svg.append(shape(page, "path", { d: pathOf(one.values, range, box), fill: "none", stroke: colour, "stroke-width": 1.6, "vector-effect": "non-scaling-stroke" }));
    });
    const head = shape(page, "text", { x: LEFT, y: top + HEAD - 4, fill: "var(--input-text, currentColor)" });
    svg.append(head);
    heads.push((index) => {
      head.replaceChildren(shape(page, "tspan", { "font-weight": "bold" }, `${panel.title} `));
      panel.series.forEach((one, i) => head.append(shape(page, "tspan", { fill: one.colour ?? COLOURS[i % COLOURS.length], dx: 8 },
        `${one.name ? one.name + " " : ""}${readable(one.values[Math.min(index, one.values.length - 1)])}`)));
    });
  });
  const cursor = shape(page, "line", { y1: HEAD, y2: height - GAP, stroke: "var(--input-text, currentColor)", "stroke-width": 1, "stroke-dasharray": "3 3" });
  svg.append(cursor);
  root.append(svg);

  /** @param {number} index */
  const select = (index) => {
    const x = LEFT + (count > 1 ? index / (count - 1) : 0.5) * (WIDTH - 2 * LEFT);
    cursor.setAttribute("x1", String(x));
    cursor.setAttribute("x2", String(x));
    for (const head of heads) head(index);
  };
  /** @param {PointerEvent} event */
  const pointed = (event) => {
    const edge = svg.getBoundingClientRect();
    const share = (event.clientX - edge.left) / Math.max(edge.width, 1);
    return Math.min(count - 1, Math.max(0, Math.round(((share * WIDTH - LEFT) / (WIDTH - 2 * LEFT)) * (count - 1))));
  };
  svg.addEventListener("pointermove", (event) => {
    const index = pointed(/** @type {PointerEvent} */ (event));
    select(index);
    if (/** @type {PointerEvent} */ (event).buttons) options.onPick?.(index);
  });
  svg.addEventListener("pointerdown", (event) => options.onPick?.(pointed(/** @type {PointerEvent} */ (event))));
  select(0);
  return { root, select };
}
