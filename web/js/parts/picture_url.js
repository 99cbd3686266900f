// Where the page fetches a picture that a node saved.
import { api } from "/scripts/api.js";

/** @param {{filename: string, subfolder: string, type: string}} saved @returns {string} */
export function pictureUrl(saved) {
  return api.apiURL(`/view?${new URLSearchParams({ filename: saved.filename, subfolder: saved.subfolder, type: saved.type })}`);
}
