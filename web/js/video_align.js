// Video Align's panel: points, box and crop over a few frames of the clip.
import { alignView } from "./parts/align_view.js";
import { registerPanel } from "./parts/panel.js";
import { pictureUrl } from "./parts/picture_url.js";

registerPanel({
  name: "VideoAlign",
  nodes: ["TalkiesVideoAlign"],
  key: "talkies_align",
  label: "The face that was found",
  hint: "Run the workflow to see the face that was found.",
  height: 400,
  show: (/** @type {any} */ found) => alignView(document, {
    ...found, moments: found.moments.map((/** @type {any} */ moment) => ({ ...moment, picture: pictureUrl(moment.picture) })),
  }),
});
