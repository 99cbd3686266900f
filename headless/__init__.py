"""Talkies without ComfyUI: run a workflow here, queue it on a server, render a video, batches, clusters."""
