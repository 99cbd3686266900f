// Shows on the Inspect Arrays node what it found.
import { registerPanel } from "./parts/panel.js";
import { element } from "./parts/element.js";

registerPanel({
  name: "InspectArrays",
  nodes: ["TalkiesInspectArrays"],
  key: "text",
  label: "What is on the wire",
  hint: "Run the workflow to see what is on the wire.",
  height: 90,
  show: (/** @type {string} */ text) => {
    const lines = element(document, "pre", "box-sizing:border-box;width:100%;min-height:100%;margin:0;padding:6px;white-space:pre-wrap;font-size:13px;user-select:text;"
      + "color:var(--input-text);background:var(--comfy-input-bg);border:1px solid var(--border-color)", text);
    lines.tabIndex = 0;
    return lines;
  },
});
