// Where the server's name of a node leads in the page's graph.

/**
 * The node of an id; "4:7" is node 7 in the subgraph that node 4 stands for.
 * @param {any} graph
 * @param {string} path
 * @returns {any} null where there is none
 */
export function nodeAt(graph, path) {
  const [first, ...rest] = path.split(":");
  const node = graph?.getNodeById(Number(first)) ?? null;
  return node && rest.length ? nodeAt(node.subgraph, rest.join(":")) : node;
}
