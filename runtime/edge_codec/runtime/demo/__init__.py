"""The main job in one command: speech through two processes and a virtual serial modem."""
