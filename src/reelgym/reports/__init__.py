"""Pages and pictures drawn from stored results and plain values, never from a model.

`report.report` draws the page of a dataset, run, evaluation or demo folder. `payload` names what a page shows, `build`
and `puzzles` fill it from evaluations, metrics and samples, `page.write_page` writes one self-contained HTML file,
`picture` draws the one picture of the README.
"""
