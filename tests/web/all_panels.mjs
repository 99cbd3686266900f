// A graph with every panel in it, built in the page from nothing but the node definitions.

/** Nodes by name: type, place, size, values of widgets by name, and inputs as [node, output name]. */
const NODES = {
  clip: { type: "LoadVideo", at: [0, 0], size: [280, 300], set: { file: "talkies_demo.mp4" } },
  parts: { type: "GetVideoComponents", at: [0, 380], size: [220, 90], from: { video: ["clip", "VIDEO"] } },
  align: { type: "TalkiesVideoAlign", at: [340, 0], size: [400, 860], set: { detector: "builtin", size: 128 }, from: { images: ["parts", "images"] } },
  smooth: { type: "TalkiesUltraSmooth", at: [780, 0], size: [440, 720], from: { track: ["align", "track"], images: ["parts", "images"] } },
  sharpen: { type: "TalkiesSharpen", at: [0, 540], size: [300, 280], set: { strength: 0.8 }, from: { images: ["parts", "images"] } },
  compare: { type: "TalkiesCompare", at: [1260, 0], size: [520, 860], set: { moments: 12, side: 512 }, from: { before: ["parts", "images"], after: ["sharpen", "images"] } },
  speech: { type: "TalkiesAudioEncode", at: [1820, 0], size: [460, 500], set: { mode: "mel" }, from: { audio: ["parts", "audio"] } },
  clean: { type: "TalkiesCleanSpeech", at: [1820, 560], size: [460, 420], from: { audio: ["parts", "audio"] } },
  colour: { type: "TalkiesColorMatch", at: [2320, 0], size: [400, 640], from: { images: ["sharpen", "images"], reference: ["parts", "images"] } },
  inspect: { type: "TalkiesInspectArrays", at: [2320, 720], size: [400, 220], from: { anything: ["parts", "images"] } },
  look: { type: "PreviewImage", at: [780, 780], size: [300, 240], from: { images: ["smooth", "plot"] } },
  words: { type: "PreviewAny", at: [2320, 1000], size: [300, 200], from: { source: ["colour", "report"] } },
  words2: { type: "PreviewAny", at: [1820, 1040], size: [300, 200], from: { source: ["clean", "report"] } },
  words3: { type: "PreviewAny", at: [1460, 1040], size: [300, 200], from: { source: ["speech", "report"] } },
  few: { type: "ImageFromBatch", at: [2760, 0], size: [270, 90], set: { batch_index: 0, length: 2 }, from: { image: ["parts", "images"] } },
  small: { type: "ImageScale", at: [2760, 180], size: [270, 140], set: { width: 160, height: 160 }, from: { image: ["few", "IMAGE"] } },
  grain: { type: "TalkiesFilmGrain", at: [3080, 0], size: [400, 800], set: { mode: "add", strength: 1 }, from: { images: ["few", "IMAGE"] } },
  bm3d: { type: "TalkiesBM3D", at: [3520, 0], size: [400, 640], set: { profile: "fast" }, from: { images: ["small", "IMAGE"] } },
  prior: { type: "TalkiesDeepImagePrior", at: [3960, 0], size: [400, 860], set: { preset: "fast", iterations: 150 }, from: { images: ["small", "IMAGE"] } },
  clahe: { type: "TalkiesLBCLAHE", at: [4400, 0], size: [400, 640], from: { images: ["small", "IMAGE"] } },
  deblur: { type: "TalkiesDeblur", at: [4840, 0], size: [400, 640], set: { profile: "fast" }, from: { images: ["small", "IMAGE"] } },
  chain: { type: "TalkiesSharpen", at: [5280, 0], size: [300, 280] },
  render: { type: "TalkiesRenderVideo", at: [5280, 340], size: [400, 400], from: { video: ["clip", "VIDEO"], ops: ["chain", "ops"] } },
  grained: { type: "PreviewImage", at: [3080, 1300], size: [300, 240], from: { images: ["grain", "images"] } },
  cleaned: { type: "PreviewImage", at: [3520, 900], size: [300, 240], from: { images: ["bm3d", "images"] } },
  lifted: { type: "PreviewImage", at: [4400, 900], size: [300, 240], from: { images: ["clahe", "images"] } },
  sharp: { type: "PreviewImage", at: [4840, 900], size: [300, 240], from: { images: ["deblur", "images"] } },
  words4: { type: "PreviewAny", at: [5280, 900], size: [300, 240], from: { source: ["render", "report"] } },
  fitted: { type: "PreviewImage", at: [3960, 1300], size: [300, 240], from: { images: ["prior", "images"] } },
};

/** Build the graph in the page. */
export async function buildAllPanels(page) {
  await page.evaluate(async (wanted) => {
    const { graph } = window.app;
    graph.clear();
    // Numbers of their own: renderers keep what they drew by the number of the node.
    graph.last_node_id = 1000;
    const made = {};
    for (const [name, { type, at, size, set }] of Object.entries(wanted)) {
      const node = window.LiteGraph.createNode(type);
      node.pos = at;
      graph.add(node);
      node.setSize(size);
      for (const [key, value] of Object.entries(set ?? {})) node.widgets.find((widget) => widget.name === key).value = value;
      made[name] = node;
    }
    for (const [name, { from }] of Object.entries(wanted)) {
      for (const [input, [source, output]] of Object.entries(from ?? {})) {
        const slot = made[source].outputs.findIndex((one) => one.name === output);
        made[source].connect(slot, made[name], made[name].inputs.findIndex((one) => one.name === input));
      }
    }
  }, NODES);
  await page.waitForTimeout(1000);
}

/** The types of node that show a panel in this graph. */
export const PANELS = ["TalkiesVideoAlign", "TalkiesUltraSmooth", "TalkiesCompare", "TalkiesAudioEncode", "TalkiesCleanSpeech", "TalkiesColorMatch", "TalkiesInspectArrays",
  "TalkiesFilmGrain", "TalkiesBM3D", "TalkiesDeepImagePrior", "TalkiesLBCLAHE", "TalkiesDeblur", "TalkiesRenderVideo"];
