"""Everything that computes. Imports neither ComfyUI nor the nodes; the nodes, the command line and a cluster all call it."""
