// The Compare node's panel: a slider between the two clips, scrubbing, curves.
import { app } from "/scripts/app.js";
import { compareView } from "./parts/compare_view.js";
import { pictureUrl } from "./parts/picture_url.js";

app.registerExtension({
  name: "Talkies.Compare",
  /** @param {any} node a node of the graph, just made */
  nodeCreated(node) {
    if (node.comfyClass !== "TalkiesCompare") return;
    const panel = document.createElement("div");
    panel.style.cssText = "width:100%;height:100%;overflow:hidden;color:var(--input-text)";
    panel.textContent = "Run the workflow to compare.";
    node.addDOMWidget("comparison", "talkies-compare", panel, { serialize: false, hideOnZoom: false, getMinHeight: () => 620 });
    const before = node.onExecuted;
    /** @param {{talkies_compare?: {moments: any[], report: any}[]}} output what the node gave to its panel */
    node.onExecuted = function (output) {
      before?.call(this, output);
      const found = output?.talkies_compare?.[0];
      if (!found?.moments?.length) return;
      const moments = found.moments.map((moment) => ({
        frame: moment.frame, before: pictureUrl(moment.before), after: pictureUrl(moment.after), difference: pictureUrl(moment.difference),
      }));
      panel.replaceChildren(compareView(document, moments, found.report));
    };
  },
});
