// Draws the thumbnails of the example workflows from the real page, and says which nodes lie over another:
//
//   node tests/web/thumbnails.mjs BASE [NAME ...] [--folder FOLDER] [--still]
//
// BASE is a running ComfyUI with this pack, the demo's files in its input folder, and the weights that the workflows name. Without names
// all of example_workflows/ is drawn. Workflows in STILL are shown as they load; --still shows all so. See page.mjs for the browser.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { load, openPage, overlaps, run } from "./page.mjs";

/** Pixels of a thumbnail, and how many times larger the part of the page is that it is made of. */
const WIDTH = 710, HEIGHT = 320, TIMES = 2.5;

/** Workflows whose result needs weights that cannot be had by a program. */
const STILL = ["lip_sync_a_video"];

const HERE = fileURLToPath(new URL("../../example_workflows", import.meta.url));
const [base, ...rest] = process.argv.slice(2);
const folder = rest.includes("--folder") ? rest.splice(rest.indexOf("--folder"), 2)[1] : HERE;
const still = rest.includes("--still");
const asked = rest.filter((word) => word !== "--still");
const names = asked.length ? asked : readdirSync(HERE).filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -5));
const { page, errors, close } = await openPage(base, false);

/** Bring the whole graph into the middle of the part that is pictured; gives that part. */
async function frame() {
  const part = await page.evaluate(([width, height]) => {
    const { graph, canvas } = window.app;
    const boxes = [...graph._nodes, ...(graph._groups ?? [])].map(({ pos, size, flags }) => [pos[0], pos[1] - (flags ? 54 : 0), pos[0] + size[0], pos[1] + size[1]]);
    const [x0, y0, x1, y1] = [0, 1, 2, 3].map((side) => Math[side < 2 ? "min" : "max"](...boxes.map((box) => box[side])));
    const scale = Math.min((width - 30) / (x1 - x0), (height - 30) / (y1 - y0), 1.2);
    const edge = document.querySelector("#graph-canvas").getBoundingClientRect(), left = 90, top = 60;
    canvas.ds.scale = scale;
    canvas.ds.offset[0] = (left + width / 2) / scale - (x0 + x1) / 2;
    canvas.ds.offset[1] = (top + height / 2) / scale - (y0 + y1) / 2;
    canvas.setDirty(true, true);
    return { x: edge.x + left, y: edge.y + top, width, height };
  }, [WIDTH * TIMES, HEIGHT * TIMES]);
  await page.waitForTimeout(1500);
  return part;
}

/** Shrink a picture in the page; gives its JPEG. */
async function shrunk(picture) {
  const bytes = await page.evaluate(async ([text, width, height]) => {
    const blob = await (await fetch(`data:image/png;base64,${text}`)).blob();
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d").drawImage(await createImageBitmap(blob, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" }), 0, 0);
    return [...new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg", quality: 0.86 })).arrayBuffer())];
  }, [picture.toString("base64"), WIDTH, HEIGHT]);
  return Buffer.from(bytes);
}

let failed = 0;
for (const name of names) {
  await load(page, await (await page.request.get(`${base}/api/workflow_templates/ComfyUI-Talkies/${name}.json`)).json());
  if (!still && !STILL.includes(name)) await run(page);
  await page.waitForTimeout(2500);
  await page.waitForFunction(() => [...document.querySelectorAll("video")].every((video) => video.readyState > 1 || !video.src), null, { timeout: 30_000 })
    .catch(() => console.log(name, "has a video that did not load"));
  const clip = await frame();
  const covered = await overlaps(page);
  writeFileSync(join(folder, `${name}.jpg`), await shrunk(await page.screenshot({ clip })));
  failed += covered.length;
  console.log(name, covered.length ? `OVERLAPS ${JSON.stringify(covered)}` : "");
}
console.log(errors.filter((text) => !text.includes("/en.md")).join("\n"));
await close();
process.exitCode = failed ? 1 : 0;
