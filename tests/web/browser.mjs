// What a user does in the page, step by step; the findings go to the standard output as JSON for test_browser.py.
//
//   node browser.mjs BASE vue|classic PACK QUICK,WORKFLOWS [FOLDER FOR SCREENSHOTS]
import { readdirSync, readFileSync } from "node:fs";
import { buildAllPanels, PANELS } from "./all_panels.mjs";
import { fit, idOf, load, openPage, overlaps, run } from "./page.mjs";

const [base, renderer, pack, quick, pictures] = process.argv.slice(2);
const { page, errors, said, close } = await openPage(base, renderer === "vue");
const found = { renderer, workflows: {}, blueprints: {}, panels: {}, moves: {}, help: {}, template: "", errors, twice: [] };

/** Where a node's panel is on the page, or null. */
const panelBox = (id) => page.evaluate((wanted) => {
  const node = window.app.graph._nodes.find((one) => String(one.id) === wanted);
  const edge = node?.widgets?.find((widget) => widget.name === "talkies_panel")?.element?.getBoundingClientRect();
  return edge && edge.width ? { x: edge.x, y: edge.y, width: edge.width, height: edge.height } : null;
}, id);

/** How many pixels of a part of the page differ from its commonest colour, and how many colours there are. */
async function drawn(clip) {
  const picture = (await page.screenshot({ clip })).toString("base64");
  return page.evaluate(async (text) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${text}`)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height), context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const bytes = context.getImageData(0, 0, bitmap.width, bitmap.height).data, counts = new Map();
    for (let i = 0; i < bytes.length; i += 4) {
      const colour = (bytes[i] << 16) | (bytes[i + 1] << 8) | bytes[i + 2];
      counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
    return { ink: bitmap.width * bitmap.height - Math.max(...counts.values()), colours: counts.size };
  }, picture);
}

/** Evaluate in the page on a node's panel. */
const inPanel = (id, question, ...more) => page.evaluate(([wanted, text, rest]) => {
  const node = window.app.graph._nodes.find((one) => String(one.id) === wanted);
  return new Function("panel", "rest", `return (${text})(panel, ...rest)`)(node.widgets.find((widget) => widget.name === "talkies_panel").element, rest);
}, [id, question.toString(), more]);

async function workflows() {
  const names = (await (await page.request.get(`${base}/api/workflow_templates`)).json())[pack];
  for (const name of names) {
    const unknown = await load(page, await (await page.request.get(`${base}/api/workflow_templates/${pack}/${name}.json`)).json());
    const entry = { unknown, nodes: await page.evaluate(() => window.app.graph._nodes.length), ran: null, overlaps: [] };
    if (quick.split(",").includes(name)) {
      try { await run(page); entry.ran = "success"; } catch (error) { entry.ran = String(error); }
    }
    entry.overlaps = await overlaps(page);
    found.workflows[name] = entry;
  }
}

/** Load every subgraph blueprint as the page loads a workflow, and look inside. */
async function blueprints() {
  const folder = new URL("../../subgraphs/", import.meta.url);
  for (const file of readdirSync(folder)) {
    await load(page, JSON.parse(readFileSync(new URL(file, folder), "utf8")));
    found.blueprints[file] = await page.evaluate(() => window.app.graph._nodes.map((node) => ({
      inputs: node.inputs.map((slot) => slot.name), inside: node.subgraph.nodes.map((one) => ({
        type: one.type, known: one.type in window.LiteGraph.registered_node_types, unlinked: one.inputs.filter((slot) => ["track", "images", "video", "ops", "crops"].includes(slot.name) && slot.link === null).map((slot) => slot.name),
      })),
    })));
  }
}

/** Open the template browser, go to the pack, click its first workflow. */
async function templateBrowser() {
  await page.evaluate(() => { window.app.graph.clear(); window.app.extensionManager.command.execute("Comfy.BrowseTemplates"); });
  await page.getByText(pack, { exact: true }).first().click({ timeout: 20_000 });
  await page.waitForTimeout(1500);
  await page.getByText(/sharpen a video|sharpen_a_video/i).first().click({ timeout: 20_000 });
  await page.waitForFunction(() => window.app.graph._nodes.some((node) => node.type === "TalkiesSharpen"), null, { timeout: 20_000 });
  found.template = "loaded";
}

async function panels() {
  // What a server remembers from an earlier run it does not tell a new page again.
  await page.request.post(`${base}/api/free`, { data: { unload_models: true, free_memory: true } });
  await page.waitForTimeout(1500);
  await buildAllPanels(page);
  try { await run(page); } catch (error) { found.panels.failed = String(error); return; }
  for (const type of PANELS) {
    const id = await idOf(page, type);
    await fit(page, { ids: [id], most: 1 });
    await page.evaluate(() => { window.app.canvas.ds.scale = 1; });
    let box = await panelBox(id);
    if (box) {
      await page.evaluate(([x, y]) => {
        const { ds } = window.app.canvas;
        ds.offset[0] += x / ds.scale;
        ds.offset[1] += y / ds.scale;
        window.app.canvas.setDirty(true, true);
      }, [120 - box.x, 130 - box.y]);
      await page.waitForTimeout(800);
      box = await panelBox(id);
    }
    found.panels[type] = box ? { ...box, ...(await drawn(box)) } : null;
    if (pictures) await page.screenshot({ path: `${pictures}/${renderer}_${type}.png` });
    if (!box) continue;
    const move = MOVES[type];
    if (!move) continue;
    const before = await inPanel(id, move.read);
    await inPanel(id, move.focus);
    for (const key of move.keys) await page.keyboard.press(key);
    await page.waitForTimeout(300);
    found.moves[type] = [before, await inPanel(id, move.read)];
  }
}

/** What the keyboard moves in a panel, and where it shows. */
const MOVES = {
  TalkiesCompare: { focus: (panel) => panel.querySelector("input[type=range]").focus(), keys: ["Home"], read: (panel) => panel.querySelectorAll("img")[1].style.clipPath },
  TalkiesVideoAlign: { focus: (panel) => panel.querySelector("input[type=range]").focus(), keys: ["End"], read: (panel) => panel.querySelector("img").src },
  TalkiesUltraSmooth: { focus: (panel) => panel.querySelector(".talkies-chart").focus(), keys: ["ArrowRight", "ArrowRight"], read: (panel) => panel.querySelector(".talkies-chart").getAttribute("aria-valuetext") },
  TalkiesAudioEncode: { focus: (panel) => panel.querySelector("[role=slider]").focus(), keys: ["PageUp"], read: (panel) => panel.querySelector(".talkies-playhead").style.left },
};

async function help() {
  const id = await idOf(page, "TalkiesSharpen");
  const place = await fit(page, { ids: [id], most: 1 });
  if (renderer === "vue") await page.locator(`[data-node-id="${id}"]`).click({ position: { x: 60, y: 16 }, force: true });
  else await page.mouse.click(place.x + 60, place.y + 25);
  await page.waitForTimeout(700);
  await page.locator("[data-testid=info-button]").first().click({ timeout: 15_000 });
  await page.waitForTimeout(2500);
  found.help.text = await page.evaluate(() => document.body.innerText.includes("When to use it"));
}

for (const step of [workflows, blueprints, templateBrowser, panels, help]) {
  try { await step(); } catch (error) { (found.failed ??= {})[step.name] = String(error).slice(0, 600); }
  if (pictures) await page.screenshot({ path: `${pictures}/${renderer}_${step.name}.png` });
}
found.twice = said.filter((text) => /already registered/i.test(text));
console.log(JSON.stringify(found));
await close();
