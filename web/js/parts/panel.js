// A panel on a node: a DOM widget that shows what the node gave to the page when it ran, or gives it while it runs.
import { api } from "/scripts/api.js";
import { app } from "/scripts/app.js";
import { keepInNode } from "./keep_in_node.js";
import { nodeAt } from "./node_at.js";

/** @type {WeakMap<any, (output: Record<string, any>) => void>} what each node with a panel does with what it gives to the page */
const takers = new WeakMap();

api.addEventListener("talkies.running", (/** @type {any} */ { detail }) => {
  const node = nodeAt(app.rootGraph ?? app.graph, String(detail.node));
  if (node) takers.get(node)?.(detail.output);
});

/**
 * What a panel shows: an element, or one that can take what comes next without being built anew.
 * @template Found
 * @typedef {HTMLElement | {root: HTMLElement, update: (found: Found) => void}} View
 */

/**
 * Give every node of some classes a panel.
 * @template Found
 * @param {object} panel
 * @param {string} panel.name of the extension
 * @param {string[]} panel.nodes class names
 * @param {string} panel.key of the node's `ui` result; its first entry is shown
 * @param {string} panel.label what the panel is, for readers of the screen
 * @param {string} panel.hint shown before the first run
 * @param {number} panel.height px
 * @param {(found: Found, ended: AbortSignal) => View<Found>} panel.show build the view; `ended` fires when it is taken away
 */
export function registerPanel(panel) {
  app.registerExtension({
    name: `Talkies.${panel.name}`,
    /** @param {any} node a node of the graph, just made */
    nodeCreated(node) {
      if (!panel.nodes.includes(node.comfyClass)) return;
      const root = document.createElement("div");
      root.className = "talkies-panel";
      root.setAttribute("role", "group");
      root.setAttribute("aria-label", panel.label);
      root.style.cssText = "box-sizing:border-box;width:100%;height:100%;overflow:auto;color:var(--input-text);font:13px sans-serif;user-select:text";
      root.textContent = panel.hint;
      const widget = node.addDOMWidget("talkies_panel", "talkies-panel", root, { serialize: false, hideOnZoom: false, getMinHeight: () => panel.height });
      widget.serialize = false;
      keepInNode(node, root, panel.height);
      let shown = new AbortController();
      /** @type {((found: Found) => void) | undefined} */
      let update;
      /** @param {Record<string, any>} output */
      const take = (output) => {
        const found = output?.[panel.key]?.[0];
        if (found === undefined) return;
        if (update) return update(found);
        shown.abort();
        shown = new AbortController();
        const view = panel.show(found, shown.signal);
        update = "update" in view ? view.update : undefined;
        root.replaceChildren("update" in view ? view.root : view);
      };
      takers.set(node, take);
      const { onExecuted, onRemoved } = node;
      /** @param {Record<string, any>} output what the node gave to the page */
      node.onExecuted = function (output) {
        onExecuted?.call(this, output);
        take(output);
      };
      node.onRemoved = function () {
        onRemoved?.call(this);
        shown.abort();
      };
    },
  });
}
