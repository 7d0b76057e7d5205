"""The report: one HTML file that holds tables and plots, without anything from elsewhere."""

import base64
import html

import machine
import plot

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Capybara: the figures</title>
<style>
:root {{ color-scheme: light dark; --ink: #1b1f23; --faint: #d0d4d8; --ground: #fff;
  --good: #0b7a3b; --bad: #b3261e; --none: #6a6f75; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6e6e6; --faint: #3a4046; --ground: #14171a;
  --good: #5fd38d; --bad: #ff8a80; --none: #9aa0a6; }} }}
body {{ margin: 0 auto; max-width: 52rem; padding: 1rem; color: var(--ink); background: var(--ground);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.6rem; }} h2 {{ font-size: 1.2rem; margin-top: 2.5rem; }}
img {{ width: 100%; min-width: 36rem; height: auto; display: block; margin: 1rem 0; }}
.plot {{ overflow-x: auto; }} /* on a phone a plot is pushed aside rather than too small to read */
table {{ border-collapse: collapse; width: 100%; font-size: .92rem; }}
th, td {{ text-align: left; vertical-align: top; padding: .35rem .5rem; border-bottom: 1px solid var(--faint); }}
.holds {{ color: var(--good); }} .fails {{ color: var(--bad); }} .none {{ color: var(--none); }}
.note {{ border-left: 4px solid var(--bad); padding: .2rem .8rem; }}
@media (max-width: 40rem) {{ thead {{ display: none; }}
  tr {{ display: block; padding: .5rem 0; border-bottom: 1px solid var(--faint); }}
  td {{ display: block; border: 0; padding: .1rem 0; }}
  td:first-child {{ font-weight: 600; }} td[data-of]:not(:first-child)::before {{ content: attr(data-of) ": "; opacity: .7; }} }}
</style></head><body>
<h1>Capybara: the figures</h1>
<p>{machine}. {date}, version {commit}.</p>
{notes}
{table}
{sections}
</body></html>
"""


def _table(claims):
    lines = ["<table><thead><tr><th>claim</th><th>paper or aim</th><th>here</th><th>verdict</th></tr>"
             "</thead><tbody>"]
    for c in claims:
        lines.append(
            f"<tr><td data-of='claim'>{html.escape(c['claim'])}</td>"
            f"<td data-of='paper or aim'>{html.escape(c['paper'] or '–')}</td>"
            f"<td data-of='here'>{html.escape(c['here'])}</td>"
            f"<td data-of='verdict' class='{c['outcome']}'>{html.escape(c['verdict'])}</td></tr>")
    return "\n".join(lines + ["</tbody></table>"])


def _data_url(svg):
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _picture(figure, data):
    if not plot.is_there():
        return "<p class='none'>No plot: matplotlib is not installed.</p>"
    light, dark = (_data_url(plot.svg(figure.draw, data, dress)) for dress in ("light", "dark"))
    return (f"<div class='plot'><picture><source media='(prefers-color-scheme: dark)' srcset='{dark}'>"
            f"<img src='{light}' alt='{html.escape(figure.TITLE)}'></picture></div>")


def _section(name, figure, result):
    parts = [f"<h2 id='{name}'>{html.escape(figure.TITLE)}</h2>",
             f"<p>{html.escape(' '.join(figure.ABOUT.split()))}</p>"]
    if result["data"] is None:
        parts.append(f"<p class='none'>{html.escape(result['reason'])}</p>")
    else:
        parts.append(_picture(figure, result["data"]))
    return "\n".join(parts + [_table(result["claims"])])


def write(path, run, figures):
    """run: what run.py keeps of a run. figures: {name: module}, in order."""
    m = run["machine"]
    notes = []
    if run["quick"]:
        notes.append("A quick run: it shows that everything works, and its figures mean nothing.")
    if machine.is_busy(m):
        notes.append(f"The machine was busy when the run began (load {m['load_average']}): "
                     "times are noisy, ratios within one run less so.")
    shown = {n: f for n, f in figures.items() if n in run["figures"]}
    claims = [c for n in shown for c in run["figures"][n]["claims"]]
    with open(path, "w", encoding="utf-8") as f:
        f.write(_PAGE.format(
            machine=html.escape(machine.words(m)), date=m["date"], commit=html.escape(m["commit"] or "?"),
            notes="\n".join(f"<p class='note'>{html.escape(n)}</p>" for n in notes),
            table=_table(claims),
            sections="\n".join(_section(n, f, run["figures"][n]) for n, f in shown.items())))
