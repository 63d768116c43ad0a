"""Pages and pictures drawn from stored results and plain values, never from a model.

`payload` names what a page shows, `build` fills it from evaluations, samples and metrics rows, `page.write_page` writes
one self-contained HTML file, `picture` draws the one picture of the README, `report` does it for a folder on disk.
"""
