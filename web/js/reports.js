// The figures and curves of a report, on nodes that have no panel of their own kind.
import { registerPanel } from "./parts/panel.js";
import { reportView } from "./parts/report_view.js";

/** What is read first on each node. @type {Record<string, string[]>} */
const FIRST = {
  TalkiesBM3D: ["sigma measured (steps of 255)", "sigma used (steps of 255)", "removed, rms (steps of 255)"],
  TalkiesCleanSpeech: ["before: loudness (LUFS)", "after: loudness (LUFS)"],
  TalkiesColorMatch: [],
  TalkiesDeblur: ["sigma measured (steps of 255)"],
  TalkiesDiff2LipGenerate: [],
  TalkiesLBCLAHE: ["clip limit (times)", "brightness before (0..1)", "brightness after (0..1)"],
  TalkiesRenderVideo: ["frames", "speed (frames/s)"],
};

for (const [node, first] of Object.entries(FIRST)) {
  registerPanel({
    name: `Report.${node}`,
    nodes: [node],
    key: "talkies_report",
    label: "Report",
    hint: "Run the workflow to see the figures.",
    height: 110,
    show: (/** @type {import("./parts/report_view.js").Report} */ report) => reportView(document, report, first),
  });
}
