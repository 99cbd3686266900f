// Film Grain's panel: strength over luma, power over frequency, a patch of the grain, its figures.
import { grainView } from "./parts/grain_view.js";
import { registerPanel } from "./parts/panel.js";
import { pictureUrl } from "./parts/picture_url.js";

registerPanel({
  name: "FilmGrain",
  nodes: ["TalkiesFilmGrain"],
  key: "talkies_grain",
  label: "The grain",
  hint: "Run the workflow to see the grain.",
  height: 300,
  show: (/** @type {any} */ grain) => grainView(document, { ...grain, patch: pictureUrl(grain.patch) }),
});
