// Deep Image Prior's panel: loss and variance of the fit, growing while it runs, and where the picture was taken. ComfyUI itself shows the
// picture as it is so far, on the node.
import { heightOf } from "./parts/chart.js";
import { registerPanel } from "./parts/panel.js";
import { priorView } from "./parts/prior_view.js";

registerPanel({
  name: "DeepImagePrior",
  nodes: ["TalkiesDeepImagePrior"],
  key: "talkies_report",
  label: "Curves of the fit",
  hint: "Run the workflow to see the curves of the fit.",
  height: heightOf(2) + 84,
  show: (/** @type {import("./parts/report_view.js").Report} */ report) => priorView(document, report),
});
