// ComfyUI's page in a headless Chromium: open it, load a workflow, run it, look at its panels.
//
// playwright-core is found in this repository's node_modules, or below the folder that PLAYWRIGHT_PATH names; Chromium at CHROMIUM.
import { createRequire } from "node:module";

const { chromium } = createRequire(process.env.PLAYWRIGHT_PATH ? `${process.env.PLAYWRIGHT_PATH}/` : import.meta.url)("playwright-core");
const PATIENCE = 240_000;
/** How long a server may compute without saying that it got on, ms; a workflow as a whole may take as long as it likes. */
const STILL = 240_000;

/** Settings of a user who has seen the welcome, without what would cover the graph. */
const SETTINGS = { "Comfy.TutorialCompleted": true, "Comfy.InstalledVersion": "1.27.10", "Comfy.Graph.CanvasInfo": false,
  "Comfy.Graph.CanvasMenu": false, "Comfy.Minimap.Visible": false, "Comfy.Workflow.Persist": false };

/**
 * Open the page.
 * @param {string} base the server's address
 * @param {boolean} vue true for Nodes 2.0, false for the classic canvas
 * @returns {Promise<{page: any, errors: string[], said: string[], close: () => Promise<void>}>} errors: those that name our files
 */
export async function openPage(base, vue) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"] });
  const page = await browser.newPage({ viewport: { width: 1920, height: 1000 } });
  page.setDefaultTimeout(PATIENCE);
  const errors = [], said = [];
  const note = (/** @type {string} */ text) => { said.push(text); if (/talkies/i.test(text)) errors.push(text); };
  page.on("pageerror", (error) => note(`${error.message} ${error.stack ?? ""}`));
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) note(`${message.type()}: ${message.text()} ${message.location().url}`); });
  page.on("requestfailed", (request) => { if (request.url().startsWith(base)) note(`not fetched: ${request.url()} ${request.failure()?.errorText}`); });
  await page.route((url) => !url.href.startsWith(base) && !/^(data|blob):/.test(url.protocol), (route) => route.abort());
  for (const [name, value] of Object.entries({ ...SETTINGS, "Comfy.VueNodes.Enabled": vue })) {
    await page.request.post(`${base}/api/settings/${name}`, { data: JSON.stringify(value), headers: { "Content-Type": "application/json" } });
  }
  await page.goto(base, { waitUntil: "domcontentloaded" });
  await page.waitForFunction(() => window.app?.extensionManager && window.app?.graph && window.LiteGraph?.registered_node_types?.TalkiesSharpen
    && !document.querySelector("#comfy-loading, .p-blockui-mask"));
  return { page, errors, said, close: () => browser.close() };
}

/** Load a workflow into the page. Gives the types of nodes that the page does not know. */
export async function load(page, workflow) {
  const unknown = await page.evaluate(async (wanted) => {
    await window.app.loadGraphData(wanted);
    return window.app.graph._nodes.map((node) => node.type).filter((type) => !(type in window.LiteGraph.registered_node_types) && !/Note/.test(type));
  }, workflow);
  await page.waitForTimeout(1000);
  return unknown;
}

/** Queue what is loaded, from the page, and wait for its end. Throws what the server said when it was refused or failed, or stood still. */
export async function run(page) {
  const refused = page.waitForResponse(async (answer) => answer.url().endsWith("/prompt") && answer.request().method() === "POST" && answer.status() !== 200, { timeout: 0 })
    .then(async (answer) => { throw new Error(`refused: ${(await answer.text()).slice(0, 1500)}`); });
  refused.catch(() => {});
  const ended = page.evaluate((still) => new Promise((resolve, reject) => {
    const api = window.app.api ?? window.comfyAPI.api.api;
    api.addEventListener("execution_success", () => resolve("success"), { once: true });
    api.addEventListener("execution_error", (event) => reject(new Error(JSON.stringify(event.detail).slice(0, 1500))), { once: true });
    let last = Date.now();
    for (const news of ["progress", "progress_state", "executing", "executed"]) api.addEventListener(news, () => { last = Date.now(); });
    setInterval(() => { if (Date.now() - last > still) reject(new Error(`nothing was heard of the workflow for ${still / 1000} s`)); }, 1000);
  }), STILL);
  await page.evaluate(() => window.app.queuePrompt(0, 1));
  await Promise.race([ended, refused]);
  await page.waitForTimeout(1500);
}

/** Bring a box of the graph, or the whole graph, into view; at most `most` times life size. Gives where it lies on the page. */
export async function fit(page, { ids = null, most = 1.2 } = {}) {
  const box = await page.evaluate(([chosen, limit]) => {
    const { graph, canvas } = window.app;
    const nodes = graph._nodes.filter((node) => !chosen || chosen.includes(String(node.id)));
    const boxes = [...nodes.map((node) => [node.pos[0], node.pos[1] - 40, node.pos[0] + node.size[0], node.pos[1] + node.size[1]]),
      ...(chosen ? [] : graph._groups ?? []).map((group) => [group.pos[0], group.pos[1], group.pos[0] + group.size[0], group.pos[1] + group.size[1]])];
    const [x0, y0, x1, y1] = [0, 1, 2, 3].map((side) => Math[side < 2 ? "min" : "max"](...boxes.map((box) => box[side])));
    const scale = Math.min(1780 / (x1 - x0), 860 / (y1 - y0), limit);
    canvas.ds.scale = scale;
    canvas.ds.offset[0] = 90 / scale - x0;
    canvas.ds.offset[1] = 70 / scale - y0;
    canvas.setDirty(true, true);
    const edge = document.querySelector("#graph-canvas").getBoundingClientRect();
    return { x: edge.x + 82, y: edge.y + 62, width: (x1 - x0) * scale + 16, height: (y1 - y0) * scale + 16 };
  }, [ids, most]);
  await page.waitForTimeout(1200);
  return { ...box, width: Math.min(box.width, 1920 - box.x), height: Math.min(box.height, 1000 - box.y) };
}

/** The id of the first node of a type, as text. */
export function idOf(page, type) {
  return page.evaluate((wanted) => { const found = window.app.graph._nodes.find((node) => node.type === wanted); return found ? String(found.id) : null; }, type);
}

/** Pairs of nodes that lie over each other in the graph, by title; what a page shows on a node is in its size. */
export function overlaps(page) {
  return page.evaluate(() => {
    const boxes = window.app.graph._nodes.map((node) => [node.title, node.pos[0], node.pos[1] - 30, node.pos[0] + node.size[0], node.pos[1] + node.size[1]]);
    return boxes.flatMap((one, index) => boxes.slice(index + 1)
      .filter((two) => one[1] < two[3] && two[1] < one[3] && one[2] < two[4] && two[2] < one[4]).map((two) => [one[0], two[0]]));
  });
}
