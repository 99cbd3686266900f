// Making elements: text goes in as text, never as markup.

/**
 * @param {Document} page
 * @param {string} name
 * @param {string} style
 * @param {string} [text]
 * @returns {any} the element, for the caller to know its kind
 */
export function element(page, name, style, text) {
  const made = page.createElement(name);
  made.style.cssText = style;
  if (text !== undefined) made.textContent = text;
  return made;
}

/**
 * A slider that says what it is for.
 * @param {Document} page
 * @param {string} label
 * @param {number} max the last place; the first is 0
 * @param {number} value
 * @returns {HTMLInputElement}
 */
export function slider(page, label, max, value) {
  const made = element(page, "input", "width:100%;min-width:0;margin:0");
  Object.assign(made, { type: "range", min: "0", max: String(max), value: String(value), ariaLabel: label, title: label });
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {Document} page
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 * @returns {SVGElement}
 */
export function shape(page, name, attributes, text) {
  const made = page.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return /** @type {SVGElement} */ (made);
}
