// Nodes 2.0 before it drew DOM widgets (frontend 1.27): a widget's element is then on no page, and is put into its node here.

/** @type {Map<any, {root: HTMLElement, height: number}>} */
const kept = new Map();
let due = false;

/** Put every panel that is nowhere on the page into its node's element, where that is one. */
function settle() {
  due = false;
  for (const [node, { root, height }] of kept) {
    if (node.graph?.getNodeById(node.id) !== node) { // its graph was cleared
      root.closest(".talkies-holder")?.remove();
      if (node.id !== -1) kept.delete(node);
      continue;
    }
    if (root.isConnected) continue;
    const home = document.querySelector(`[data-node-id="${CSS.escape(String(node.id))}"]`);
    if (!home) continue;
    const holder = document.createElement("div");
    holder.className = "talkies-holder";
    // Such a node is as wide as what is in it; a panel is to be as wide as the rest of its node.
    holder.style.cssText = `contain:inline-size;height:${height}px;padding:0 12px 8px;pointer-events:auto`;
    holder.addEventListener("pointerdown", (event) => event.stopPropagation());
    holder.append(root);
    (home.querySelector(".lg-node-widgets")?.parentElement ?? home).append(holder);
  }
}

/**
 * See to it that a panel is shown by a frontend that draws nodes as elements and does not know DOM widgets.
 * @param {any} node
 * @param {HTMLElement} root
 * @param {number} height px
 */
export function keepInNode(node, root, height) {
  if (!kept.size) {
    new MutationObserver(() => {
      if (due || !(/** @type {any} */ (window).LiteGraph?.vueNodesMode)) return;
      due = true;
      setTimeout(settle, 100); // after the frontend has had its turn
    }).observe(document.body, { childList: true, subtree: true });
  }
  kept.set(node, { root, height });
  const { onRemoved } = node;
  node.onRemoved = function () {
    onRemoved?.call(this);
    kept.delete(node);
    root.closest(".talkies-holder")?.remove();
  };
}
