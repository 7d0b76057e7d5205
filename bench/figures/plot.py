"""How the plots look: one style, in a light and a dark dress, drawn by matplotlib."""

import io
import os

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MPLCONFIGDIR", "/tmp/capy-matplotlib")  # root's home may not be writable

try:
    import matplotlib
    import matplotlib.ticker
    from matplotlib import pyplot
except ImportError:
    pyplot = None

# Who is who in every plot: ours, the alternative, and others in order.
OURS, LINUX = "#0b7a75", "#d1495b"
OTHERS = ("#edae49", "#30638e", "#8d6a9f", "#5c946e", "#7d5a50", "#777777")
DRESS = {"light": {"ink": "#1b1f23", "faint": "#d0d4d8", "ground": "white"},
         "dark": {"ink": "#e6e6e6", "faint": "#444a50", "ground": "none"}}
WIDTH_IN, HEIGHT_IN = 7.0, 4.2


def is_there():
    return pyplot is not None


def _style(dress):
    d = DRESS[dress]
    return {"font.size": 10.5, "font.family": "DejaVu Sans", "svg.fonttype": "none",
            "svg.hashsalt": "capybara", "text.color": d["ink"], "axes.labelcolor": d["ink"],
            "axes.edgecolor": d["ink"], "xtick.color": d["ink"], "ytick.color": d["ink"],
            "axes.facecolor": "none", "figure.facecolor": d["ground"],
            "savefig.facecolor": d["ground"], "axes.grid": True, "grid.color": d["faint"],
            "grid.linewidth": 0.6, "axes.axisbelow": True, "axes.spines.top": False,
            "axes.spines.right": False, "legend.frameon": False, "lines.linewidth": 1.8,
            "axes.titlesize": 10.5}


class Canvas:
    """What a figure's draw() is given: axes to draw on."""

    def __init__(self, figure):
        self.figure = figure

    def axes(self):
        return self.panels()[0]

    def panels(self, rows=1, columns=1, **options):
        """Several, as a flat list."""
        self.figure.set_size_inches(WIDTH_IN, HEIGHT_IN * (1 if rows == 1 else 0.55 * rows))
        return list(self.figure.subplots(rows, columns, squeeze=False, **options).flat)


def _say_more(axis):
    """A logarithmic axis of less than two decades says 1, 2, 5, and not only 10."""
    low, high = axis.get_view_interval()
    if axis.get_scale() == "log" and low > 0 and high / low < 100:
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))


def _drawn(draw, data, dress, kind, title=None):
    with matplotlib.rc_context(_style(dress)):
        figure = pyplot.figure(layout="constrained")
        draw(data, Canvas(figure))
        if title:
            figure.suptitle(title, fontsize=11, wrap=True)
        for axes in figure.axes:
            _say_more(axes.xaxis)
            _say_more(axes.yaxis)
        out = io.BytesIO()
        figure.savefig(out, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
        pyplot.close(figure)
        return out.getvalue()


def png(draw, data, title):
    """One that is passed on alone says itself what it shows, live or simulated."""
    return _drawn(draw, data, "light", "png", title)


def svg(draw, data, dress):
    return _drawn(draw, data, dress, "svg")


def cdf(axes, dist, label, color, scale=1.0, **options):
    """A distribution (harness.distribution) as its cumulative curve."""
    axes.plot([v * scale for v in dist["values"]], dist["fractions"], label=label, color=color,
              **options)


def thousands(axis):
    """1,000 and not 10^3."""
    from matplotlib.ticker import FuncFormatter, NullFormatter
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else f"{v:g}"))
    axis.set_minor_formatter(NullFormatter())
