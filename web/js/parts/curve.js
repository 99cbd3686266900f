// The arithmetic of a curve: its range, its path, and numbers as people read them. No page needed.

/**
 * The range of all finite values, widened when they are all the same.
 * @param {number[][]} rows
 * @returns {[number, number]}
 */
export function rangeOf(rows) {
  let low = Infinity, high = -Infinity;
  for (const row of rows) for (const value of row) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low > high) return [0, 1];
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

/**
 * At most `most` values that draw the same: the lowest and the highest of every stretch, in their order. Peaks are never lost.
 * @param {number[]} values
 * @param {number} most at least 2
 */
export function thinned(values, most) {
  if (values.length <= most) return values;
  const bins = Math.floor(most / 2), drawn = [];
  for (let bin = 0; bin < bins; bin++) {
    const first = Math.floor((bin * values.length) / bins), last = Math.floor(((bin + 1) * values.length) / bins);
    let low = NaN, high = NaN, lowAt = first, highAt = first;
    for (let i = first; i < last; i++) {
      if (!Number.isFinite(values[i])) continue;
      if (!(values[i] >= low)) { low = values[i]; lowAt = i; }
      if (!(values[i] <= high)) { high = values[i]; highAt = i; }
    }
    drawn.push(...(lowAt <= highAt ? [low, high] : [high, low]));
  }
  return drawn;
}

/** A number as people read it. @param {number} value */
export function readable(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.1 || size === 0 ? value.toFixed(2) : value.toPrecision(2);
}

/**
 * Where a key moves a cursor over `count` places; null for a key that does not.
 * @param {string} key
 * @param {number} at
 * @param {number} count
 */
export function moved(key, at, count) {
  const leap = Math.max(1, Math.round(count / 10));
  const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - leap, PageUp: at + leap, Home: 0, End: count - 1 }[key];
  return to === undefined ? null : Math.min(Math.max(to, 0), count - 1);
}
