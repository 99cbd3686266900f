// Shows on the Inspect Arrays node what it found.
import { app } from "/scripts/app.js";

app.registerExtension({
  name: "Talkies.InspectArrays",
  /** @param {any} node a node of the graph, just made */
  nodeCreated(node) {
    if (node.comfyClass !== "TalkiesInspectArrays") return;
    const panel = document.createElement("pre");
    panel.className = "talkies-inspect";
    panel.tabIndex = 0;
    panel.setAttribute("aria-label", "What is on the wire");
    Object.assign(panel.style, {
      margin: "0", padding: "6px", overflow: "auto", whiteSpace: "pre-wrap", fontSize: "11px", userSelect: "text",
      color: "var(--input-text)", background: "var(--comfy-input-bg)", border: "1px solid var(--border-color)",
    });
    panel.textContent = "Run the workflow to see what is on the wire.";
    node.addDOMWidget("description", "talkies-inspect", panel, { serialize: false, hideOnZoom: false, getMinHeight: () => 90 });
    const before = node.onExecuted;
    /** @param {{text?: string[]}} output what the node gave to its panel */
    node.onExecuted = function (output) {
      before?.call(this, output);
      panel.textContent = output?.text?.join("") ?? "";
    };
  },
});
