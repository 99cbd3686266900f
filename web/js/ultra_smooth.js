// Ultra Smooth's panel: the path before and after, the shake of every frame, filled frames, cuts.
import { heightOf } from "./parts/chart.js";
import { registerPanel } from "./parts/panel.js";
import { pathView } from "./parts/path_view.js";

registerPanel({
  name: "UltraSmooth",
  nodes: ["TalkiesUltraSmooth"],
  key: "talkies_path",
  label: "Path of the face",
  hint: "Run the workflow to see the path before and after.",
  height: heightOf(3) + 24,
  show: (/** @type {import("./parts/path_view.js").Path} */ path) => pathView(document, path),
});
