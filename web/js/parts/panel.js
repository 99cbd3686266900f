// A panel on a node: a DOM widget that shows what the node gave to the page when it ran.
import { app } from "/scripts/app.js";
import { keepInNode } from "./keep_in_node.js";

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
 * @param {(found: Found, ended: AbortSignal) => HTMLElement} panel.show build the view; `ended` fires when it is taken away
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
      const { onExecuted, onRemoved } = node;
      /** @param {Record<string, any>} output what the node gave to the page */
      node.onExecuted = function (output) {
        onExecuted?.call(this, output);
        const found = output?.[panel.key]?.[0];
        if (found === undefined) return;
        shown.abort();
        shown = new AbortController();
        root.replaceChildren(panel.show(found, shown.signal));
      };
      node.onRemoved = function () {
        onRemoved?.call(this);
        shown.abort();
      };
    },
  });
}
