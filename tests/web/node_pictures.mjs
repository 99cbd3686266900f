// Pictures of nodes in the real page, for the help pages:
//   node tests/web/node_pictures.mjs BASE FOLDER WORKFLOW:NODE,NODE ... -:NODE,NODE
// BASE is a running ComfyUI with this pack in it. A WORKFLOW of example_workflows/ is loaded, run, and its nodes pictured with what they
// show; after "-" the nodes stand alone. playwright-core is taken from $PLAYWRIGHT (a folder with node_modules) or the working folder.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const { chromium } = createRequire(resolve(process.env.PLAYWRIGHT ?? ".") + "/")("playwright-core");
const [base, folder, ...jobs] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const page = await browser.newPage({ viewport: { width: 1500, height: 1300 } });
await page.route((url) => !url.href.startsWith(base) && !/^(data|blob):/.test(url.protocol), (route) => route.abort());
for (const [key, value] of Object.entries({ "Comfy.TutorialCompleted": true, "Comfy.InstalledVersion": "1.27.10", "Comfy.VueNodes.Enabled": false, "Comfy.Graph.CanvasInfo": false, "Comfy.Graph.CanvasMenu": false, "Comfy.Minimap.Visible": false })) {
  await page.request.post(`${base}/api/settings/${key}`, { data: JSON.stringify(value), headers: { "Content-Type": "application/json" } });
}
await page.goto(`${base}/`, { waitUntil: "domcontentloaded" });
await page.waitForFunction(() => window.app?.extensionManager && window.app?.graph && window.LiteGraph?.registered_node_types?.TalkiesSharpen, null, { timeout: 90000 });

for (const job of jobs) {
  const [workflow, nodes] = job.split(":");
  if (workflow !== "-") {
    const saved = await (await page.request.get(`${base}/api/workflow_templates/ComfyUI-Talkies/${workflow}.json`)).json();
    await page.evaluate((graph) => window.app.loadGraphData(graph), saved);
    await page.waitForTimeout(1500);
    const ended = page.evaluate(() => new Promise((done, failed) => {
      window.app.api.addEventListener("execution_success", () => done(true), { once: true });
      window.app.api.addEventListener("execution_error", (event) => failed(new Error(JSON.stringify(event.detail).slice(0, 800))), { once: true });
    }));
    await page.evaluate(() => window.app.queuePrompt(0, 1));
    await ended;
    await page.waitForTimeout(3000);
  }
  for (const type of nodes.split(",")) {
    const box = await page.evaluate(({ type, alone }) => {
      if (alone) {
        window.app.graph.clear();
        const made = window.LiteGraph.createNode(type);
        made.pos = [60, 60];
        window.app.graph.add(made);
        made.setSize([Math.max(made.computeSize()[0], 320), made.computeSize()[1]]);
      }
      const node = window.app.graph._nodes.find((one) => one.type === type), view = window.app.canvas.ds;
      view.scale = 1;
      view.offset[0] = 140 - node.pos[0];
      view.offset[1] = 120 - node.pos[1];
      window.app.canvas.setDirty(true, true);
      const edge = document.querySelector("#graph-canvas").getBoundingClientRect();
      return { x: edge.x + 130, y: edge.y + 60, width: node.size[0] + 20, height: node.size[1] + 72 };
    }, { type, alone: workflow === "-" });
    await page.waitForTimeout(1200);
    const path = join(folder, `${type}.jpg`);
    await page.screenshot({ path, clip: box, type: "jpeg", quality: 85 });
    console.log(path);
  }
}
await browser.close();
