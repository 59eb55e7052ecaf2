"""Trained checkpoints in vLLM: the plug-in, MobilePALO's vLLM class, a server's arguments."""
