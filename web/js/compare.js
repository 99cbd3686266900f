// The Compare node's panel: a slider between the two clips, scrubbing, curves.
import { compareView } from "./parts/compare_view.js";
import { registerPanel } from "./parts/panel.js";
import { pictureUrl } from "./parts/picture_url.js";

registerPanel({
  name: "Compare",
  nodes: ["TalkiesCompare"],
  key: "talkies_compare",
  label: "Before and after",
  hint: "Run the workflow to compare.",
  height: 680,
  show: (/** @type {{moments: any[], report: any}} */ found) => compareView(document, found.moments.map((moment) => ({
    frame: moment.frame, before: pictureUrl(moment.before), after: pictureUrl(moment.after), difference: pictureUrl(moment.difference),
  })), found.report),
});
