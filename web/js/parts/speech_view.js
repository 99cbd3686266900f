// A spectrogram with a playhead: used by Audio Encode's panel.
import { moved } from "./curve.js";
import { element, shape } from "./element.js";

/**
 * @typedef {object} Speech
 * @property {string} picture address of the spectrogram, low Hz at the bottom, its edges those of the sound
 * @property {string} sound address of the sound
 * @property {number} seconds
 * @property {number} fps video frames a second
 * @property {[number, number][]} ticks Hz and its height, 0 at the bottom to 1
 * @property {string} says
 */

/** A time and its video frame in words. @param {number} seconds @param {number} fps */
export const timeInWords = (seconds, fps) => `${seconds.toFixed(2)} s · frame ${Math.floor(seconds * fps + 1e-6)}`;

/** @param {Document} page @param {Speech} speech @param {AbortSignal} ended stops the sound @returns {HTMLElement} */
export function speechView(page, speech, ended) {
  const root = element(page, "div", "display:flex;flex-direction:column;gap:5px;width:100%;height:100%;min-height:0");
  root.className = "talkies-speech";
  const stage = element(page, "div", "position:relative;flex:1 1 110px;min-height:90px;overflow:hidden;cursor:crosshair;touch-action:none;background:#000;outline-offset:1px");
  stage.tabIndex = 0;
  for (const [name, value] of Object.entries({ role: "slider", "aria-label": "Place in the sound", "aria-valuemin": 0, "aria-valuemax": speech.seconds.toFixed(2) })) {
    stage.setAttribute(name, String(value));
  }
  const picture = element(page, "img", "position:absolute;inset:0;width:100%;height:100%;user-select:none;pointer-events:none");
  picture.src = speech.picture;
  picture.alt = "Spectrogram";
  picture.draggable = false;
  const head = element(page, "div", "position:absolute;top:0;bottom:0;left:0;width:2px;background:#fff;box-shadow:0 0 3px #000;pointer-events:none");
  head.className = "talkies-playhead";
  stage.append(picture);
  for (const [hz, height] of speech.ticks) {
    stage.append(element(page, "span", `position:absolute;left:3px;bottom:calc(${(100 * height).toFixed(1)}% - 8px);color:#fff;text-shadow:0 0 3px #000,0 0 3px #000;pointer-events:none`,
      hz >= 1000 ? `${hz / 1000}k` : String(hz)));
  }
  stage.append(head);
  const sound = element(page, "audio", "display:none");
  sound.src = speech.sound;
  sound.preload = "auto";
  const play = element(page, "button", "flex:none;width:2.4em;height:2em;padding:0;color:inherit;background:var(--comfy-input-bg);border:1px solid var(--border-color);border-radius:4px;cursor:pointer");
  play.type = "button";
  play.append(shape(page, "svg", { viewBox: "0 0 10 10", width: 11, height: 11, "aria-hidden": "true" }));
  const says = element(page, "output", "font-variant-numeric:tabular-nums;white-space:nowrap");
  const row = element(page, "div", "display:flex;gap:8px;align-items:center");
  row.append(play, says, element(page, "span", "color:var(--descrip-text);overflow:hidden;text-overflow:ellipsis;white-space:nowrap", speech.says), sound);

  const label = () => {
    const d = sound.paused ? "M1 0L10 5L1 10Z" : "M1 0H4V10H1ZM6 0H9V10H6Z";
    play.firstChild.replaceChildren(shape(page, "path", { d, fill: "currentColor" }));
    play.ariaLabel = play.title = sound.paused ? "Play" : "Pause";
  };
  const place = () => {
    const at = Math.min(sound.currentTime, speech.seconds);
    head.style.left = `calc(${((100 * at) / Math.max(speech.seconds, 1e-9)).toFixed(3)}% - 1px)`;
    says.textContent = timeInWords(at, speech.fps);
    stage.setAttribute("aria-valuenow", at.toFixed(2));
    stage.setAttribute("aria-valuetext", says.textContent);
  };
  const follow = () => {
    place();
    if (!sound.paused && !ended.aborted) requestAnimationFrame(follow);
  };
  /** @param {number} seconds */
  const seek = (seconds) => {
    sound.currentTime = Math.min(Math.max(seconds, 0), speech.seconds);
    place();
  };
  /** @param {PointerEvent} event */
  const drag = (event) => {
    const edge = stage.getBoundingClientRect();
    seek(((event.clientX - edge.left) / Math.max(edge.width, 1)) * speech.seconds);
  };
  stage.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => { event.stopPropagation(); stage.setPointerCapture?.(event.pointerId); drag(event); });
  stage.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => { if (event.buttons) drag(event); });
  const toggle = () => (sound.paused ? sound.play() : sound.pause());
  play.addEventListener("click", toggle);
  stage.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const frames = Math.max(1, Math.round(speech.seconds * speech.fps));
    const to = moved(event.key, Math.round(sound.currentTime * speech.fps), frames + 1);
    if (to === null && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    if (to === null) toggle();
    else seek(to / speech.fps);
  });
  for (const name of ["play", "pause", "ended"]) sound.addEventListener(name, () => { label(); follow(); });
  sound.addEventListener("seeked", place);
  ended.addEventListener("abort", () => sound.pause());
  label();
  place();
  root.append(stage, row);
  return root;
}
