"""A picture of how well a linear layer reads each layer of an encoder."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lungsound.files.atomic import whole_file
from teachers.probing.evaluation import Answer


def draw_layers(answers: Sequence[Answer], title: str, file: Path) -> None:
    """Draw the AUROC on validation of every layer into a PNG file, a line for each encoder.

    One layer alone, as that of the log-mel, is a broken line to compare the others with.

    Parameters
    ----------
    answers : sequence of Answer
        Of encoders, as the legend names them.
    title : str
        What was asked, and whether the corpus is synthetic.
    file : Path
        Where to write.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for number, answer in enumerate(answers):
        layers, values = list(answer.layers), list(answer.layers.values())
        if len(layers) == 1:
            axes.axhline(values[0], color=f"C{number}", linestyle="--", label=answer.name)
        else:
            axes.plot(layers, values, "o-", color=f"C{number}", markersize=4, label=answer.name)
    axes.axhline(0.5, color="black", linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("layer")
    axes.set_ylabel("AUROC on validation, mean over seeds")
    axes.set_title(title)
    axes.legend(loc="best", fontsize="small")
    with whole_file(file) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
