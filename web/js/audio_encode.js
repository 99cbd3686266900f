// Audio Encode's panel: the spectrogram with a playhead.
import { registerPanel } from "./parts/panel.js";
import { pictureUrl } from "./parts/picture_url.js";
import { speechView } from "./parts/speech_view.js";

registerPanel({
  name: "AudioEncode",
  nodes: ["TalkiesAudioEncode"],
  key: "talkies_speech",
  label: "The sound as the network hears it",
  hint: "Run the workflow to see the spectrogram.",
  height: 200,
  show: (/** @type {any} */ found, ended) => speechView(document, { ...found, picture: pictureUrl(found.picture), sound: pictureUrl(found.sound) }, ended),
});
